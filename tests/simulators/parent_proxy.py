"""A second proxy, for mitmproxy's upstream mode: opens tunnels by a list, and answers plain requests itself.

Names that no resolver knows lead where the list says: tests get hosts that are not written as loopback.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.simulators.api import Request


@dataclass(slots=True, kw_only=True)
class ParentProxy:
    """Keeps every request that it was sent: CONNECT, and those with a target in absolute form."""

    routes: dict[str, int] = field(default_factory=dict)  # `host:port` of a CONNECT to a port of 127.0.0.1
    route_all: int | None = None  # where every other CONNECT leads
    say: Callable[[Request], bytes] = lambda _: b"HTTP/1.1 200 X\r\nContent-Length: 6\r\n\r\nparent"
    seen: list[Request] = field(default_factory=list)
    port: int = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ParentProxy"]:
        """Listens on a free port of 127.0.0.1."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await _read(reader)
                self.seen.append(request)
                if request.method == "CONNECT":
                    await self._tunnel(request.target, reader, writer)
                    return
                writer.write(self.say(request))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            writer.close()

    async def _tunnel(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = self.routes.get(target, self.route_all)
        if port is None:
            writer.write(b"HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n")
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 X\r\n\r\n")
        try:
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
        finally:
            there_writer.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = Request(head=await reader.readuntil(b"\r\n\r\n"))
    body = await reader.readexactly(int(head.one("content-length") or 0))
    return Request(head=head.head, body=body)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while received := await reader.read(2**16):
            writer.write(received)
            await writer.drain()
    except ConnectionError:
        pass  # one end is gone, so the other may go
    finally:
        writer.close()
