"""An API on loopback: answers 200, keeps every request, and can be told to answer otherwise."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Answerer = Callable[["Request", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request head as it came, and its body where it had a Content-Length below 1 MiB."""

    head: bytes
    body: bytes = b""

    @property
    def method(self) -> str:
        """Of the request line."""
        return self.head.split(b" ", 1)[0].decode()

    @property
    def target(self) -> str:
        """Of the request line."""
        return self.head.split(b" ", 2)[1].decode()

    @property
    def headers(self) -> list[tuple[str, str]]:
        """In the order of the wire."""
        lines = self.head.decode("latin-1").strip().split("\r\n")[1:]
        return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    def all(self, name: str) -> list[str]:
        """Every value of this header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name: str) -> str | None:
        """The value of this header; None where it is missing. More than one is a failure."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None


@dataclass(slots=True, kw_only=True)
class Api:
    """An HTTP/1.1 server that says what it saw."""

    seen: list[Request] = field(default_factory=list)
    answer: Answerer | None = None  # takes over after the head (and a small body) was read
    unauthorized: set[str] = field(default_factory=set)  # values of Authorization that get 401
    response_headers: list[tuple[str, str]] = field(default_factory=list)
    say: Callable[[Request], bytes] | None = None  # gives the whole answer instead
    connections: int = 0
    port: int = 0

    @property
    def tokens(self) -> list[str | None]:
        """The Authorization of every request, in order."""
        return [request.one("authorization") for request in self.seen]

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["Api"]:
        """Listens on a free port of 127.0.0.1."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls, limit=2**20)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                request = await self._read(reader)
                self.seen.append(request)
                if self.answer is not None:
                    await self.answer(request, reader, writer)
                else:
                    await self._say(request, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            writer.close()

    @staticmethod
    async def _read(reader: asyncio.StreamReader) -> Request:
        head = Request(head=await reader.readuntil(b"\r\n\r\n"))
        length = int(head.one("content-length") or 0)
        body = await reader.readexactly(length) if length <= 2**20 else b""
        return Request(head=head.head, body=body)

    async def _say(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if self.say is not None:
            writer.write(self.say(request))
            return
        refused = not self.unauthorized.isdisjoint(request.all("authorization"))
        body = b"" if request.method == "HEAD" else json.dumps({"target": request.target}).encode()
        lines = [
            f"HTTP/1.1 {401 if refused else 200} X",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in self.response_headers),
        ]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
