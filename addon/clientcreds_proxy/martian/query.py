"""`querystring.Modifier` and `querystring.Filter`. Queries are read and written as Go's net/url does it."""

import re
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes, unquote_to_bytes

from clientcreds_proxy.martian.fields import Fields, Kind
from clientcreds_proxy.martian.filters import filtered
from clientcreds_proxy.martian.message import Request, Response
from clientcreds_proxy.martian.modifier import REQUEST, Leaf, Modifier

Pair = tuple[bytes, bytes]

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def pairs(query: str) -> list[Pair]:
    """What a query says, in its order. A part with `;` or a broken escape says nothing, as in Go."""
    found: list[Pair] = []
    for part in query.split("&"):
        if part and ";" not in part and not _BAD_ESCAPE.search(part):
            name, _, value = part.partition("=")
            found.append((_decoded(name), _decoded(value)))
    return found


def written(said: list[Pair]) -> str:
    """A query that says this: sorted by name, those of one name in their order; a blank is `+`."""
    ordered = sorted(said, key=lambda pair: pair[0])
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in ordered)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetParameter(Leaf):
    """`querystring.Modifier`: one value in place of all there are; the whole query is written anew."""

    name: bytes
    value: bytes = field(repr=False)  # it may come from a secret

    def change_request(self, request: Request) -> Request:
        """The request with this parameter."""
        others = [pair for pair in pairs(request.query) if pair[0] != self.name]
        return request.with_target(request.path, written([*others, (self.name, self.value)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterIs:
    """The request's query has this parameter, with this value where one is given."""

    name: bytes
    value: bytes = field(repr=False)  # empty: any

    def holds_for_request(self, request: Request) -> bool:
        """Whether one of its values is this one."""
        return any(name == self.name and self.value in (b"", value) for name, value in pairs(request.query))

    def holds_for_response(self, response: Response, request: Request) -> bool:  # noqa: ARG002 - Condition's form
        """The same of the request that the response answers."""
        return self.holds_for_request(request)


def _modifier(fields: Fields) -> Modifier:
    name, value = fields.text("name").encode(), fields.text("value").encode()
    return SetParameter(phases=fields.phases, name=name, value=value)


def _filter(fields: Fields) -> Modifier:
    name = fields.text("name").encode()
    return filtered(fields, ParameterIs(name=name, value=fields.optional("value", lambda _: None).encode()))


def _decoded(text: str) -> bytes:
    return unquote_to_bytes(text.replace("+", " ").encode(errors="surrogateescape"))


def _encoded(text: bytes) -> str:
    return quote_from_bytes(text, safe=" ").replace(" ", "+")


KINDS = (
    Kind(name="querystring.Modifier", build=_modifier, phases=REQUEST),
    Kind(name="querystring.Filter", build=_filter),
)
