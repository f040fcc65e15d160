"""Rules and requests for tests, written as short as a configuration would."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from clientcreds_proxy.rules.model import Destination, Match, RequestFacts, Rule, Scheme
from clientcreds_proxy.rules.pattern import parse_host, parse_path


def a_match(
    *,
    host: str | Sequence[str] = "api.example.com",
    path: str | Sequence[str] = (),
    methods: Iterable[str] = (),
    schemes: Iterable[Scheme] = (),
    ports: Iterable[int] | Literal["any"] | None = None,
    query: dict[str, set[str]] | None = None,
) -> Match:
    hosts = [host] if isinstance(host, str) else host
    paths = [path] if isinstance(path, str) else path
    return Match(
        hosts=tuple(parse_host(text)[0] for text in hosts),
        paths=tuple(parse_path(text) for text in paths),
        methods=frozenset(methods),
        schemes=frozenset(schemes),
        ports=ports if ports is None or ports == "any" else frozenset(int(port) for port in ports),
        query=tuple((name, frozenset(values)) for name, values in (query or {}).items()),
    )


def a_rule(
    name: str = "billing",
    *,
    upgrade_to_https: bool = False,
    allow_encoded_slash: bool = False,
    allow_empty_segments: bool = False,
    **match: Any,
) -> Rule:
    return Rule(
        name=name,
        match=a_match(**match),
        token_source="billing",
        upgrade_to_https=upgrade_to_https,
        allow_encoded_slash=allow_encoded_slash,
        allow_empty_segments=allow_empty_segments,
    )


def at(url: str) -> Destination:
    """Read the destination `http://HOST:PORT`; without a port it has the scheme's default."""
    scheme, _, authority = url.partition("://")
    host, _, port = authority.rpartition(":") if ":" in authority else (authority, "", "")
    if scheme == "http":
        return Destination(scheme="http", host=host, port=int(port or 80))
    return Destination(scheme="https", host=host, port=int(port or 443))


def a_request(
    target: str = "/v2/orders", *, to: str = "https://api.example.com", method: str = "GET"
) -> RequestFacts:
    return RequestFacts(destination=at(to), method=method, target=target)
