"""`url.Modifier`, `url.Filter` and `url.RegexFilter`. The URL is the API's: where the request goes."""

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

from clientcreds_proxy.martian.fields import Fields, Kind
from clientcreds_proxy.martian.filters import Pattern, filtered, pattern_of
from clientcreds_proxy.martian.message import DEFAULT_PORTS, Request, Response
from clientcreds_proxy.martian.modifier import REQUEST, Leaf, Modifier
from clientcreds_proxy.martian.problem import Path
from clientcreds_proxy.martian.query import pairs
from clientcreds_proxy.rules.host import normalise, split_host_port

Said = tuple[frozenset[tuple[bytes, bytes]], frozenset[str]]
Authority = tuple[str, int | None]  # a host in normal form, and the port that is written behind it

_IN_A_QUERY = re.compile(r"[!-\"$-~]*")  # ASCII without blanks and `#`: what a request line can carry
_KEPT_IN_PATHS = "$&+,/:;=@"  # by Go's net/url, besides letters, digits and `-._~`


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUrl(Leaf):
    """`url.Modifier`: other parts of the URL in place of those there are. Host stays as it is."""

    scheme: str  # empty, as all of these: it stays
    authority: Authority | None
    path: str = field(repr=False)  # decoded
    query: str = field(repr=False)  # as written
    at: Path

    @property
    def changes_destination(self) -> bool:
        """Whether it can lead a request elsewhere."""
        return self.changes_requests and (self.scheme != "" or self.authority is not None)

    def change_request(self, request: Request) -> Request:
        """The request with the other parts."""
        if self.scheme:
            request = request.with_scheme(self.scheme)
        if self.authority is not None:
            request = request.with_host(*self.authority)
        return request.with_target(self._path(request.path), self.query or request.query)

    def _path(self, before: str) -> str:
        """A path that means the same already is left as it is written, as in Go."""
        if not self.path or _decoded(before) == self.path.encode():
            return before
        return quote(self.path, safe=_KEPT_IN_PATHS)


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlIs:
    """All that is said about the URL of the request holds; what is empty is not asked."""

    scheme: str
    host: str  # with a port where it is not the scheme's own; `*` is one label
    path: str = field(repr=False)  # decoded
    query: Said | None = field(repr=False)  # None: not asked

    def holds_for_request(self, request: Request) -> bool:
        """Whether it is the request's URL."""
        return (
            self.scheme in ("", request.scheme)
            and (not self.host or host_matches(request.authority, self.host))
            and (not self.path or _decoded(request.path) == self.path.encode())
            and (self.query is None or self.query == _said(request.query))
        )

    def holds_for_response(self, response: Response, request: Request) -> bool:  # noqa: ARG002 - Condition's form
        """The same of the request that the response answers."""
        return self.holds_for_request(request)


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlMatches:
    """The whole URL of the request, its query included, matches somewhere."""

    pattern: Pattern

    def holds_for_request(self, request: Request) -> bool:
        """Whether the request's URL does."""
        return self.pattern.search(request.url.encode(errors="replace")) is not None

    def holds_for_response(self, response: Response, request: Request) -> bool:  # noqa: ARG002 - Condition's form
        """The same of the request that the response answers."""
        return self.holds_for_request(request)


def host_matches(host: str, pattern: str) -> bool:
    """Whether a host, its port included, fits a pattern in which `*` is what is left of one label.

    Both are read from their end, as Martian does it: `*` takes all up to the next dot, so a label that
    begins with other characters than `*` finds nothing left to compare, unless it is the host's first.
    """
    if host == pattern:
        return True
    at = len(host) - 1
    for place in range(len(pattern) - 1, -1, -1):
        if pattern[place] == "*":
            at = max(host.rfind(".", 0, at + 1), 0)
            if place == 0 and at == 0:
                return True
        elif host[at] != pattern[place]:
            return False
        elif at == 0:
            return place == 0
        else:
            at -= 1
    return False


def _modifier(fields: Fields) -> Modifier:
    host = fields.optional("host", _host_problem)
    return SetUrl(
        phases=fields.phases,
        scheme=fields.optional("scheme", _scheme_problem),
        authority=_authority(host) if host else None,
        path=fields.optional("path", _path_problem),
        query=fields.optional("query", _query_problem),
        at=fields.path_of("host" if host else "scheme"),
    )


def _filter(fields: Fields) -> Modifier:
    query = fields.optional("query", _query_problem)
    condition = UrlIs(
        scheme=fields.optional("scheme", _scheme_problem),
        host=fields.optional("host", _pattern_problem).lower(),
        path=fields.optional("path", _path_problem),
        query=_said(query) if query else None,
    )
    return filtered(fields, condition)


def _regex_filter(fields: Fields) -> Modifier:
    return filtered(fields, UrlMatches(pattern=pattern_of(fields)))


def _said(query: str) -> Said:
    """What a query says, whatever its order; a part that says nothing to Go counts as it is written."""
    parts = [part for part in query.split("&") if part]
    return frozenset(pairs(query)), frozenset(part for part in parts if not pairs(part))


def _decoded(path: str) -> bytes:
    return unquote_to_bytes(path.encode(errors="surrogateescape"))


def _authority(text: str) -> Authority:
    host, port = split_host_port(text)
    return normalise(host), port


def _host_problem(host: str) -> str | None:
    try:
        _authority(host)
    except ValueError:
        return "not a host, expected one like example.com, with or without a port"
    return None


def _pattern_problem(pattern: str) -> str | None:
    """`*` may stand for any label: it is one that a host can have."""
    return _host_problem(pattern.replace("*", "x"))


def _scheme_problem(scheme: str) -> str | None:
    return None if scheme in DEFAULT_PORTS else "expected http or https"


def _path_problem(path: str) -> str | None:
    return None if path.startswith("/") else "expected a path that begins with /"


def _query_problem(query: str) -> str | None:
    if _IN_A_QUERY.fullmatch(query):
        return None
    return "expected a query as it stands in a URL: anything but ASCII, blanks and # written as %XX"


KINDS = (
    Kind(name="url.Modifier", build=_modifier, phases=REQUEST),
    Kind(name="url.Filter", build=_filter),
    Kind(name="url.RegexFilter", build=_regex_filter),
)
