"""One tornado application on one loopback port, as a context."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application


@asynccontextmanager
async def listening(
    application: Application, *, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """The application's base URL, without a slash at its end; port 0 takes a free one."""
    sockets = bind_sockets(port, "127.0.0.1")
    server = HTTPServer(application, ssl_options=tls, max_body_size=1 << 40)  # uploads of any size
    server.add_sockets(sockets)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{sockets[0].getsockname()[1]}"
    finally:
        server.stop()
        await server.close_all_connections()
