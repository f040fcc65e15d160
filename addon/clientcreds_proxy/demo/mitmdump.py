"""The proxy, started the way anybody starts it: `mitmdump -s addon/clientcreds.py`."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

START_SECONDS = 30
STOP_SECONDS = 5

# Who connects and disconnects: nothing that tells about tokens.
CONNECTION = re.compile(r"^\[[\d:.]+\]\[")
LISTENING = re.compile(r"proxy listening at (?:\S+:)?(\d+)\.?$")


class ProxyStartError(Exception):
    """mitmdump did not start; the message is what it said."""


class Mitmdump:
    """A running mitmdump, and all that it has logged."""

    def __init__(self, process: asyncio.subprocess.Process, *, echo: bool) -> None:
        self.lines: list[str] = []
        self.port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._process = process
        self._echo = echo
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        async for raw in self._process.stdout:
            line = raw.decode(errors="replace").rstrip("\n")
            self.lines.append(line)
            if self.port.done() and self._echo and not CONNECTION.match(line):
                print(f"  {line}", flush=True)
            if not self.port.done() and (found := LISTENING.search(line)):
                self.port.set_result(int(found[1]))
        if not self.port.done():
            self.port.set_exception(ProxyStartError("\n".join(self.lines)))

    async def ended(self) -> int:
        """Its exit code, once it ends by itself."""
        return await self._process.wait()

    async def stop(self) -> None:
        """End it, with force where it does not listen."""
        self.port.cancel()  # nobody waits for it any more
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
        await self._reading


@asynccontextmanager
async def mitmdump(
    script: Path, config: Path, *, confdir: Path, port: int, echo: bool = False
) -> AsyncIterator[Mitmdump]:
    """A proxy that is ready (its address is in `port`), or `ProxyStartError`; port 0 takes a free one."""
    options = {
        "clientcreds_config": config,
        "confdir": confdir,
        "listen_host": "127.0.0.1",
        "listen_port": port,
        "flow_detail": 0,  # the addon's own log has a line for each request
    }
    settings = [argument for name, value in options.items() for argument in ("--set", f"{name}={value}")]
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("mitmdump")), "--scripts", str(script), *settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        limit=1 << 20,  # bytes a line
        process_group=0,  # Ctrl-C in the terminal reaches the demo alone, which then stops its proxy
    )
    proxy = Mitmdump(process, echo=echo)
    try:
        async with asyncio.timeout(START_SECONDS):
            await asyncio.shield(proxy.port)
        yield proxy
    except TimeoutError as error:
        raise ProxyStartError("\n".join(proxy.lines)) from error
    finally:
        await proxy.stop()
