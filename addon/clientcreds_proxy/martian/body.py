"""`body.Modifier`: a body of the file's in place of the one that came; `Range` is answered from it."""

import re
from base64 import b64decode
from dataclasses import dataclass, field, replace
from typing import Literal

from clientcreds_proxy.martian.checks import value_problem
from clientcreds_proxy.martian.fields import Fields, Kind
from clientcreds_proxy.martian.message import Request, Response, first_value
from clientcreds_proxy.martian.modifier import Leaf, Modifier

_RANGES = re.compile(r"bytes=(.*)", re.IGNORECASE | re.DOTALL)
_RANGE = re.compile(
    r"[ \t]*(\d{0,18})[ \t]*-[ \t]*(\d{0,18})[ \t]*", re.ASCII
)  # 18 digits: no body is larger
_COMPLETE = frozenset({200, 206, 416})  # statuses of answers that a range can be taken of, or was


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceBody(Leaf):
    """`body.Modifier`: this body. Without a content type, the message's own stays."""

    body: bytes = field(repr=False)
    content_type: str

    def change_request(self, request: Request) -> Request:
        """The request with this body, whatever its method."""
        return request.with_body(self.body, self.content_type)

    def change_response(self, response: Response, request: Request) -> Response:
        """The response with this body, or with the part of it that the request asks for."""
        part = _part(request, len(self.body)) if response.status in _COMPLETE else None
        size = len(self.body)
        if part is None:
            status = 200 if response.status in _COMPLETE else response.status
            return replace(response, status=status).with_body(self.body, self.content_type)
        status, said, body = 416, f"bytes */{size}", b""
        if part != "none":
            first, last = part
            status, said, body = 206, f"bytes {first}-{last}/{size}", self.body[first : last + 1]
        answer = replace(response, status=status).with_body(body, self.content_type)
        return answer.with_headers((*answer.headers, ("Content-Range", said)))


def _part(request: Request, size: int) -> tuple[int, int] | Literal["none"] | None:
    """The first and the last byte that a request asks for; None: all of them (RFC 9110 §14).

    Martian answers 416 to more than one range, and to one that ends before it begins, where the RFC would
    have all of it sent. `If-Range` names another body than this one: all of it, then.
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


def _modifier(fields: Fields) -> Modifier:
    return ReplaceBody(
        phases=fields.phases,
        body=_decoded(fields.checked("body", _base64_problem)),
        content_type=fields.optional("contentType", value_problem).strip(" \t"),
    )


def _base64_problem(text: str) -> str | None:
    try:
        _decoded(text)
    except ValueError:
        return "not Base64 (RFC 4648 §4): expected groups of four of A-Z, a-z, 0-9, + and /, filled up with ="
    return None


def _decoded(text: str) -> bytes:
    return b64decode(text.replace("\r", "").replace("\n", ""), validate=True)


KINDS = (Kind(name="body.Modifier", build=_modifier),)
