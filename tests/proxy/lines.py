"""Clients that write their bytes themselves: what no well-behaved client would send goes through here."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset

from tests.proxy.harness import PATIENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer as it came; a header's name is in small letters."""

    status: int
    phrase: str = ""
    headers: list[tuple[str, str]]
    body: bytes

    def one(self, name: str) -> str | None:
        """The value of this header; None where it is missing. More than one is a failure."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def problem(self) -> dict[str, object]:
        """The refusal's document."""
        assert self.one("content-type") == "application/problem+json", self.body
        document: dict[str, object] = json.loads(self.body)
        return document

    @property
    def reason(self) -> str | None:
        """The refusal's reason; None where it is no refusal of ours."""
        ours = self.one("content-type") == "application/problem+json"
        return str(self.problem["reason"]) if ours else None


@dataclass(slots=True, kw_only=True)
class Line:
    """A connection, to the proxy at first, and inside whatever was opened in it since."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def connect(self, target: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask for a tunnel to `host:port`."""
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        async with asyncio.timeout(PATIENCE):
            answer = await self.head()
            return answer if answer.status == 200 else await self._body(answer)

    async def socks(self, host: str, port: int, *, user: str | None = None) -> int:
        """Ask a SOCKS5 proxy for a connection; gives back its reply, 0 for yes (RFC 1928 §6)."""
        method = b"\x00" if user is None else b"\x02"
        self.writer.write(b"\x05\x01" + method)
        async with asyncio.timeout(PATIENCE):
            assert await self.reader.readexactly(2) == b"\x05" + method
            if user is not None:  # RFC 1929, with an empty password
                self.writer.write(b"\x01" + bytes([len(user)]) + user.encode() + b"\x00")
                assert await self.reader.readexactly(2) == b"\x01\x00"
            name = host.encode()
            self.writer.write(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + port.to_bytes(2))
            reply = await self.reader.readexactly(10)
        return reply[1]

    async def tls(
        self, context: ssl.SSLContext, name: str | None, *, protocols: tuple[str, ...] = ()
    ) -> ssl.SSLObject:
        """Begin TLS and send this server name, or none; the certificate is checked, but not its name."""
        context.check_hostname = False
        if protocols:
            context.set_alpn_protocols(list(protocols))
        async with asyncio.timeout(PATIENCE):
            await self.writer.start_tls(context, server_hostname=name)
        tls = self.writer.get_extra_info("ssl_object")
        assert isinstance(tls, ssl.SSLObject)
        return tls

    async def ask(self, request: str | bytes) -> Answer:
        """Write a request as it stands and read the answer."""
        self.writer.write(request if isinstance(request, bytes) else request.encode())
        async with asyncio.timeout(PATIENCE):
            return await self._body(await self.head())

    async def get(self, target: str, host: str | None, *headers: str) -> Answer:
        """GET this request target with this Host header, or none."""
        named = [] if host is None else [f"Host: {host}"]
        return await self.ask("\r\n".join([f"GET {target} HTTP/1.1", *named, *headers]) + "\r\n\r\n")

    async def head(self) -> Answer:
        """Read an answer's head alone."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        _, status, phrase = first.split(" ", 2)
        headers = [
            (name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)
        ]
        return Answer(status=int(status), phrase=phrase, headers=headers, body=b"")

    async def ask_http2(self, *fields: tuple[str, str], body: bytes = b"") -> Answer:
        """Send one request on a new HTTP/2 connection in this line, with nobody to correct its fields."""
        lax = H2Configuration(
            client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        connection = H2Connection(config=lax)
        connection.initiate_connection()
        connection.send_headers(1, fields, end_stream=not body)
        if body:
            connection.send_data(1, body, end_stream=True)
        async with asyncio.timeout(PATIENCE):
            return await self._answer_http2(connection)

    async def _answer_http2(self, connection: H2Connection) -> Answer:
        headers: list[tuple[str, str]] = []
        content = b""
        while True:
            self.writer.write(connection.data_to_send())
            received = await self.reader.read(2**16)
            assert received, "the proxy closed the connection"
            for event in connection.receive_data(received):
                if isinstance(event, ResponseReceived):
                    headers = [(name.decode(), value.decode()) for name, value in event.headers or []]
                elif isinstance(event, DataReceived):
                    content += event.data or b""
                elif isinstance(event, StreamReset):
                    raise ConnectionResetError(event.error_code)
                elif isinstance(event, StreamEnded):
                    return Answer(status=int(dict(headers)[":status"]), headers=headers, body=content)

    async def _body(self, head: Answer) -> Answer:
        length = int(head.one("content-length") or 0)
        body = await self.reader.readexactly(length)
        return Answer(status=head.status, phrase=head.phrase, headers=head.headers, body=body)


@asynccontextmanager
async def dial(port: int, *, source: str = "127.0.0.1") -> AsyncIterator[Line]:
    """A new connection to the proxy, from this address."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0), limit=2**20)
    try:
        yield Line(reader=reader, writer=writer)
    finally:
        writer.transport.abort()
