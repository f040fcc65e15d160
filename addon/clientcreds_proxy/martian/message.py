"""Requests and responses as modifiers see them: plain values, changed by making new ones.

The functions on headers return the very tuple they were given where nothing changes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

Headers = tuple[tuple[str, str], ...]  # in wire order; names keep their case and compare without it

# The file at this path (without `.` and `..`) below a folder; None where there is none. ModifierFailed where
# there is one that can't be read.
ReadFile = Callable[[str, tuple[str, ...]], bytes | None]

DEFAULT_PORTS = {"http": 80, "https": 443}

_ABOUT_THE_BODY = frozenset(
    {
        *("content-encoding", "content-length", "content-range", "transfer-encoding", "trailer"),
        *("content-digest", "content-md5", "digest", "repr-digest"),
    }
)


def no_file(folder: str, path: tuple[str, ...]) -> None:
    """There is no file anywhere: for requests that nobody sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An API request, without the token: that is attached after all modifiers have run."""

    method: str
    scheme: str
    host: str
    port: int
    port_is_written: bool = False  # the URL names its port, although it is the scheme's own
    target: str  # path and query as written: `/v2/orders?tenant=acme`
    headers: Headers  # Host included
    body: bytes | None = field(default=None, repr=False)  # instead of the client's, which goes on where None
    answered_here: bool = False  # nothing is sent: the response modifiers find the answer
    read_file: ReadFile = field(default=no_file, repr=False, compare=False)

    @property
    def authority(self) -> str:
        """The destination as a Host header names it: a default port is left out, unless it was written."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        own = self.port == DEFAULT_PORTS[self.scheme] and not self.port_is_written
        return host if own else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole URL, its query included."""
        slash = "" if self.target.startswith("/") else "/"
        return f"{self.scheme}://{self.authority}{slash}{self.target}"

    @property
    def path(self) -> str:
        """The path as written, without the query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The query as written, without its question mark."""
        return self.target.partition("?")[2]

    def with_headers(self, headers: Headers) -> "Request":
        """This request with other headers; without a Host among them, it is the destination's.

        Go's net/http writes the URL's host where a request names none, and KrakenD relies on it.
        """
        if headers is self.headers:
            return self
        if not first_value(headers, "host"):
            headers = (("Host", self.authority), *without(headers, frozenset({"host"})))
        return replace(self, headers=headers)

    def with_scheme(self, scheme: str) -> "Request":
        """This request by another scheme: the port follows where the URL does not name it."""
        if scheme == self.scheme:
            return self
        written = self.port_is_written or self.port != DEFAULT_PORTS[self.scheme]
        port = self.port if written else DEFAULT_PORTS[scheme]
        return replace(self, scheme=scheme, port=port, port_is_written=written)

    def with_host(self, host: str, port: int | None) -> "Request":
        """This request to another host; without a port, to the scheme's own. Host stays as it is."""
        own = DEFAULT_PORTS[self.scheme]
        return replace(self, host=host, port=port or own, port_is_written=port is not None)

    def with_target(self, path: str, query: str) -> "Request":
        """This request with another path and query, both as they are written in a URL."""
        if self.target == "*":  # an OPTIONS about the server as a whole has neither
            return self
        target = f"{path}?{query}" if query else path
        return self if target == self.target else replace(self, target=target)

    def with_body(self, body: bytes, content_type: str) -> "Request":
        """This request with another body, and headers that fit it."""
        return replace(self, body=body, headers=_fitting(self.headers, body, content_type))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The API's response."""

    status: int
    headers: Headers
    body: bytes | None = field(default=None, repr=False)  # instead of the API's, which goes on where None

    def with_headers(self, headers: Headers) -> "Response":
        """This response with other headers."""
        return self if headers is self.headers else replace(self, headers=headers)

    def with_body(self, body: bytes, content_type: str) -> "Response":
        """This response with another body, and headers that fit it."""
        return replace(self, body=body, headers=_fitting(self.headers, body, content_type))


def values(headers: Headers, key: str) -> Iterator[str]:
    """Every value of a header; `key` is its name in lower case."""
    return (value for name, value in headers if name.lower() == key)


def first_value(headers: Headers, key: str) -> str:
    """The first value of a header, empty where there is none; `key` is its name in lower case."""
    return next(values(headers, key), "")


def with_value(headers: Headers, name: str, value: str) -> Headers:
    """The headers with this value as the only one of its name, where the first was, else at the end."""
    key = name.lower()
    places = [place for place, (other, _) in enumerate(headers) if other.lower() == key]
    if not places:
        return (*headers, (name, value))
    place = places[0]
    if len(places) == 1 and headers[place] == (name, value):
        return headers
    return (*headers[:place], (name, value), *without(headers[place + 1 :], frozenset({key})))


def without(headers: Headers, keys: frozenset[str]) -> Headers:
    """The headers without those of these names, which are in lower case."""
    kept = tuple(header for header in headers if header[0].lower() not in keys)
    return headers if len(kept) == len(headers) else kept


def _fitting(headers: Headers, body: bytes, content_type: str) -> Headers:
    """The headers for a body that replaces another; an empty content type means the one there is."""
    kept = without(headers, _ABOUT_THE_BODY)
    typed = with_value(kept, "Content-Type", content_type) if content_type else kept
    return (*typed, ("Content-Length", str(len(body))))
