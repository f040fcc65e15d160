"""What mitmproxy knows of a request, as the values that rules and modifiers are written for."""

from mitmproxy import connection, ctx, http
from mitmproxy.net.http import status_codes
from mitmproxy.proxy import mode_specs

from clientcreds_proxy.martian.message import Request, Response
from clientcreds_proxy.proxy.request.files import read_file
from clientcreds_proxy.rules.decision import Arrival
from clientcreds_proxy.rules.host import is_loopback, normalise
from clientcreds_proxy.rules.model import Destination, RequestFacts, Scheme

NOWHERE = ""  # a host that no rule can name

# Modes in which the client names the server it wants, so that the destination is a name.
_NAMED = (
    mode_specs.RegularMode,
    mode_specs.UpstreamMode,
    mode_specs.Socks5Mode,
    mode_specs.ReverseMode,
)


def arrival_of(flow: http.HTTPFlow) -> Arrival:
    """The request as it reached the proxy."""
    request = flow.request
    return Arrival(
        facts=RequestFacts(destination=destination_of(flow), method=request.method, target=request.path),
        named=tuple(name for name in (request.headers.get("host"), request.authority) if name),
        server_name=_server_name(flow),
        headers=tuple(request.headers.items(multi=True)),
        client_address=client_address(flow.client_conn),
        client_user=proxy_user(flow),
        upstream_verified=upstream_is_verified(),
        stays_here=stays_here(flow.client_conn),
    )


def stays_here(client: connection.Client) -> bool:
    """Whether a loopback destination is this machine's: a proxy on another one would take it for its own."""
    mode = client.proxy_mode
    return not isinstance(mode, mode_specs.UpstreamMode) or is_loopback(mode.address[0])


def upstream_is_verified() -> bool:
    """Whether mitmproxy checks the API's certificate and the client's headers."""
    return not ctx.options.ssl_insecure and bool(ctx.options.validate_inbound_headers)


def destination_is_named(client: connection.Client) -> bool:
    """Whether the destination is what the client asked for; in transparent modes it is a bare address."""
    return isinstance(client.proxy_mode, _NAMED)


def destination_of(flow: http.HTTPFlow) -> Destination:
    """Where the bytes really go; where that is a bare address, the TLS name, which is then verified."""
    scheme = scheme_of(flow.request)
    host: str | None = flow.request.host
    if not destination_is_named(flow.client_conn):
        host = flow.client_conn.sni if scheme == "https" and flow.client_conn.tls else None
    return Destination(scheme=scheme, host=normal_or_nowhere(host), port=flow.request.port)


def as_mitmproxy_names_it(request: http.Request) -> Destination:
    """The destination in mitmproxy's own spelling: what it connects to."""
    return Destination(scheme=scheme_of(request), host=request.host, port=request.port)


def url_of(request: http.Request) -> str:
    """The URL of a request as its server sees it: the Host header names the server, not the connection."""
    host = request.host_header or f"{request.host}:{request.port}"
    return f"{scheme_of(request)}://{host}" + (request.path if request.path.startswith("/") else "/")


def scheme_of(request: http.Request) -> Scheme:
    """Mitmproxy's scheme, as one of the two that there are."""
    return "https" if request.scheme == "https" else "http"


def normal_or_nowhere(host: str | None) -> str:
    """The host in normal form; `NOWHERE` for what is no host."""
    try:
        return normalise(host) if host else NOWHERE
    except ValueError:
        return NOWHERE


def client_address(client: connection.Client) -> str:
    """The client's address, without its port."""
    return str(client.peername[0])


def proxy_user(flow: http.HTTPFlow) -> str | None:
    """The user of mitmproxy's `proxyauth`, whose password is taken out of what mitmproxy stores."""
    known = flow.metadata.get("proxyauth")
    if known is None:
        return None
    flow.metadata["proxyauth"] = (known[0], "***")
    return str(known[0])


def request_of(flow: http.HTTPFlow) -> Request:
    """The request as modifiers see it."""
    request = flow.request
    headers = tuple(request.headers.items(multi=True))
    if "host" not in request.headers:  # HTTP/2 names the host in :authority
        headers = (("Host", request.host_header or ""), *headers)
    here = destination_of(flow)
    return Request(
        method=request.method,
        scheme=here.scheme,
        host=here.host or request.host,
        port=here.port,
        target=request.path,
        headers=headers,
        read_file=read_file,
    )


def write_request(flow: http.HTTPFlow, before: Request, after: Request) -> None:
    """Put into the flow what modifiers changed."""
    if after is before:
        return
    request = flow.request
    in_headers = "host" in request.headers
    if is_led_elsewhere(before, after):
        request.scheme = after.scheme
        if after.host != before.host:  # it stays an address where the client named none
            request.host = after.host
        request.port = after.port
    request.path = after.target
    host = next((value for name, value in after.headers if name.lower() == "host"), None)
    fields = [pair for pair in after.headers if in_headers or pair[0].lower() != "host"]
    request.headers = _headers(fields)
    if not in_headers and host is not None:
        request.authority = host


def is_led_elsewhere(before: Request, after: Request) -> bool:
    """Whether modifiers changed where the request goes."""
    return (after.scheme, after.host, after.port) != (before.scheme, before.host, before.port)


def response_of(response: http.Response) -> Response:
    """The response as modifiers see it."""
    return Response(status=response.status_code, headers=tuple(response.headers.items(multi=True)))


def write_response(response: http.Response, before: Response, after: Response) -> None:
    """Put into the response what modifiers changed."""
    if after is before:
        return
    if after.status != before.status:
        response.status_code = after.status
        response.reason = status_codes.RESPONSES.get(after.status, "")
    response.headers = _headers(list(after.headers))


def write_names_small(message: http.Message) -> None:
    """Name the headers of an HTTP/2 or HTTP/3 message in small letters (RFC 9113 §8.2, RFC 9114 §4.2).

    mitmproxy would do that later, with a line in its log for each name; where its
    `normalize_outbound_headers` is off it would not, and the API would end the connection.
    """
    if message.is_http2 or message.is_http3:
        fields = message.headers.fields
        message.headers.fields = tuple((name.lower(), value) for name, value in fields)


def _server_name(flow: http.HTTPFlow) -> str | None:
    """The TLS name that the client sent inside its tunnel; without a tunnel it names the proxy itself."""
    client = flow.client_conn
    if isinstance(client.proxy_mode, mode_specs.ReverseMode) or flow.server_conn.address is None:
        return None
    return client.sni if flow.request.scheme == "https" and client.tls else None


def _headers(fields: list[tuple[str, str]]) -> http.Headers:
    return http.Headers(
        [
            (name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape"))
            for name, value in fields
        ]
    )
