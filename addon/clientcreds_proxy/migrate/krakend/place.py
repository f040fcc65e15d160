"""Where a backend is: its hosts and `url_pattern`, as what a rule matches."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlsplit

from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft
from clientcreds_proxy.migrate.vault import looks_secret

# What lura's sanitiser takes (uri.go); all else it refuses, unless disable_host_sanitize is set.
_SANITISED = re.compile(
    r"(?P<scheme>https?)?(?:(?<=.)://)?(?P<host>[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{2,6}))?/?"
)
_PLACEHOLDER = re.compile(r"\{([\w\-.:/]+)\}")
_OUR_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_STAND_IN = "\0"
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One entry of `host`."""

    scheme: str
    host: str  # with its port, where that is not the scheme's own
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A `url_pattern`."""

    path: str
    query: dict[str, tuple[str, ...]]


def addresses(backend: At, service: At) -> list[Address]:
    """Every host of a backend, its own or else the service's, that can be one here."""
    own = backend.at("host")
    entries = (own if own.given else service.at("host")).items()
    raw = backend.at("disable_host_sanitize").flag()
    return [found for entry in entries if (found := _address(entry, raw=raw))]


def _address(entry: At, *, raw: bool) -> Address | None:
    text = entry.text()
    if raw:
        return _raw_address(entry, text)
    scheme, separator, rest = text.rpartition("://")
    found = _SANITISED.fullmatch(rest) if scheme in ("", "http", "https") else None
    if found is None or (separator and not scheme):
        entry.lost("KrakenD refuses this host; expected http://HOST or https://HOST, with a port at most")
        return None
    return _with_port(scheme or "http", found["host"], int(found["port"]) if found["port"] else None)


def _raw_address(entry: At, text: str) -> Address | None:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or parts.scheme not in DEFAULT_PORTS:
        entry.lost("no http or https URL: what is behind it is not reached by HTTP")
        return None
    if "@" in parts.netloc or parts.query or parts.fragment:
        entry.lost("more than scheme, host and path: only these count in a rule")
    address = _with_port(parts.scheme, f"[{host}]" if ":" in host else host, port)
    path = parts.path.replace(_STAND_IN, "%00").rstrip("/")
    return Address(scheme=address.scheme, host=address.host, path=path)


def _with_port(scheme: str, host: str, port: int | None) -> Address:
    return Address(scheme=scheme, host=host if port in (None, DEFAULT_PORTS[scheme]) else f"{host}:{port}")


def pattern(backend: At, base: str, draft: Draft) -> Pattern:
    """What the backend's `url_pattern` matches, below the path of its host."""
    at = backend.at("url_pattern")
    path, _, query = at.text().replace(_STAND_IN, "%00").partition("?")
    names = iter(_PLACEHOLDER.findall(path))
    bare = base + "/" + _PLACEHOLDER.sub(_STAND_IN, path).removeprefix("/")
    last = bare.count("/")
    segments = [
        "**" if index == last and segment == "*" else _segment(segment, names, at)
        for index, segment in enumerate(bare.split("/"))
    ]
    return Pattern(path="/".join(segments), query=_query(query, at, draft))


def _segment(segment: str, names: Iterator[str], at: At) -> str:
    if segment == _STAND_IN:
        name = next(names)
        return f"{{{name}}}" if _OUR_NAME.fullmatch(name) else "*"
    if _STAND_IN in segment:
        for _ in range(segment.count(_STAND_IN)):
            next(names)
        at.lost("a placeholder is only a part of a segment: the rule takes any text in that segment")
        return "*"
    return quote(segment, safe="/%!$&'()+,;=:@-._~")


def _query(query: str, at: At, draft: Draft) -> dict[str, tuple[str, ...]]:
    """The parameters that a request to the backend has, with their values."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if _PLACEHOLDER.search(value) or _PLACEHOLDER.search(name):
            at.lost("a query parameter takes its value from the request: the rule does not look at it")
            continue
        if looks_secret(name) and value:
            draft.vault.keep(value, at, name)
            draft.remark(
                "a gateway adds the query of its url_pattern to each request; here a rule only looks for it, "
                "and the client sends it (or querystring.Modifier sets it)"
            )
        found[name] = (*found.get(name, ()), value)
    return found
