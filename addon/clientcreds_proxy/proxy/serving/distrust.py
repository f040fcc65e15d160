"""Clients that refuse our CA: who they are, for the log's word about it (`observe/distrust.py`)."""

from collections.abc import Callable
from dataclasses import dataclass

from mitmproxy import connection, http
from mitmproxy.tls import TlsData

from clientcreds_proxy.observe.distrust import Hello, in_words
from clientcreds_proxy.proxy.facts import client_address
from clientcreds_proxy.proxy.house.house import House

_CERTAIN, _PERHAPS = "The client does not trust", "The client disconnected during the handshake"
_SILENT = ("Wget/", "git/")  # with GnuTLS: they finish the handshake, look at the certificate, and hang up
_REMEMBERED = 1000


@dataclass(slots=True, kw_only=True)
class _Tunnel:
    host: str
    hello: Hello
    used: bool = False  # a request came


class Distrust:
    """An addon that tells, once for each client and host, that a client refuses our CA."""

    name = "clientcreds-distrust"

    def __init__(self, house: Callable[[], House]) -> None:
        self._house = house
        self._tunnels: dict[str, _Tunnel] = {}  # by the client connection's id
        self._told: dict[tuple[str, str], None] = {}

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """Remember who asks for a tunnel."""
        headers = flow.request.headers
        names = tuple(name.decode("latin-1") for name, _ in headers.fields)
        hello = Hello(agent=headers.get("User-Agent"), headers=names)
        self._tunnels[flow.client_conn.id] = _Tunnel(host=flow.request.host, hello=hello)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Note that a client has gone on: it trusts us."""
        tunnel = self._tunnels.get(flow.client_conn.id)
        if tunnel is not None:
            tunnel.used = True

    def tls_failed_client(self, tls: TlsData) -> None:
        """Tell of a client that says so, or that hangs up in the handshake."""
        client, error = tls.context.client, tls.conn.error or ""
        is_certain = error.startswith(_CERTAIN)
        if is_certain or error.startswith(_PERHAPS):
            tunnel = self._tunnels.get(client.id)
            address = tls.context.server.address
            host = tls.conn.sni or (tunnel.host if tunnel else address[0] if address else "a ruled host")
            hello = tunnel.hello if tunnel else Hello()
            self._tell(client, host, hello, is_certain=is_certain)

    def client_disconnected(self, client: connection.Client) -> None:
        """Tell of one that hangs up after the handshake, and forget it."""
        tunnel = self._tunnels.pop(client.id, None)
        if tunnel is None or tunnel.used or not client.tls_established:
            return
        if (tunnel.hello.agent or "").startswith(_SILENT):
            self._tell(client, tunnel.host, tunnel.hello, is_certain=False)

    def _tell(self, client: connection.Client, host: str, hello: Hello, *, is_certain: bool) -> None:
        said = in_words(hello, host, alpn=client.alpn_offers, is_certain=is_certain)
        address = client_address(client)
        if (said, address) not in self._told:
            if len(self._told) >= _REMEMBERED:
                self._told.clear()
            self._told[said, address] = None
            self._house().distrusted(said, address)
