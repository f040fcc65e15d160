"""The last addon in the chain: what another addon did after us can't lead a token away.

Where it still can, it refuses; where the request is already on its way, `wire.py` takes the token out.
"""

from collections.abc import Callable

from mitmproxy import http

from clientcreds_proxy.errors import DestinationMismatch, Refusal
from clientcreds_proxy.proxy.facts import destination_of
from clientcreds_proxy.proxy.passage import Passages

Refuse = Callable[[http.HTTPFlow, Refusal], None]


class Guard:
    """Looks at every request that got a token once all other addons have had their turn."""

    name = "clientcreds-guard"

    def __init__(self, passages: Passages, refuse: Refuse) -> None:
        self._passages = passages
        self._refuse = refuse

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """After all others: the last look at a request whose body streams."""
        self._look(flow)

    def request(self, flow: http.HTTPFlow) -> None:
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
        there = destination_of(flow)
        if there != passage.decision.destination:
            self._refuse(
                flow,
                DestinationMismatch(
                    f"another addon led the request to {there.scheme}://{there.host}:{there.port}"
                ),
            )
