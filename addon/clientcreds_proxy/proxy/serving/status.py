"""The status server in a running mitmproxy: kept where the configuration wants it, and announced to commands.

Whatever fails here is logged, and the proxy goes on. Not in it: HTTP (`observe/server.py`), the answers
(`observe/status.py`), the runtime directory (`observe/runtime.py`).
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mitmproxy import ctx
from mitmproxy.connection import Server
from tornado.httpserver import HTTPServer

from clientcreds_proxy import __version__
from clientcreds_proxy.observe import runtime, server
from clientcreds_proxy.observe.runtime import Running, RuntimeFolderError
from clientcreds_proxy.observe.status import Situation, document
from clientcreds_proxy.proxy.house.house import House
from clientcreds_proxy.proxy.serving.listen import LOOPBACK
from clientcreds_proxy.rules.host import is_loopback
from clientcreds_proxy.secret import Secret

LOOK_SECONDS = 1.0
START_LOOK_SECONDS = 0.02  # until the proxy listens; doubling


class StatusServer:
    """What the status server is told about one proxy, and its life."""

    def __init__(self, house: House, report: Callable[[Exception], None]) -> None:
        self._house = house
        self._report = report
        self._started = datetime.now(UTC)
        self._wanted: tuple[str, int] | None = None  # that `_server` was opened for
        self._server: HTTPServer | None = None
        self._address: str | None = None
        self._folder: Path | None = None
        self._announced: Running | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._closed: asyncio.Task[None] | None = None  # the last server that was, with its connections
        self._closing = False

    # --- its life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open it where the configuration says, and follow that; needs a running event loop."""
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    def shut(self) -> None:
        """Say that no more requests are served."""
        self._closing = True

    async def aclose(self) -> None:
        """Take everything back."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        self.close()
        if self._closed is not None:
            await self._closed

    def close(self) -> None:
        """Free the port at once, and be found no more."""
        last, self._server = self._server, None
        if last is not None:
            last.stop()
            self._closed = asyncio.get_running_loop().create_task(last.close_all_connections())
        if self._folder is not None and self._announced is not None:
            runtime.retract(self._folder, os.getpid())  # whoever sees that has seen the port free
        self._address = self._announced = None

    async def _keep(self) -> None:
        told, pause = "", START_LOOK_SECONDS
        while True:
            try:
                self._settle()
            except RuntimeFolderError as error:
                if str(error) != told:
                    told = str(error)
                    message = "`clientcreds status`, `reload` and `purge` can't find this proxy"
                    self._house.log.event("warning", message, {"error": told})
            except Exception as error:  # noqa: BLE001 - whatever it is, the proxy goes on
                if str(error) != told:
                    told = str(error)
                    self._report(error)
            await asyncio.sleep(LOOK_SECONDS if self._listening() else pause)
            pause = min(2 * pause, LOOK_SECONDS)

    def _settle(self) -> None:
        wanted = self._house.policy.config.status_listen
        if wanted != self._wanted:
            self._wanted = wanted
            self.close()
            if wanted is not None:
                self._open(*wanted)
        self._announce()

    def _open(self, host: str, port: int) -> None:
        try:
            self._server, port = server.listen(self, host, port)
        except OSError as error:
            self._server, free = server.listen(self, LOOPBACK, 0)
            message = f"the status server can't listen on {_shown(host, port)}: it takes a free port"
            fields = {"error": error.strerror, "status": _shown(LOOPBACK, free)}
            self._house.log.event("warning", message, fields)
            host, port = LOOPBACK, free
        self._address = _shown(host, port)

    def _announce(self) -> None:
        listening = self._listening()
        if self._address is None or not listening:
            return
        now = Running(pid=os.getpid(), status=self._address, listening=listening, config=self._config())
        if now != self._announced:
            folder = runtime.place()
            runtime.prepare(folder)
            self._folder = folder
            runtime.token(folder)
            runtime.announce(folder, now)
            self._announced = now

    # --- what it is asked (`server.Proxy`) -----------------------------------------------------------

    def is_ready(self) -> bool:
        """Whether requests are served."""
        return not self._closing and bool(self._listening())

    def status(self) -> Mapping[str, object]:
        """Everything about the proxy."""
        house, config = self._house, self._house.policy.config
        now = Situation(
            version=__version__,
            pid=os.getpid(),
            started=self._started,
            ready=self.is_ready(),
            listening=self._listening(),
            status_listening=self._address,
            config=self._config(),
            fingerprint=config.fingerprint,
            loaded=house.loaded,
            reload=house.last_reload,
            unmatched=config.unmatched,
            intercept=config.intercept,
            rules=config.rules,
            sources=house.policy.known(),
            warnings=tuple(map(str, config.warnings)),
            secrets=config.secrets,
        )
        return document(now, house.record)

    async def reload(self) -> tuple[str, ...]:
        """Read the configuration again; the problems that kept the old one in force."""
        return await self._house.reload_now()

    def purge(self, source: str | None) -> tuple[str, ...]:
        """Drop what is known of a source, or of all."""
        return self._house.purge(source)

    def sources(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._house.policy.sources)

    def token(self) -> Secret | None:
        """What a caller that changes something must bring."""
        if self._folder is None:
            return None
        try:
            return runtime.read_token(self._folder)
        except RuntimeFolderError as error:
            self._house.log.event("warning", "nobody can reload or purge", {"error": str(error)})
            return None

    def is_foreign(self, peer: tuple[str, int]) -> bool:
        """Whether this connection came through the proxy, from a client on another machine."""
        proxyserver: Any = ctx.master.addons.get("proxyserver")
        return any(
            (server.sockname or ())[:2] == peer and not is_loopback(handler.client.peername[0])
            for handler in proxyserver.connections.values()
            for server in handler.transports
            if isinstance(server, Server)
        )

    def report(self, error: BaseException) -> None:
        """Log a bug of ours."""
        if isinstance(error, Exception):
            self._report(error)

    def _config(self) -> str:
        return str(self._house.path.absolute())

    @staticmethod
    def _listening() -> tuple[str, ...]:
        proxyserver: Any = ctx.master.addons.get("proxyserver")
        if proxyserver.servers.is_updating:  # on its way to loopback
            return ()
        return tuple(_shown(address[0], address[1]) for address in proxyserver.listen_addrs())


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
