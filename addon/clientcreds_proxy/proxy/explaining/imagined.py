"""A request that nobody sends, in the form that mitmproxy hands to hooks.

Forward proxying with HTTP/1.1 is imagined, and a client that adds no headers of its own but Host.
"""

from dataclasses import dataclass

from mitmproxy import connection, http
from mitmproxy.net.http import http1
from mitmproxy.net.http.validate import validate_headers

from clientcreds_proxy.errors import ClientcredsError
from clientcreds_proxy.martian.message import Headers
from clientcreds_proxy.rules.url import Url


class NotARequest(ClientcredsError):
    """No client could send it, or mitmproxy itself would not take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imagined:
    """What somebody asks about."""

    method: str
    url: Url
    headers: Headers = ()
    client_address: str = "127.0.0.1"
    client_user: str | None = None  # of mitmproxy's proxyauth


def request_flow(imagined: Imagined) -> http.HTTPFlow:
    """The request; for https as it comes out of its tunnel. Raises a `NotARequest`."""
    url = imagined.url
    names = {name.lower() for name, _ in imagined.headers}
    headers = list(imagined.headers)
    if "host" not in names:
        headers.insert(0, ("Host", url.host_header))
    if url.basic is not None and "authorization" not in names:
        headers.append(("Authorization", url.basic))
    tls = url.destination.scheme == "https"
    if tls:  # those were for the CONNECT
        headers = [header for header in headers if header[0].lower() != "proxy-authorization"]
    flow = _flow(imagined, url.target if tls else str(url), headers)
    if tls:
        flow.client_conn.tls, flow.client_conn.sni = True, url.server_name
        flow.request.scheme = "https"
        flow.request.data.host, flow.request.data.port = url.destination.host, url.destination.port
    flow.request.authority = ""  # as mitmproxy leaves it in regular mode
    return flow


def connect_flow(imagined: Imagined) -> http.HTTPFlow:
    """The CONNECT before it. Raises a `NotARequest`."""
    ours = [header for header in imagined.headers if header[0].lower() == "proxy-authorization"]
    headers = [("Host", imagined.url.authority), *ours]
    return _flow(imagined, imagined.url.authority, headers, method="CONNECT")


def _flow(
    imagined: Imagined, target: str, headers: list[tuple[str, str]], *, method: str | None = None
) -> http.HTTPFlow:
    head = [
        f"{method or imagined.method} {target} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers),
    ]
    here = imagined.url.destination
    client = connection.Client(
        peername=(imagined.client_address, 0),
        sockname=("127.0.0.1", 0),
        state=connection.ConnectionState.OPEN,
    )
    flow = http.HTTPFlow(client, connection.Server(address=(here.host, here.port)), live=True)
    try:
        flow.request = http1.read_request_head([line.encode() for line in head])
        validate_headers(flow.request)
    except ValueError as error:
        raise NotARequest(f"mitmproxy does not take such a request: {error}") from error
    if imagined.client_user is not None:
        flow.metadata["proxyauth"] = (imagined.client_user, "")
    return flow
