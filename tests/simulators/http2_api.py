"""An API that speaks HTTP/2 alone: answers 200, keeps every request's fields, and can be told otherwise."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset

Fields = list[tuple[str, str]]


@dataclass(slots=True, kw_only=True)
class Stream:
    """One request, whose answer can be written piece by piece."""

    number: int
    fields: Fields
    received: int = 0  # bytes of its body
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _connection: H2Connection
    _writer: asyncio.StreamWriter
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def head(self, status: int, *fields: tuple[str, str], end: bool = False) -> None:
        """Send the head of the answer."""
        self._connection.send_headers(self.number, [(":status", str(status)), *fields], end_stream=end)
        await self._flush()

    async def data(self, content: bytes, *, end: bool = False) -> None:
        """Send a part of the body as the client's windows let it through."""
        while content:
            room = self._room()
            if not room:
                async with self._news:
                    await self._news.wait_for(self._room)
                continue
            self._connection.send_data(self.number, content[:room])
            content = content[room:]
            await self._flush()
        if end:
            self._connection.end_stream(self.number)
            await self._flush()

    async def trailers(self, *fields: tuple[str, str]) -> None:
        """End the answer with these fields."""
        self._connection.send_headers(self.number, fields, end_stream=True)
        await self._flush()

    async def awake(self) -> None:
        """Look again: something came on this connection."""
        async with self._news:
            self._news.notify_all()

    def _room(self) -> int:
        window = self._connection.local_flow_control_window(self.number)
        return int(min(window, self._connection.max_outbound_frame_size))

    async def _flush(self) -> None:
        self._writer.write(self._connection.data_to_send())
        await self._writer.drain()


@dataclass(slots=True, kw_only=True)
class Http2Api:
    """An HTTP/2 server over TLS that says what it saw."""

    seen: list[Fields] = field(default_factory=list)  # of each request, in order
    bodies: dict[int, int] = field(default_factory=dict)  # bytes of the body, by the place in `seen`
    unauthorized: set[str] = field(default_factory=set)  # values of Authorization that get 401
    answer: Callable[[Stream], Awaitable[None]] | None = None  # takes over after the head was read
    port: int = 0

    def all(self, name: str) -> list[str]:
        """Every value of this field, over all requests."""
        return [value for fields in self.seen for key, value in fields if key == name]

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext) -> AsyncIterator["Http2Api"]:
        """Listens on a free port of 127.0.0.1."""
        tls.set_alpn_protocols(["h2"])
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(config=H2Configuration(client_side=False))
        connection.initiate_connection()
        streams: dict[int, Stream] = {}
        answering: list[asyncio.Task[None]] = []
        try:
            writer.write(connection.data_to_send())
            while received := await reader.read(2**16):
                for event in connection.receive_data(received):
                    if isinstance(event, RequestReceived):
                        stream = streams[event.stream_id] = _stream(event, connection, writer)
                        self.seen.append(stream.fields)
                        answering.append(asyncio.ensure_future(self._answer(stream, len(self.seen) - 1)))
                    else:
                        _note(event, connection, streams)
                writer.write(connection.data_to_send())
                await writer.drain()
                for stream in streams.values():
                    await stream.awake()
        except ConnectionError:
            pass  # the client went away
        finally:
            for task in answering:
                task.cancel()
            writer.close()

    async def _answer(self, stream: Stream, place: int) -> None:
        refused = dict(stream.fields).get("authorization") in self.unauthorized
        if self.answer is not None and not refused:
            await self.answer(stream)
            return
        await stream.ended.wait()
        self.bodies[place] = stream.received
        await stream.head(401 if refused else 200)
        await stream.data(b"" if (":method", "HEAD") in stream.fields else b"{}", end=True)


def _stream(event: RequestReceived, connection: H2Connection, writer: asyncio.StreamWriter) -> Stream:
    fields = [(name.decode(), value.decode()) for name, value in event.headers or []]
    return Stream(number=event.stream_id, fields=fields, _connection=connection, _writer=writer)


def _note(event: object, connection: H2Connection, streams: dict[int, Stream]) -> None:
    if isinstance(event, DataReceived):
        streams[event.stream_id].received += len(event.data or b"")
        connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
    elif isinstance(event, StreamEnded | StreamReset):
        streams[event.stream_id].ended.set()
