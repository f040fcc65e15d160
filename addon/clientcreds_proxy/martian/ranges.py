"""Content in the place of an API's: whole, or the part that `Range` asks for."""

import re
from dataclasses import replace
from typing import Literal

from clientcreds_proxy.martian.message import Request, Response, first_value

_RANGES = re.compile(r"bytes=(.*)", re.IGNORECASE | re.DOTALL)
_RANGE = re.compile(
    r"[ \t]*(\d{0,18})[ \t]*-[ \t]*(\d{0,18})[ \t]*", re.ASCII
)  # 18 digits: no body is larger
_COMPLETE = frozenset({200, 206, 416})  # statuses of answers that a range can be taken of, or was


def with_content(response: Response, request: Request, content: bytes, content_type: str) -> Response:
    """The response with this content as its body, or with the part of it that the request asks for.

    An empty content type means the one there is.
    """
    if response.status not in _COMPLETE:
        return response.with_body(content, content_type)
    part, size = _part(request, len(content)), len(content)
    if part is None:
        return replace(response, status=200).with_body(content, content_type)
    status, said, body = 416, f"bytes */{size}", b""
    if part != "none":
        first, last = part
        status, said, body = 206, f"bytes {first}-{last}/{size}", content[first : last + 1]
    answer = replace(response, status=status).with_body(body, content_type)
    return answer.with_headers((*answer.headers, ("Content-Range", said)))


def _part(request: Request, size: int) -> tuple[int, int] | Literal["none"] | None:
    """The first and the last byte that a request asks for; None: all of them (RFC 9110 §14).

    Martian answers 416 to more than one range, and to one that ends before it begins, where the RFC would
    have all of it sent. `If-Range` names another content than this one: all of it, then.
    """
    asked = _RANGES.fullmatch(first_value(request.headers, "range"))
    if asked is None or request.method != "GET" or first_value(request.headers, "if-range"):
        return None
    ranges = [_RANGE.fullmatch(text) for text in asked[1].split(",")]
    bounds = [(found[1], found[2]) for found in ranges if found and (found[1] or found[2])]
    if len(bounds) < len(ranges):
        return None  # no ranges of bytes
    if len(bounds) > 1:
        return "none"
    first, last = bounds[0]
    begin = int(first) if first else max(size - int(last), 0)
    end = min(int(last), size - 1) if first and last else size - 1
    return (begin, end) if begin <= end else "none"
