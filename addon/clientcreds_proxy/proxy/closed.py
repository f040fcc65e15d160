"""What stands in the addon's place from when mitmproxy unloads it until it is loaded again.

mitmproxy runs the script again when it is touched. Where that fails (a syntax error, a bad configuration), it
goes on without the addon, and would forward every request as it stands.
"""

from mitmproxy import http
from mitmproxy.addonmanager import AddonManager
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from clientcreds_proxy.errors import InternalError
from clientcreds_proxy.proxy import refusal
from clientcreds_proxy.proxy.inside import streams


class Closed:
    """Refuses everything."""

    name = "clientcreds-closed"

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """Refuse a tunnel."""
        flow.response = refusal.answer_connect(_unloaded())

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Refuse a request, also one in a tunnel that was opened before."""
        if flow.live and not flow.error:
            refusal.refuse(flow, _unloaded())
            await refusal.meet_upload(flow, streams.announced_size(flow.request))

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """Refuse a connection in modes that have neither."""
        data.server.error = "clientcreds: internal_error"


def stand_in(addons: AddonManager) -> None:
    """Let nothing pass, whatever addons follow."""
    if Closed.name not in addons.lookup:
        addons.chain.insert(0, addons.register(Closed()))


def step_aside(addons: AddonManager) -> None:
    """The addon is there again."""
    closed = addons.get(Closed.name)
    if closed is not None:
        addons.remove(closed)


def _unloaded() -> refusal.Refused:
    return refusal.Refused(
        refusal=InternalError(
            "clientcreds could not be loaded again after its script changed; the proxy's log says why"
        )
    )
