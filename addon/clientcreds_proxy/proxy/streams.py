"""mitmproxy's layer of one request: looked into while a hook waits, and freed from `stream_large_bodies`.

What streams and what is held is decided by us for every ruled request. That option knows nothing of it: above
its size mitmproxy begins to stream whatever was decided, and crashes where a refusal waits for the upload.
"""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, cast

from mitmproxy import ctx, http
from mitmproxy.options import Options
from mitmproxy.proxy import layers
from mitmproxy.proxy.layers.http import (
    HttpStream,
    RequestData,
    RequestEndOfMessage,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseProtocolError,
)

if TYPE_CHECKING:
    from mitmproxy.proxy.layer import Layer

_LOOK_AGAIN_SECONDS = 0.005
_PARTS: dict[str, tuple[Any, Any, Any]] = {
    "request": (RequestData, RequestEndOfMessage, RequestProtocolError),
    "response": (ResponseData, ResponseEndOfMessage, ResponseProtocolError),
}


class _Overruled:
    """mitmproxy's options, some of them with other values."""

    def __init__(self, options: Options, instead: dict[str, str | None]) -> None:
        self._options = options
        self.__dict__.update(instead)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._options, name)


def overruled(options: Options, **instead: str | None) -> Options:
    """The options as they are now and later, but for these."""
    return cast("Options", _Overruled(options, instead))


def decide_alone(flow: http.HTTPFlow) -> None:
    """Let nothing but `request.stream` and `response.stream` decide what streams in this flow."""
    if ctx.options.stream_large_bodies is None:
        return
    stream = _stream_of(flow)
    if stream is not None:
        # each stream has a context of its own
        stream.context.options = overruled(ctx.options, stream_large_bodies=None)


async def ends_soon(
    flow: http.HTTPFlow, which: Literal["request", "response"], *, seconds: float, size: int
) -> bool:
    """Whether a body is here, whole and no larger than `size` bytes, within so many seconds.

    To be awaited in `requestheaders` or `responseheaders`: while that hook waits, mitmproxy queues the body's
    events in the flow's stream. Reading the body first and looking afterwards would be simpler, but one
    without an end would keep the other side waiting for ever.
    """
    data, end, broken = _PARTS[which]
    stream = _stream_of(flow)
    deadline = asyncio.get_running_loop().time() + seconds
    while stream is not None:
        queued = list(stream._paused_event_queue)  # noqa: SLF001 - the one place where the body can be seen
        if sum(len(event.data) for event in queued if isinstance(event, data)) > size:
            return False
        if any(isinstance(event, end) for event in queued):
            return True
        if any(isinstance(event, broken) for event in queued):
            return False
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    return False


def _stream_of(flow: http.HTTPFlow) -> HttpStream | None:
    """The layer of this flow; None where its client has gone."""
    handler = ctx.master.addons.get("proxyserver").connections.get(flow.client_conn.id)
    if handler is None:
        return None
    streams = _streams_among(handler.layer.context.layers)
    return next((stream for stream in streams if getattr(stream, "flow", None) is flow), None)


def _streams_among(stack: "list[Layer]") -> Iterator[HttpStream]:
    """All HTTP streams of a connection: below a CONNECT there are further layers, and streams in them."""
    for layer in stack:
        if isinstance(layer, layers.HttpLayer):
            for stream in layer.streams.values():
                yield stream
                inside = stream.context.layers
                yield from _streams_among(inside[inside.index(stream) + 1 :])
