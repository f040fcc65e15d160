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

Which = Literal["request", "response"]

_LOOK_AGAIN_SECONDS = 0.005
_PARTS: dict[Which, tuple[Any, Any, Any]] = {
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


def tunnel_of(flow: http.HTTPFlow) -> http.HTTPFlow | None:
    """The CONNECT in whose tunnel this request came; None where there is none."""
    _, stream = _place_of(flow)
    around = stream.context.layers[: stream.context.layers.index(stream)] if stream is not None else []
    connects = [layer.flow for layer in around if isinstance(layer, HttpStream)]
    return connects[-1] if connects else None


def decide_alone(flow: http.HTTPFlow) -> None:
    """Let nothing but `request.stream` and `response.stream` decide what streams in this flow."""
    if ctx.options.stream_large_bodies is None:
        return
    _, stream = _place_of(flow)
    if stream is not None:
        # each stream has a context of its own
        stream.context.options = overruled(ctx.options, stream_large_bodies=None)


async def ends_soon(flow: http.HTTPFlow, which: Which, *, seconds: float, size: int) -> bool:
    """Whether a body is here, whole and no larger than `size` bytes, within so many seconds.

    To be awaited in `requestheaders` or `responseheaders`: while that hook waits, mitmproxy queues the body's
    events in the flow's stream. Reading the body first and looking afterwards would be simpler, but one
    without an end would keep the other side waiting for ever.
    """
    data, end, broken = _PARTS[which]
    _, stream = _place_of(flow)
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


def announced_size(request: http.Request) -> int | None:
    """Bytes of the body as the head announces it; None: unknown (chunked, or an HTTP/2 stream left open)."""
    if "content-length" in request.headers:
        return int(request.headers["content-length"])  # mitmproxy has refused what is no number
    if request.is_http2 or request.is_http3 or "transfer-encoding" in request.headers:
        return None
    return 0


def kept(flow: http.HTTPFlow, which: Which) -> int:
    """How many bytes of a body have come and could not go on."""
    layer, stream = _place_of(flow)
    if layer is None or stream is None:
        return 0
    data = _PARTS[which][0]
    queued = sum(len(event.data) for event in stream._paused_event_queue if isinstance(event, data))  # noqa: SLF001
    towards = layer.connections.get(flow.server_conn if which == "request" else flow.client_conn)
    http2 = getattr(towards, "h2_conn", None)
    if http2 is None:
        return queued  # HTTP/1 writes at once
    buffers = (
        list(http2.stream_buffers.values())
        if which == "request"
        else [http2.stream_buffers.get(stream.stream_id, ())]
    )
    return queued + sum(len(piece.data) for buffer in buffers for piece in buffer)


def has_unsent() -> bool:
    """Whether there is a client that has not taken all that is meant for it."""
    for handler in ctx.master.addons.get("proxyserver").connections.values():
        io = handler.transports.get(handler.client)
        if io and io.writer and io.writer.transport.get_write_buffer_size():
            return True
        for layer in _http_layers(handler.layer.context.layers):
            http2 = getattr(layer.connections.get(handler.client), "h2_conn", None)
            if http2 is not None and any(http2.stream_buffers.values()):
                return True
    return False


def _place_of(flow: http.HTTPFlow) -> tuple[layers.HttpLayer, HttpStream] | tuple[None, None]:
    """The layer of this flow and the one around it; nothing where its client has gone."""
    handler = ctx.master.addons.get("proxyserver").connections.get(flow.client_conn.id)
    for layer in _http_layers(handler.layer.context.layers) if handler else ():
        for stream in layer.streams.values():
            if getattr(stream, "flow", None) is flow:
                return layer, stream
    return None, None


def _http_layers(stack: "list[Layer]") -> Iterator[layers.HttpLayer]:
    """All HTTP layers of a connection: below a CONNECT there are further ones."""
    for layer in stack:
        if isinstance(layer, layers.HttpLayer):
            yield layer
            for stream in layer.streams.values():
                inside = stream.context.layers
                yield from _http_layers(inside[inside.index(stream) + 1 :])
