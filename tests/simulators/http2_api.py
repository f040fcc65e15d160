"""An API that speaks HTTP/2 alone: answers 200 and keeps every request's fields."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded


@dataclass(slots=True, kw_only=True)
class Http2Api:
    """An HTTP/2 server over TLS that says what it saw."""

    seen: list[list[tuple[str, str]]] = field(default_factory=list)  # fields of each request, in order
    unauthorized: set[str] = field(default_factory=set)  # values of Authorization that get 401
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
        try:
            writer.write(connection.data_to_send())
            while received := await reader.read(2**16):
                for event in connection.receive_data(received):
                    self._take(event, connection)
                writer.write(connection.data_to_send())
                await writer.drain()
        except ConnectionError:
            pass  # the client went away
        finally:
            writer.close()

    def _take(self, event: object, connection: H2Connection) -> None:
        if isinstance(event, RequestReceived):
            self.seen.append([(name.decode(), value.decode()) for name, value in event.headers or []])
        elif isinstance(event, DataReceived) and event.flow_controlled_length:
            connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            refused = dict(self.seen[-1]).get("authorization") in self.unauthorized
            connection.send_headers(event.stream_id, [(":status", "401" if refused else "200")])
            connection.send_data(event.stream_id, b"{}", end_stream=True)
