"""mitmproxy's layer of one request: found by its flow, and freed from `stream_large_bodies`.

What streams and what is held is decided by us for every ruled request. That option knows nothing of it: above
its size mitmproxy begins to stream whatever was decided, and crashes where a refusal waits for the upload.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from mitmproxy import ctx, http
from mitmproxy.options import Options
from mitmproxy.proxy import layers
from mitmproxy.proxy.layers.http import HttpStream

if TYPE_CHECKING:
    from mitmproxy.proxy.layer import Layer


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
    stream = stream_of(flow)
    if stream is not None:
        # each stream has a context of its own
        stream.context.options = overruled(ctx.options, stream_large_bodies=None)


def stream_of(flow: http.HTTPFlow) -> HttpStream | None:
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
