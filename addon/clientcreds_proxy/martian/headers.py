"""Martian's header modifiers: `header.Modifier`, `.Append`, `.Blacklist`, `.Copy` and `.Id`.

What HTTP itself needs of a header (framing, the connection) is out of their reach: see `checks.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from clientcreds_proxy.martian.checks import (
    copy_problem,
    name_problem,
    removal_problem,
    single_problem,
    write_problem,
)
from clientcreds_proxy.martian.fields import Fields, Kind
from clientcreds_proxy.martian.message import (
    Headers,
    Request,
    Response,
    first_value,
    with_value,
    without,
)
from clientcreds_proxy.martian.modifier import REQUEST, RESPONSE, Leaf, Modifier, Phases
from clientcreds_proxy.martian.problem import Path, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderChange(Leaf, ABC):
    """What all of them share: headers go in, headers come out."""

    @abstractmethod
    def changed(self, headers: Headers) -> Headers:
        """The headers as they go on: the same tuple where nothing changes."""

    def change_request(self, request: Request) -> Request:
        """The request with the changed headers. A changed Host does not change the destination."""
        return request.with_headers(self.changed(request.headers))

    def change_response(self, response: Response, request: Request) -> Response:  # noqa: ARG002 - Leaf's form
        """The response with the changed headers."""
        return response.with_headers(self.changed(response.headers))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetHeader(HeaderChange):
    """`header.Modifier`: one value in place of all there are."""

    name: str
    value: str = field(repr=False)  # it may come from a secret
    at: Path  # of the value

    def changed(self, headers: Headers) -> Headers:
        """The headers with this value alone."""
        return with_value(headers, self.name, self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendHeader(HeaderChange):
    """`header.Append`: one value more."""

    name: str
    value: str = field(repr=False)

    def changed(self, headers: Headers) -> Headers:
        """The headers with this value behind them."""
        return (*headers, (self.name, self.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveHeaders(HeaderChange):
    """`header.Blacklist`: these are gone, whatever their values."""

    keys: frozenset[str]  # names in lower case

    def changed(self, headers: Headers) -> Headers:
        """The headers without these."""
        return without(headers, self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyHeader(HeaderChange):
    """`header.Copy`: the first value of one header becomes the only one of another.

    Where the first is missing, the other becomes empty: KrakenD does so, and a value that the client sent
    under the other name never passes for a copy.
    """

    source: str
    target: str
    at: Path  # of the target

    def changed(self, headers: Headers) -> Headers:
        """The headers with the copy."""
        return with_value(headers, self.target, first_value(headers, self.source.lower()))


@dataclass(frozen=True, slots=True, kw_only=True)
class IdHeader(HeaderChange):
    """`header.Id`: a random UUID, unless the client sent an id of its own."""

    name: str
    new_id: Callable[[], UUID]

    def changed(self, headers: Headers) -> Headers:
        """The headers with an id."""
        if first_value(headers, self.name.lower()):
            return headers
        return with_value(headers, self.name, str(self.new_id()))


def _modifier(fields: Fields) -> Modifier:
    if _names_connection(fields):
        return _end_here(fields)
    name = fields.checked("name", write_problem)
    value = fields.header_value("value")
    return SetHeader(name=name, value=value, at=fields.path_of("value"), phases=_phases(fields, name))


def _append(fields: Fields) -> Modifier:
    if _names_connection(fields):
        return _end_here(fields)
    name = fields.checked("name", single_problem)
    return AppendHeader(name=name, value=fields.header_value("value"), phases=fields.phases)


def _blacklist(fields: Fields) -> Modifier:
    keys = frozenset(name.lower() for name in fields.header_names("names", removal_problem))
    return RemoveHeaders(keys=keys, phases=fields.phases)


def _copy(fields: Fields) -> Modifier:
    source = fields.checked("from", copy_problem)
    target = fields.checked("to", write_problem)
    return CopyHeader(source=source, target=target, at=fields.path_of("to"), phases=_phases(fields, target))


def _id(fields: Fields) -> Modifier:
    name = "X-Krakend-Id"
    if fields.value("header") not in (None, ""):
        name = fields.checked("header", single_problem)
    return IdHeader(name=name, new_id=fields.tree.new_id, phases=fields.phases)


def _phases(fields: Fields, name: str) -> Phases:
    """The phases in which a header can be set: a response has no Host, and Martian ignores it there."""
    return fields.phases - RESPONSE if name.lower() == "host" else fields.phases


def _names_connection(fields: Fields) -> bool:
    name = fields.value("name")
    return isinstance(name, str) and name.lower() == "connection"


def _end_here(fields: Fields) -> Modifier:
    """A `Connection` that a modifier writes: the headers it lists end here, and so does it.

    That is what a proxy owes the field (RFC 9110 §7.6.1). KrakenD sends it on, together with what it lists.
    """
    names = [name.strip(" \t") for name in fields.header_value("value").split(",")]
    for name in filter(None, names):
        if problem := _end_problem(name):
            fields.report("value", problem)
    return RemoveHeaders(keys=frozenset(name.lower() for name in names), phases=fields.phases)


def _end_problem(name: str) -> str | None:
    if name.lower() in ("close", "host") or write_problem(name):
        return name_problem(name) or f"'Connection' may only list headers that end here, {shown(name)} can't"
    return None


KINDS = (
    Kind(name="header.Modifier", build=_modifier),
    Kind(name="header.Append", build=_append),
    Kind(name="header.Blacklist", build=_blacklist),
    Kind(name="header.Copy", build=_copy),
    Kind(name="header.Id", build=_id, phases=REQUEST),
)
