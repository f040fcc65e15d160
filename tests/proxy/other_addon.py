"""A second script beside ours: does to a request what its path names, as other people's addons might."""

import os

from mitmproxy import ctx, http
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

ELSEWHERE = int(os.environ.get("ELSEWHERE", "0"))  # a port of 127.0.0.1


class Other:
    """Runs after ours."""

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        path = flow.request.path
        if "/headers-host" in path:
            lead_away(flow)
        if "/host-header" in path:
            flow.request.host_header = "evil.test"
        if "/copy" in path:
            flow.request.headers["X-Copy"] = flow.request.headers["Authorization"]
        if "/stream" in path:
            flow.request.stream = True
        if "/answer" in path:
            flow.response = http.Response.make(218, b"mine")
        if "/late" in path:
            ctx.master.event_loop.call_soon(lead_away, flow)
        if "/raise" in path:
            raise ValueError("a bug of another addon")

    def request(self, flow: http.HTTPFlow) -> None:
        if "/request-host" in flow.request.path:
            lead_away(flow)
        if "/request-scheme" in flow.request.path:
            flow.request.scheme = "http"

    def server_connect(self, data: ServerConnectionHookData) -> None:
        if os.environ.get("REDIRECT"):
            data.server.address = ("127.0.0.1", ELSEWHERE)


def lead_away(flow: http.HTTPFlow) -> None:
    """Send the request to another server."""
    flow.request.host = "127.0.0.1"
    flow.request.port = ELSEWHERE


addons = [Other()]
