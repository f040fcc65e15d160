"""Which client certificate a connection to an API presents: the one that the request's token is bound to.

A certificate alone may open doors, and mitmproxy keeps a client's connections to servers for its next
request. So a connection that presented one serves no request but those whose token is bound to it (RFC 8705
§3): none with another token, none without a rule, none after the certificate was exchanged. Such a request
gets a connection of its own, and the other one is closed.

Hosts that have such a rule speak HTTP/1.1 on both sides. There a client's connections to servers are idle
when its next request comes; in HTTP/2 they would be in use, and shared before anybody could tell them apart.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from mitmproxy import connection, ctx, http
from mitmproxy.tls import TlsData
from OpenSSL import SSL

from clientcreds_proxy.errors import Refusal
from clientcreds_proxy.proxy.facts import destination_is_named, destination_of, normal_or_nowhere
from clientcreds_proxy.proxy.fail_closed import or_refuse
from clientcreds_proxy.proxy.house.policy import Policy
from clientcreds_proxy.proxy.request.passage import Passage
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import ClientTls

HTTP1, HTTP2 = b"http/1.1", b"h2"
_lib: Any = SSL._lib  # type: ignore[attr-defined]  # noqa: SLF001 - mitmproxy uses it in the same way
CLOSE_SECONDS = 2.0

Address = tuple[str, int]  # as mitmproxy names it


@dataclass(slots=True, kw_only=True)
class _Client:
    """What is known of one client's connections to servers."""

    wanted: dict[Address, ClientTls | None] = field(default_factory=dict)  # of its latest request
    presented: list[tuple[connection.Server, str | None]] = field(default_factory=list)  # None: without one


class Certificates:
    """An addon behind mitmproxy's own: it puts certificates into the TLS connections that those made."""

    name = "clientcreds-certificates"

    def __init__(self, policy: Callable[[], Policy], report: Callable[[Exception], None]) -> None:
        self._policy = policy
        self._report = report
        # By address and port, which a repeated request (`request/retry.py`) has in common with the first.
        self._clients: dict[Address, _Client] = {}

    # --- hooks ---------------------------------------------------------------------------------------

    def tls_start_client(self, tls: TlsData) -> None:
        """Speak HTTP/1.1 with clients of a host that is to see a certificate."""
        server = tls.context.server
        if tls.ssl_conn is not None and self._usual(tls, server.address) is not None:
            tls.ssl_conn.get_app_data()["client_alpn"] = HTTP1

    def tls_start_server(self, tls: TlsData) -> None:
        """Present the certificate that the next request on this connection needs."""

        def stop(_: Refusal) -> None:
            tls.ssl_conn = None  # mitmproxy then closes the connection

        with or_refuse(stop, self._report):
            self._present(tls)

    def client_disconnected(self, client: connection.Client) -> None:
        """Forget it."""
        self._clients.pop(client.peername[:2], None)

    def done(self) -> None:
        """End what nobody keeps apart any more, where the script is loaded again."""
        if ctx.master.should_exit.is_set():
            return
        for handler in ctx.master.addons.get("proxyserver").connections.values():
            known = self._clients.get(handler.client.peername[:2], _Client())
            _end(handler, [server for server, cert in known.presented if cert is not None])

    # --- a request -----------------------------------------------------------------------------------

    async def keep_apart(self, flow: http.HTTPFlow, passage: Passage) -> None:
        """Close the connections that this request must not leave on, before mitmproxy looks for one."""
        source = passage.source
        here = destination_of(flow)
        if here.scheme != "https" or flow.client_conn.alpn == HTTP2:
            return
        bound = source is not None and passage.obtained is not None and source.spec.certificate_bound
        wanted = source.spec.client.tls if source is not None and bound else None
        known = self._clients.get(flow.client_conn.peername[:2])
        if wanted is None and known is None and self._policy().certificate_for(here.host, here.port) is None:
            return
        known = self._of(flow.client_conn)
        address = (flow.request.host, here.port)
        known.wanted[address] = wanted
        handler = ctx.master.addons.get("proxyserver").connections.get(flow.client_conn.id)
        if handler is None:
            return
        # What is not known was made before there was a rule that binds: without a certificate.
        unknown = [(each, None) for each in handler.transports if isinstance(each, connection.Server)]
        shown = {**dict(unknown), **dict(known.presented)}
        cert = wanted.cert if wanted else None
        wrong = [each for each, said in shown.items() if each.address == address and said != cert]
        ending = _end(handler, wrong)
        if ending:
            await asyncio.wait(ending, timeout=CLOSE_SECONDS)

    def _present(self, tls: TlsData) -> None:
        server = tls.conn
        if not isinstance(server, connection.Server) or server.address is None or tls.ssl_conn is None:
            return
        if (
            tls.context.client.alpn == HTTP2
        ):  # from before there was a rule that binds: never with a certificate
            return
        usual = self._usual(tls, server.address)
        known = self._clients.get(tls.context.client.peername[:2])
        certificate = usual if known is None else known.wanted.get(server.address, usual)
        if usual is None and certificate is None:
            return
        known = self._of(tls.context.client)
        known.presented = [(each, cert) for each, cert in known.presented if each.connected]
        known.presented.append((server, certificate.cert if certificate else None))
        server.alpn_offers = (HTTP1,)
        tls.ssl_conn.set_alpn_protos([HTTP1])
        if certificate is None:
            return
        tls.ssl_conn.set_context(_context(certificate, tls.ssl_conn.get_context()))
        _lib.SSL_set_post_handshake_auth(tls.ssl_conn._ssl, 1)  # noqa: SLF001 - as mitmproxy does it

    def _usual(self, tls: TlsData, address: Address | None) -> ClientTls | None:
        """The certificate of the host's first rule that has one: right before there is any request."""
        if address is None:
            return None
        named = destination_is_named(tls.context.client)
        host = normal_or_nowhere(address[0] if named else tls.context.client.sni)
        return self._policy().certificate_for(host, address[1])

    def _of(self, client: connection.Client) -> _Client:
        return self._clients.setdefault(client.peername[:2], _Client())


def _end(handler: Any, servers: Collection[connection.Server]) -> list[asyncio.Task[None]]:
    """The tasks of a client's connections to these servers, told to end."""
    # In upstream mode a connection is one with the parent proxy, and TLS inside of it.
    addresses = {server.via[1] if server.via else server.address for server in servers if server.connected}
    tasks = [
        io.handler
        for each, io in handler.transports.items()
        if io.handler and isinstance(each, connection.Server) and each.address in addresses
    ]
    for task in tasks:
        task.cancel("another client certificate")
    return tasks


def _context(certificate: ClientTls, model: SSL.Context) -> SSL.Context:
    """What presents the certificate, and trusts the same authorities as `model`.

    A new one for each connection: no TLS session is taken up again that another certificate began.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    first, *chain = x509.load_pem_x509_certificates((certificate.cert or "").encode())
    context.use_certificate(first)
    for each in chain:
        context.add_extra_chain_cert(each)
    pem = (certificate.key or Secret("")).reveal().encode()
    # Checking an RSA key takes 30 ms, and was done when the file was read.
    key: Any = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    context.use_privatekey(key)
    store = _lib.SSL_CTX_get_cert_store(model._context)  # noqa: SLF001 - pyOpenSSL has no other way
    _lib.X509_STORE_up_ref(store)
    _lib.SSL_CTX_set_cert_store(context._context, store)  # noqa: SLF001 - as above
    return context
