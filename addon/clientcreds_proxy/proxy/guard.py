"""The last addon in the chain: what another addon did after us can't lead a token away.

Where it still can, it refuses; where the request is already on its way, `inside/wire.py` takes the token out.
"""

from weakref import WeakKeyDictionary

from mitmproxy import connection, http
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from clientcreds_proxy.proxy.fail_closed import Refuses, fail_closed
from clientcreds_proxy.proxy.inside.wire import Wire
from clientcreds_proxy.proxy.request.attach import look_again
from clientcreds_proxy.proxy.request.passage import Passages

Address = tuple[str, int]


class Guard:
    """Looks at every request that got a token once all other addons have had their turn."""

    name = "clientcreds-guard"

    def __init__(self, passages: Passages, wire: Wire, answering: Refuses) -> None:
        self._passages = passages
        self._wire = wire
        self.refuse = answering.refuse
        self.meet_upload = answering.meet_upload
        self.report = answering.report
        self._expected: WeakKeyDictionary[connection.Server, Address | None] = WeakKeyDictionary()

    def expect(self, server: connection.Server) -> None:
        """Note where a connection is to lead, before other addons have their turn."""
        self._expected[server] = server.address

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """After all others: a connection leads where the request that asked for it is to go."""
        if data.server.address != self._expected.pop(data.server, data.server.address):
            data.server.error = "clientcreds: another addon led the connection to another server"

    @fail_closed
    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """After all others: the last look at a request whose body streams."""
        self._look(flow)

    @fail_closed
    async def request(self, flow: http.HTTPFlow) -> None:
        """After all others: the last look at a request whose body was read."""
        self._look(flow)

    def _look(self, flow: http.HTTPFlow) -> None:
        passage = self._passages.of(flow)
        if passage is None or passage.decision is None or not passage.placeholders:
            return
        if flow.response is not None:
            # another addon answers; beside `stream` that would crash mitmproxy's layer
            flow.request.stream = False
            return
        if any(self._wire.has_written(placeholder) for placeholder in passage.placeholders):
            return  # it streams: nothing leads it elsewhere any more
        look_again(flow, passage, passage.decision, "another addon")
