"""What happens to a connection before there is a request: tunnel it, refuse it, or pin its server name."""

from mitmproxy import connection, ctx, http
from mitmproxy.proxy import layer, layers, mode_specs
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.tls import ClientHelloData, TlsData

from clientcreds_proxy.errors import Refusal
from clientcreds_proxy.observe.log import AccessLine
from clientcreds_proxy.proxy.facts import (
    client_address,
    destination_is_named,
    normal_or_nowhere,
    proxy_user,
    stays_here,
    upstream_is_verified,
)
from clientcreds_proxy.proxy.house.policy import Policy
from clientcreds_proxy.rules.decision import is_vouched_for
from clientcreds_proxy.tokens.credentials import Credentials, shown


def pass_untouched(next_layer: layer.NextLayer, policy: Policy) -> None:
    """Tunnel what goes to a host without a rule: not decrypted, not parsed, whatever it speaks."""
    context = next_layer.context
    if not policy.intercepts_ruled_only or not destination_is_named(context.client):
        return
    if _is_tunnel(context) and not is_ruled(context.server.address, policy):
        next_layer.layer = layers.TCPLayer(context, ignore=True)


def pass_untouched_by_name(hello: ClientHelloData, policy: Policy) -> None:
    """The same for modes where only the TLS server name says which host is meant.

    Under `unmatched: block` nothing passes: it is decrypted, and each request refused.
    """
    address = hello.context.server.address
    if not policy.intercepts_ruled_only or policy.gate.unmatched == "block" or address is None:
        return
    if not destination_is_named(hello.context.client):
        name = hello.client_hello.sni
        hello.ignore_connection = name is None or not is_ruled((name, address[1]), policy)


def pin_server_name(tls: TlsData, policy: Policy) -> None:
    """Verify a ruled host's certificate against the destination, not against what the client's TLS named."""
    server = tls.conn
    if not isinstance(server, connection.Server) or not destination_is_named(tls.context.client):
        return
    if server.address is not None and is_ruled(server.address, policy):
        server.sni = normal_or_nowhere(server.address[0])


def admit_connect(flow: http.HTTPFlow, policy: Policy) -> None:
    """Refuse a CONNECT in which no request could pass.

    Its `Proxy-Authorization` is taken out first: mitmproxy stores refused ones.
    """
    user = proxy_user(flow)
    flow.request.headers.pop("Proxy-Authorization", None)
    host, port = normal_or_nowhere(flow.request.host), flow.request.port
    policy.gate.admit_connection(host, port, address=client_address(flow.client_conn), user=user)
    verified, is_here = upstream_is_verified(), stays_here(flow.client_conn)
    if policy.covers(host, port) and not is_vouched_for(host, verified=verified, stays_here=is_here):
        # The requests inside will be refused. An answer of our own keeps mitmproxy from connecting before.
        flow.response = http.Response.make(200)
        flow.response.headers.clear()


def is_socks(client: connection.Client) -> bool:
    """Whether a client speaks SOCKS."""
    return isinstance(client.proxy_mode, mode_specs.Socks5Mode)


def admit_socks(data: ServerConnectionHookData, policy: Policy) -> None:
    """The same for SOCKS, where no hook lies before the connection to the server."""
    if data.server.address is None:
        return
    known = ctx.master.addons.get("proxyauth").authenticated.get(data.client)
    policy.gate.admit_connection(
        normal_or_nowhere(data.server.address[0]),
        data.server.address[1],
        address=client_address(data.client),
        user=known[0] if known else None,
    )


def is_ruled(address: tuple[str, int] | None, policy: Policy) -> bool:
    """Whether a connection to this address goes to a ruled host."""
    if address is None:
        return False
    return policy.covers(normal_or_nowhere(address[0]), address[1])


def line_of(flow: http.HTTPFlow, refused: Refusal, caller: Credentials | None) -> AccessLine:
    """The log's line about a refused CONNECT."""
    return AccessLine(
        rule=None,
        token_source=None,
        client=client_address(flow.client_conn),
        client_username=shown(caller.client_id) if caller else None,
        method="CONNECT",
        host=f"{flow.request.host}:{flow.request.port}",
        path="-",
        status=refused.status,
        reason=refused.reason,
        duration_ms=0,
        token="none",
    )


def _is_tunnel(context: Context) -> bool:
    """Whether the client has just asked for a server (CONNECT, SOCKS) and nothing was opened inside yet.

    In reverse mode the target is a server of the user's choice: all of it is proxied as usual.
    """
    return (
        context.server.address is not None
        and context.client.transport_protocol == "tcp"
        and not isinstance(context.client.proxy_mode, mode_specs.ReverseMode)
        and not isinstance(context.layers[-1], layers.ClientTLSLayer)
    )
