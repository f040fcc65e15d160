"""`body.Modifier`: a body of the file's in place of the one that came; `Range` is answered from it."""

from base64 import b64decode
from dataclasses import dataclass, field

from clientcreds_proxy.martian.checks import value_problem
from clientcreds_proxy.martian.fields import Fields, Kind
from clientcreds_proxy.martian.message import Request, Response
from clientcreds_proxy.martian.modifier import Leaf, Modifier
from clientcreds_proxy.martian.ranges import with_content


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
        return with_content(response, request, self.body, self.content_type)


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
