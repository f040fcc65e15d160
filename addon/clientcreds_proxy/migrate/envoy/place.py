"""Domains and routes, as what a rule matches."""

from dataclasses import dataclass, replace

from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Match
from clientcreds_proxy.migrate.envoy.field import both, field
from clientcreds_proxy.migrate.prefix import below

_PATHS = ("prefix", "path", "path_separated_prefix")
_KNOWN = both(*_PATHS, "headers", "query_parameters", "case_sensitive")

_CONDITION = both("name", "string_match", "exact_match")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What a route's `match` says: paths, methods and query, and what no rule can say."""

    match: Match
    unsaid: tuple[str, ...]

    def rewritten(self, to: str) -> Match:
        """The same where Envoy writes another path for the API."""
        paths = tuple(
            new
            for path in self.match.paths or ("/**",)
            for new in (below(to) if path.endswith("/**") else (to,))
        )
        return replace(self.match, paths=() if "/**" in paths else paths)


def route(at: At) -> Route:
    """What a route matches."""
    match = Match(hosts=(), paths=_paths(at))
    unsaid = [name for name, member in at.members() if name not in _KNOWN and member.given]
    if any(character in field(at, name).text() for name in _PATHS for character in "*{}"):
        unsaid.append("* and braces in paths")  # which stand for themselves in Envoy
    if field(at, "case_sensitive").value is False:
        field(at, "case_sensitive").note("paths are told apart by case here")
    for header in at.at("headers").items():
        method = _exact(header) if header.at("name").text() == ":method" else ""
        if method and not match.methods:
            match = replace(match, methods=(method,))
        else:
            unsaid.append("headers")
    for parameter in field(at, "query_parameters").items():
        name, value = parameter.at("name").text(), _exact(parameter)
        if value and name not in match.query:
            match = replace(match, query={**match.query, name: (value,)})
        else:
            unsaid.append("query_parameters")
    return Route(match=match, unsaid=tuple(dict.fromkeys(unsaid)))


def _paths(at: At) -> tuple[str, ...]:
    exact = at.at("path").text()
    prefix = at.at("prefix").text() or field(at, "path_separated_prefix").text()
    if exact:
        return (exact,)
    return () if prefix in ("", "/") else below(prefix)


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
        f"**.{name[2:]}" if name.startswith("*.") else name
        for name in found
        if "*" not in name.removeprefix("*.")
    )
    return said, len(said) < len(found)
