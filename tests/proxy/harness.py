"""A real mitmdump with the addon, on a free port of loopback, and clients that go through it."""

import asyncio
import itertools
import json
import os
import re
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "addon" / "clientcreds.py"
BIN = Path(sys.executable).parent
CLIENTCREDS = (sys.executable, "-m", "clientcreds_proxy.cli")
PATIENCE = 20.0  # seconds until something that must happen counts as missing
_PORTS = itertools.cycle(
    range(10_000 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw9")[2:]) % 10, 32_000, 10)
)


@dataclass(slots=True, kw_only=True)
class Proxy:
    """A running proxy, what it has printed so far, and the folder of its CA."""

    port: int
    confdir: Path
    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        """What HTTP_PROXY would be."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ca(self) -> ssl.SSLContext:
        """Trusts the proxy's CA alone."""
        return ssl.create_default_context(cafile=str(self.confdir / "mitmproxy-ca-cert.pem"))

    @property
    def output(self) -> str:
        """All that it has printed."""
        return "\n".join(self.lines)

    def client(self, *, http2: bool = False, verify: ssl.SSLContext | None = None) -> httpx.AsyncClient:
        """A client that goes through the proxy."""
        return httpx.AsyncClient(
            proxy=self.url,
            verify=verify or self.ca,
            http2=http2,
            http1=not http2,
            trust_env=False,
            timeout=PATIENCE,
        )

    def access(self) -> list[dict[str, object]]:
        """The log's lines about requests; the configuration must say `log: {format: json}`."""
        entries = [json.loads(line) for line in self.lines if line.startswith('{"time"')]
        return [entry for entry in entries if "rule" in entry and "status" in entry]

    async def said(self, text: str, *, times: int = 1) -> None:
        """Wait until it has printed this text so often."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: sum(text in line for line in self.lines) >= times)

    async def logged(self, count: int, *, rule: str | None = None) -> list[dict[str, object]]:
        """Wait for this many lines about requests, or about those that this rule won."""

        def lines() -> list[dict[str, object]]:
            return [line for line in self.access() if rule in (None, line["rule"])]

        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: len(lines()) >= count)
        return lines()

    async def opened(self, address: str) -> None:
        """Wait until it listens on this address, and note the port."""
        at = f"listening at {address}:"
        await self.said(at)
        self.port = int(re.findall(rf"{re.escape(at)}(\d+)", self.output)[-1])

    async def listen(self) -> None:
        """Keep what it prints."""
        assert self.process.stdout
        async for line in self.process.stdout:
            async with self._news:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self._news.notify_all()


@asynccontextmanager
async def mitmdump(
    config: str | Path,
    *options: str,
    folder: Path,
    environ: Mapping[str, str] | None = None,
    program: str = "mitmdump",
    script: Path | None = SCRIPT,
    command: str | None = None,
    listens_at: str | None = "127.0.0.1",
) -> AsyncIterator[Proxy]:
    """A proxy with this configuration (its text, or its path); `folder` is for its files.

    `command` is one of `clientcreds` to start instead of mitmdump with the script (None: a bare one).

    It has started and listens on the address that the log shows (`*` for all), or is yielded at once where
    `listens_at` is None.
    """
    path = config if isinstance(config, Path) else folder / "rules.yaml"
    if isinstance(config, str):
        path.write_text(config)
    port = await free_port()
    confdir = folder.parent / "confdir"  # one CA for all proxies of a run
    scripts = () if script is None else ("-s", script)
    start = (BIN / program, *scripts) if command is None else (*CLIENTCREDS, command)
    process = await asyncio.create_subprocess_exec(
        *start,
        *("-p", str(port)),
        *("--set", f"clientcreds_config={path}", "--set", f"confdir={confdir}"),
        *options,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**environment(folder), **(environ or {})},
        limit=2**24,
    )
    proxy = Proxy(port=port, confdir=confdir, process=process)
    listening = asyncio.ensure_future(proxy.listen())
    try:
        if listens_at is not None:
            await _open(proxy, listens_at)
        yield proxy
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), PATIENCE)
        await listening


def environment(folder: Path) -> dict[str, str]:
    """What a program of a test sees of the world: nothing but this folder."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "PYTHONUNBUFFERED": "1",
    }


async def free_port() -> int:
    """A port that nobody listens on now, and that no other test is given.

    It is below those that the system gives to whoever connects somewhere, and each process of this run draws
    from ports of its own.
    """
    while True:
        port = next(_PORTS)
        try:
            server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", port)
        except OSError:
            continue
        server.close()
        await server.wait_closed()
        return port


async def _open(proxy: Proxy, address: str) -> None:
    """Wait until the proxy listens there: on loopback, it moves to it once it has started."""
    waiting = asyncio.ensure_future(proxy.opened(address))
    ending = asyncio.ensure_future(proxy.process.wait())
    await asyncio.wait((waiting, ending), return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        raise AssertionError(f"the proxy ended with {proxy.process.returncode}:\n{proxy.output}")
    ending.cancel()
    await waiting
