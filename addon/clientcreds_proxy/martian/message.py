"""Requests and responses as modifiers see them: plain values, changed by making new ones.

The functions on headers return the very tuple they were given where nothing changes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

Headers = tuple[tuple[str, str], ...]  # in wire order; names keep their case and compare without it

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An API request, without the token: that is attached after all modifiers have run."""

    method: str
    scheme: str
    host: str
    port: int
    target: str  # path and query as written: `/v2/orders?tenant=acme`
    headers: Headers  # Host included

    @property
    def authority(self) -> str:
        """The destination as a Host header names it: a default port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS.get(self.scheme) else f"{host}:{self.port}"

    def with_headers(self, headers: Headers) -> "Request":
        """This request with other headers; without a Host among them, it is the destination's.

        Go's net/http writes the URL's host where a request names none, and KrakenD relies on it.
        """
        if headers is self.headers:
            return self
        if not first_value(headers, "host"):
            headers = (("Host", self.authority), *without(headers, frozenset({"host"})))
        return replace(self, headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The API's response."""

    status: int
    headers: Headers

    def with_headers(self, headers: Headers) -> "Response":
        """This response with other headers."""
        return self if headers is self.headers else replace(self, headers=headers)


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
