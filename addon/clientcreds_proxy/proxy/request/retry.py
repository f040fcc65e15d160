"""A first 401 on our token: whether the request can be sent once more, and sending it.

The second request goes the way of the first (upstream mode, client certificates, TLS options), through
mitmproxy's own `ReplayHandler` on a copy of the flow; no addon sees the copy. What came back takes the place
of the first answer in the flow. It is read whole: mitmproxy can't hand the stream of one upstream connection
to the flow of another, so requests whose answer must stream are never sent again.
"""

import asyncio
import logging
from typing import Any

from mitmproxy import ctx, flow, http
from mitmproxy.addons.clientplayback import ReplayHandler
from mitmproxy.proxy import commands
from mitmproxy.proxy.layers.http import (
    HttpErrorHook,
    HttpResponseHook,
)

from clientcreds_proxy.proxy.inside import streams
from clientcreds_proxy.proxy.request.modify import HELD_BODY

ANSWER_SECONDS = 1.0  # a first 401 whose body takes longer than this …
ANSWER_BYTES = 64 * 1024  # … or is larger, is passed on as it is
SECOND_ANSWER_SIZE = "64m"  # more is not kept for a client: it gets the first 401


def can_be_sent_again(request: http.Request, body: bytes | None) -> bool:
    """Whether all of the request is still here, and its answer need not stream.

    `body` is what was sent in place of the client's.
    """
    held = request.raw_content if body is None else body
    accept = request.headers.get("accept", "").lower()
    content_type = request.headers.get("content-type", "").lower()
    return (
        held is not None  # also a body that streamed may be here: `store_streamed_bodies`
        and len(held) <= HELD_BODY
        and "upgrade" not in request.headers
        and "text/event-stream" not in accept
        and not content_type.startswith("application/grpc")
    )


async def ends_soon(first: http.HTTPFlow) -> bool:
    """Whether the body of this answer is here, whole and small, within `ANSWER_SECONDS`."""
    return await streams.ends_soon(first, "response", seconds=ANSWER_SECONDS, size=ANSWER_BYTES)


async def send_again(first: http.HTTPFlow, request: http.Request) -> http.Response | None:
    """The answer to `request` on a connection like the first one's.

    None where it does not come whole: the connection broke, it is an event stream, it is too large.
    """
    second = first.copy()
    second.request = request
    second.response = second.error = None
    second.websocket = None
    sender = _Sender(second)
    try:
        async with asyncio.timeout(ctx.options.tcp_timeout):
            await sender.replay()
    except TimeoutError:
        return None
    finally:
        sender.close()
    return sender.answer


class _Sender(ReplayHandler):
    """A `ReplayHandler` that runs no addon's HTTP hooks and names the server by the destination alone."""

    def __init__(self, second: http.HTTPFlow) -> None:
        limit = ctx.options.body_size_limit or SECOND_ANSWER_SIZE
        super().__init__(
            second, streams.overruled(ctx.options, stream_large_bodies=None, body_size_limit=limit)
        )
        self.answer: http.Response | None = None
        if second.request.scheme == "https":
            # ReplayHandler takes `pretty_host`, which is what the client wrote into its Host header
            self.layer.context.server.sni = second.request.host

    async def handle_hook(self, hook: commands.StartHook) -> None:
        (data,) = hook.args()
        if not isinstance(data, flow.Flow):  # TLS and connection hooks: the addons decide as for the first
            await ctx.master.addons.handle_lifecycle(hook)
        elif isinstance(hook, HttpResponseHook):
            self.answer = self.flow.response
            self.done.set()
        elif isinstance(hook, HttpErrorHook) or _has_no_end(self.flow.response):
            self.done.set()

    def log(self, message: str, level: int = logging.INFO, exc_info: Any = None) -> None:
        super().log(message, min(level, logging.DEBUG) if exc_info is None else level, exc_info)

    def close(self) -> None:
        """Close the upstream connection, whatever became of the request."""
        for io in self.transports.values():
            if io.handler:
                io.handler.cancel("sent again")


def _has_no_end(response: http.Response | None) -> bool:
    """Whether this is an event stream: read whole, it would keep the client waiting for ever."""
    return response is not None and response.headers.get("content-type", "").startswith("text/event-stream")
