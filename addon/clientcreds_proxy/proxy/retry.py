"""A first 401 on our token: whether the request can be sent once more, and sending it.

The second request goes the way of the first (upstream mode, client certificates, TLS options), through
mitmproxy's own `ReplayHandler` on a copy of the flow; no addon sees the copy. What came back takes the place
of the first answer in the flow. It is read whole: mitmproxy can't hand the stream of one upstream connection
to the flow of another, so requests whose answer must stream are never sent again.
"""

import asyncio
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mitmproxy import ctx, flow, http
from mitmproxy.addons.clientplayback import ReplayHandler
from mitmproxy.proxy import commands, layers
from mitmproxy.proxy.layers.http import (
    HttpErrorHook,
    HttpResponseHook,
    HttpStream,
    ResponseData,
    ResponseEndOfMessage,
    ResponseProtocolError,
)

from clientcreds_proxy.proxy.attach import HELD_BODY

if TYPE_CHECKING:
    from mitmproxy.proxy.layer import Layer

ANSWER_SECONDS = 1.0  # a first 401 whose body takes longer than this …
ANSWER_BYTES = 64 * 1024  # … or is larger, is passed on as it is
SECOND_ANSWER_BYTES = 64 * 1024 * 1024  # more is not kept for a client: it gets the first 401
_LOOK_AGAIN_SECONDS = 0.005


def can_be_sent_again(request: http.Request) -> bool:
    """Whether all of the request is still here, and its answer need not stream."""
    accept = request.headers.get("accept", "").lower()
    content_type = request.headers.get("content-type", "").lower()
    return (
        request.raw_content is not None  # also a body that streamed may be here: `store_streamed_bodies`
        and len(request.raw_content) <= HELD_BODY
        and "upgrade" not in request.headers
        and "text/event-stream" not in accept
        and not content_type.startswith("application/grpc")
    )


async def hold_back(first: http.HTTPFlow) -> bytes | None:
    """The whole body of this answer; None where it is not here, whole and small, within `ANSWER_SECONDS`.

    To be awaited in `responseheaders`: while that hook waits, mitmproxy queues the body's events in the
    flow's stream. Buffering and looking afterwards would be simpler, but a buffered answer can't be turned
    into a streamed one any more, and one without an end would keep the client waiting for ever.

    The body is taken out of the queue, so that `stream_large_bodies` can't begin to stream it.
    """
    stream = _stream_of(first)
    deadline = asyncio.get_running_loop().time() + ANSWER_SECONDS
    while stream is not None:
        queue = stream._paused_event_queue  # noqa: SLF001 - the one place where the body can be seen
        pieces = [event for event in queue if isinstance(event, ResponseData)]
        if sum(len(piece.data) for piece in pieces) > ANSWER_BYTES:
            return None
        if any(isinstance(event, ResponseProtocolError) for event in queue):
            return None
        if any(isinstance(event, ResponseEndOfMessage) for event in queue):
            for piece in pieces:
                queue.remove(piece)
            return b"".join(piece.data for piece in pieces)
        if asyncio.get_running_loop().time() >= deadline:
            return None
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    return None


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
        super().__init__(second, ctx.options)
        self.answer: http.Response | None = None
        self._body = bytearray()
        if second.request.scheme == "https":
            # ReplayHandler takes `pretty_host`, which is what the client wrote into its Host header
            self.layer.context.server.sni = second.request.host

    async def handle_hook(self, hook: commands.StartHook) -> None:
        (data,) = hook.args()
        if not isinstance(data, flow.Flow):  # TLS and connection hooks: the addons decide as for the first
            await ctx.master.addons.handle_lifecycle(hook)
        elif isinstance(hook, HttpErrorHook):
            self.done.set()
        elif self.flow.response is not None:
            self._listen(self.flow.response, ended=isinstance(hook, HttpResponseHook))

    def _listen(self, response: http.Response, *, ended: bool) -> None:
        if ended:
            response.raw_content = bytes(self._body)
            self.answer = response
        elif not response.headers.get("content-type", "").startswith("text/event-stream"):
            response.stream = self._take  # for mitmproxy drops what `stream_large_bodies` streams
            return
        self.done.set()

    def _take(self, piece: bytes) -> bytes:
        self._body += piece
        if len(self._body) > SECOND_ANSWER_BYTES:
            self.done.set()
        return b""

    def log(self, message: str, level: int = logging.INFO, exc_info: Any = None) -> None:
        super().log(message, min(level, logging.DEBUG) if exc_info is None else level, exc_info)

    def close(self) -> None:
        """Close the upstream connection, whatever became of the request."""
        for io in self.transports.values():
            if io.handler:
                io.handler.cancel("sent again")


def _stream_of(first: http.HTTPFlow) -> HttpStream | None:
    handler = ctx.master.addons.get("proxyserver").connections.get(first.client_conn.id)
    if handler is None:
        return None
    streams = _streams_among(handler.layer.context.layers)
    return next((stream for stream in streams if getattr(stream, "flow", None) is first), None)


def _streams_among(stack: "list[Layer]") -> Iterator[HttpStream]:
    """All HTTP streams of a connection: below a CONNECT there are further layers, and streams in them."""
    for layer in stack:
        if isinstance(layer, layers.HttpLayer):
            for stream in layer.streams.values():
                yield stream
                inside = stream.context.layers
                yield from _streams_among(inside[inside.index(stream) + 1 :])
