"""What all of Martian's filters share, and those on headers: `header.Filter` and `header.RegexFilter`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import re2

from clientcreds_proxy.martian.checks import name_problem
from clientcreds_proxy.martian.fields import Fields, Kind
from clientcreds_proxy.martian.message import Headers, Request, Response, first_value, values
from clientcreds_proxy.martian.modifier import Modifier


class Pattern(Protocol):
    """A compiled regular expression of RE2: its time grows with the text alone, whatever it says."""

    def search(self, text: bytes) -> object:
        """A match anywhere in the text, or None."""
        ...


class Condition(Protocol):
    """What a filter asks of a message."""

    def holds_for_request(self, request: Request) -> bool:
        """Whether a request has what it takes."""
        ...

    def holds_for_response(self, response: Response, request: Request) -> bool:
        """Whether a response has what it takes; `request` is the one that was sent."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One modifier where the condition holds, the other where it does not."""

    condition: Condition
    then: Modifier
    otherwise: Modifier | None

    @property
    def changes_requests(self) -> bool:
        """Whether either branch does."""
        return any(child.changes_requests for child in self.children())

    @property
    def changes_responses(self) -> bool:
        """Whether either branch does."""
        return any(child.changes_responses for child in self.children())

    def modify_request(self, request: Request) -> Request:
        """The request as the branch leaves it."""
        branch = self.then if self.condition.holds_for_request(request) else self.otherwise
        return request if branch is None else branch.modify_request(request)

    def modify_response(self, response: Response, request: Request) -> Response:
        """The response as the branch leaves it."""
        branch = self.then if self.condition.holds_for_response(response, request) else self.otherwise
        return response if branch is None else branch.modify_response(response, request)

    def children(self) -> Iterator[Modifier]:
        """Both branches."""
        yield self.then
        if self.otherwise is not None:
            yield self.otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderIs:
    """A header has exactly this value, among others or alone; without a value: it is there."""

    key: str  # its name in lower case
    value: str | None = field(repr=False)

    def holds_for_request(self, request: Request) -> bool:
        """Whether the request's header has it."""
        return self._holds(request.headers)

    def holds_for_response(self, response: Response, request: Request) -> bool:  # noqa: ARG002 - Condition's form
        """Whether the response's header has it."""
        return self._holds(response.headers)

    def _holds(self, headers: Headers) -> bool:
        return any(self.value in (None, value) for value in values(headers, self.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderMatches:
    """The first value of a request's header matches somewhere; an empty one never does."""

    key: str  # its name in lower case
    pattern: Pattern

    def holds_for_request(self, request: Request) -> bool:
        """Whether the request's header matches."""
        value = first_value(request.headers, self.key)
        # Bytes that are no UTF-8 stand in a value as lone surrogates: each counts as one other character.
        return bool(value) and self.pattern.search(value.encode(errors="replace")) is not None

    def holds_for_response(self, response: Response, request: Request) -> bool:  # noqa: ARG002 - Condition's form
        """Whether the header of the request matches that the response answers, as in Martian."""
        return self.holds_for_request(request)


def filtered(fields: Fields, condition: Condition, *, has_else: bool = True) -> Modifier:
    """The filter of a condition, with the branches that stand beside it."""
    then = fields.child("modifier")
    otherwise = fields.child("else") if has_else and fields.has("else") else None
    return Filter(condition=condition, then=then, otherwise=otherwise)


def pattern_of(fields: Fields) -> Pattern:
    """What stands under `regex`."""
    options = re2.Options()
    options.log_errors = False  # they go into the message, not to stderr
    options.never_capture = True  # nobody reads the groups
    text = fields.text("regex")
    try:
        return _compiled(text, options)
    except re2.error as error:
        words = error.args[0].decode(errors="replace")
        fields.report("regex", f"not a regular expression of RE2: {words}")
        return _compiled("", options)


def _filter(fields: Fields) -> Modifier:
    key = fields.checked("name", name_problem).lower()
    value = None if fields.value("value") is None else fields.header_value("value")
    return filtered(fields, HeaderIs(key=key, value=value))


def _regex_filter(fields: Fields) -> Modifier:
    key = fields.checked("header", name_problem).lower()
    return filtered(fields, HeaderMatches(key=key, pattern=pattern_of(fields)), has_else=False)


def _compiled(text: str, options: re2.Options) -> Pattern:
    pattern: Pattern = re2.compile(text, options)
    return pattern


KINDS = (Kind(name="header.Filter", build=_filter), Kind(name="header.RegexFilter", build=_regex_filter))
