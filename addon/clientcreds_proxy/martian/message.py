"""Requests and responses as modifiers see them: plain values, changed by making new ones."""

from dataclasses import dataclass

Headers = tuple[tuple[str, str], ...]  # in wire order; names keep their case and compare without it


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An API request, without the token: that is attached after all modifiers have run."""

    method: str
    scheme: str
    host: str
    port: int
    target: str  # path and query as written: `/v2/orders?tenant=acme`
    headers: Headers  # Host included


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The API's response."""

    status: int
    headers: Headers
