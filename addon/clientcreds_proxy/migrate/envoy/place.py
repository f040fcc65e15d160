"""Domains and routes, as what a rule matches."""

from dataclasses import dataclass, replace

from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Match
from clientcreds_proxy.migrate.envoy.field import both, field

_KNOWN = both("prefix", "path", "path_separated_prefix", "headers", "query_parameters", "case_sensitive")

_CONDITION = both("name", "string_match", "exact_match")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What a route's `match` says: paths, methods and query, and what no rule can say."""

    match: Match
    unsaid: tuple[str, ...]

    def rewritten(self, to: str) -> Match:
        """The same where Envoy writes another path for the API."""
        paths = tuple(
            f"{to.rstrip('/')}/**" if path.endswith("/**") else to for path in self.match.paths or ("/**",)
        )
        return replace(self.match, paths=() if "/**" in paths else paths)


def route(at: At) -> Route:
    """What a route matches."""
    match = Match(hosts=(), paths=_paths(at))
    unsaid = [name for name, member in at.members() if name not in _KNOWN and member.given]
    for header in at.at("headers").items():
        method = _exact(header) if header.at("name").text() == ":method" else ""
        if method:
            match = replace(match, methods=(*match.methods, method))
        else:
            unsaid.append("headers")
    for parameter in field(at, "query_parameters").items():
        value = _exact(parameter)
        if value:
            match = replace(match, query={**match.query, parameter.at("name").text(): (value,)})
        else:
            unsaid.append("query_parameters")
    return Route(match=match, unsaid=tuple(dict.fromkeys(unsaid)))


def _paths(at: At) -> tuple[str, ...]:
    exact = at.at("path").text()
    prefix = at.at("prefix").text() or field(at, "path_separated_prefix").text()
    if exact:
        return (exact,)
    return () if prefix in ("", "/") else (f"{prefix.rstrip('/')}/**",)


def _exact(at: At) -> str:
    """The one text that a header or a parameter must be; empty where it may be another, too."""
    string = field(at, "string_match")
    others = [
        *(member for name, member in at.members() if name not in _CONDITION),
        *(member for name, member in string.members() if name != "exact"),
    ]
    if any(each.value not in (None, False) for each in others):  # inverted, or in any case
        return ""
    return string.at("exact").text() or field(at, "exact_match").text()


def domains(host: At) -> tuple[tuple[str, ...], bool]:
    """The names of a virtual host, and whether there are others that no rule can say."""
    found = [name for name in host.at("domains").texts() if name != "*"]
    said = tuple(
        f"**.{name[2:]}" if name.startswith("*.") else name for name in found if not name.endswith("*")
    )
    return said, len(said) < len(found)
