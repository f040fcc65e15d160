"""Several HTTP/2 requests at once on one connection, written frame by frame."""

import asyncio
from collections.abc import Callable

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived

from tests.proxy.harness import PATIENCE
from tests.proxy.lines import Line

Fields = list[tuple[str, str]]


class Http2Line:
    """Speaks HTTP/2 in a line, to one server."""

    def __init__(self, line: Line, authority: str) -> None:
        self._line = line
        self._authority = authority
        self._connection = H2Connection(config=H2Configuration(client_side=True))
        self._connection.initiate_connection()
        self.reset: set[int] = set()
        self.ended: set[int] = set()
        self.heads: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.trailers: dict[int, dict[str, str]] = {}

    def status(self, stream: int) -> int:
        """Of the answer in this stream."""
        return int(self.heads[stream][":status"])

    def begin(self, fields: Fields, body: bytes = b"", *, method: str = "POST", end: bool = False) -> int:
        """Start a request and send this much of it; gives back its stream."""
        stream = self._connection.get_next_available_stream_id()
        pseudo = [
            (":method", method),
            (":scheme", "https"),
            (":authority", self._authority),
            (":path", "/"),
        ]
        self._connection.send_headers(stream, [*pseudo, *fields], end_stream=end and not body)
        if body:
            self._connection.send_data(stream, body, end_stream=end)
        return stream

    def end(self, stream: int, trailers: Fields) -> None:
        """End a request with these fields."""
        self._connection.send_headers(stream, trailers, end_stream=True)

    async def until(self, done: Callable[[], bool]) -> None:
        """Send what there is and read on until this is true."""
        async with asyncio.timeout(PATIENCE):
            self._line.writer.write(self._connection.data_to_send())
            while not done():
                received = await self._line.reader.read(2**16)
                assert received, "the proxy closed the connection"
                for event in self._connection.receive_data(received):
                    self._note(event)
                self._line.writer.write(self._connection.data_to_send())

    def _note(self, event: object) -> None:
        match event:
            case StreamReset():
                self.reset.add(event.stream_id)
            case ResponseReceived():
                self.heads[event.stream_id] = _texts(event.headers)
            case TrailersReceived():
                self.trailers[event.stream_id] = _texts(event.headers)
            case DataReceived():
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + (event.data or b"")
                self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case StreamEnded():
                self.ended.add(event.stream_id)


def _texts(fields: list[tuple[bytes, bytes]] | None) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in fields or []}
