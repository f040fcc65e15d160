"""A route of a service, as what a rule matches: the API's own URLs, and those that clients called so far."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft, Match
from clientcreds_proxy.migrate.kong.values import value
from clientcreds_proxy.migrate.prefix import below
from clientcreds_proxy.migrate.vault import Reference

_PORTS = {"http": 80, "https": 443}
_TARGET_PORT = 8000
# Conditions of a route that no rule can say: without them a token would go to more requests.
_CONDITIONS = ("headers", "snis", "sources", "destinations", "expression")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Where the API is."""

    scheme: str
    hosts: tuple[str, ...]
    path: str  # without a slash at its end
    problem: str | None = None


def service_of(at: At, root: At, draft: Draft) -> Service:
    """The API behind a service, its targets where it names an upstream."""
    url = at.at("url")
    given = value(url, draft)
    try:
        parts = urlsplit(given if isinstance(given, str) else "")
        scheme, host, port, path = parts.scheme, parts.hostname or "", parts.port, parts.path
    except ValueError:
        scheme, host, port, path = "", "", None, ""
    scheme = at.at("protocol").text() or scheme or "http"
    named = value(at.at("host"), draft)
    number = at.at("port").number()
    port = port if number is None else int(number)
    path = at.at("path").text() or path
    if isinstance(given, Reference) or isinstance(named, Reference):
        return Service(scheme=scheme, hosts=(), path="", problem="the host is still to be filled in")
    host = (named if isinstance(named, str) else "") or host
    if scheme not in _PORTS and scheme not in ("grpc", "grpcs"):
        return Service(scheme=scheme, hosts=(), path="", problem="no API that is reached by HTTP")
    scheme = {"grpc": "http", "grpcs": "https"}.get(scheme, scheme)
    targets = _targets(host, root)
    own = (_with_port(host, port, scheme),) if host else ()
    hosts = tuple(dict.fromkeys(_with_port(name, number, scheme) for name, number in targets)) or own
    problem = None if hosts else "a service without a host"
    return Service(scheme=scheme, hosts=hosts, path=path.rstrip("/"), problem=problem)


def _targets(host: str, root: At) -> Iterator[tuple[str, int | None]]:
    for upstream in root.at("upstreams").items():
        if host and upstream.at("name").text() == host:
            for target in upstream.at("targets").items():
                if target.at("weight").number() == 0:
                    continue  # Kong sends it nothing
                name, _, port = target.at("target").text().rpartition(":")
                if name and port.isdecimal():
                    yield name, int(port)
                elif port:
                    yield port, _TARGET_PORT


def _with_port(host: str, port: int | None, scheme: str) -> str:
    host = f"[{host}]" if ":" in host else host
    return host if port in (None, _PORTS[scheme]) else f"{host}:{port}"


def behind(route: At, service: Service) -> tuple[Match, str | None]:
    """The API's own URLs, and why no rule can say them."""
    strip = route.at("strip_path")
    stripped = not strip.given or strip.flag()
    paths, problem = _paths(route)
    own = [each for path in paths or [""] for each in below(service.path + ("" if stripped else path))]
    match = Match(
        hosts=service.hosts,
        schemes=("http",) if service.scheme == "http" else (),
        paths=_without_all(own),
        methods=_methods(route),
    )
    return match, service.problem or problem or _conditions(route)


def before(route: At, draft: Draft) -> tuple[Match, str | None] | None:
    """The URLs that clients call at the gateway, where these have names; and why no rule can say them."""
    hosts: list[str] = []
    problem = None
    for item in route.at("hosts").items():
        host = value(item, draft)
        if not isinstance(host, str) or host.endswith(".*"):
            problem = "a host that no rule can say"
        elif host:
            hosts.append(f"**.{host[2:]}" if host.startswith("*.") else host)
    if not hosts and problem is None:
        return None
    paths, unsaid = _paths(route)
    match = Match(
        hosts=tuple(hosts),
        paths=_without_all([each for path in paths for each in below(path)]),
        methods=_methods(route),
    )
    return match, problem or unsaid or _conditions(route)


def _paths(route: At) -> tuple[list[str], str | None]:
    """The prefixes of a route, and why no rule can say them."""
    found = route.at("paths").texts()
    if any(path.startswith("~") for path in found):
        return [], "a regular expression as path"
    if any(character in path for path in found for character in "*{}"):
        return [], "a path with * or braces, which stand for themselves in Kong"
    return found, None


def _without_all(paths: list[str]) -> tuple[str, ...]:
    return () if "/**" in paths else tuple(dict.fromkeys(paths))


def _methods(route: At) -> tuple[str, ...]:
    return tuple(method.upper() for method in route.at("methods").texts())


def _conditions(route: At) -> str | None:
    """The conditions that a rule can't say; all of them count as read."""
    given = [name for name in _CONDITIONS if route.at(name).value]
    if not given:
        return None
    return f"no rule can say {' and '.join(given)}: without it a token would go to more requests"
