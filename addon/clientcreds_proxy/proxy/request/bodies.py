"""Bodies that modifiers put in the place of those that come: what comes is dropped as it arrives.

A body that streams is exchanged on its way; one that does not (none came, or it was read whole) is exchanged
before it goes on. Which of them mitmproxy takes shows only after a head was decided upon, so both are
prepared for each.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from mitmproxy import http

from clientcreds_proxy.martian.message import Response, without

_FRAMING = frozenset({"content-length", "transfer-encoding"})


def instead(body: bytes) -> Callable[[bytes], Iterable[bytes]]:
    """What `request.stream` and `response.stream` take: `body`, once, for all that comes."""
    left = [body] if body else []

    def next_part(_: bytes) -> Iterable[bytes]:
        parts = left[:]
        left.clear()
        return parts  # no empty ones: in HTTP/2 they would be frames

    return next_part


def put(message: http.Request | http.Response, body: bytes) -> None:
    """Make it the message's body, its head being right already; trailers were about the other one."""
    message.data.content = body
    message.trailers = None


def as_sent(before: Response, after: Response, method: str) -> Response:
    """The response as HTTP lets it be: not every status and method has a body (RFC 9110 §6.4.1).

    A 101 is no answer: there another protocol begins, and modifiers have its headers alone.
    """
    if before.status == 101:
        headers = after.headers if after.body is None else without(after.headers, _FRAMING)
        return replace(after, status=101, body=None, headers=headers)
    if after.body is None and after.status == before.status:
        return after
    if _is_empty(after.status):
        return replace(after, body=b"", headers=without(after.headers, _FRAMING))
    if method == "HEAD":
        return replace(after, body=b"")  # the length is that of a GET's answer
    if after.body is None and _is_empty(before.status):
        return replace(after, body=b"", headers=(*without(after.headers, _FRAMING), ("Content-Length", "0")))
    return after


def _is_empty(status: int) -> bool:
    return status < 200 or status in (204, 304)
