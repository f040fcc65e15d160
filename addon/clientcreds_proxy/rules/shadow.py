"""Rules that can never win, because an earlier one takes all their requests.

What is reported is certain. A rule that only several earlier ones together shadow is not reported.
"""

from collections.abc import Sequence
from itertools import takewhile

from clientcreds_proxy.rules.index import RuleIndex
from clientcreds_proxy.rules.matching import SCHEMES, Ports, all_arrivals, arrivals
from clientcreds_proxy.rules.model import Match, Rule
from clientcreds_proxy.rules.pattern import (
    ANY_SEGMENT,
    ANY_SEGMENTS,
    EVERY_PATH,
    HostPattern,
    PathPattern,
)


def shadowed(rules: Sequence[Rule]) -> list[tuple[Rule, Rule]]:
    """Each rule that can never win, with the first rule that takes all its requests."""
    index = RuleIndex(rules)
    pairs = ((rule, _taker_of(rule, index)) for rule in rules)
    return [(rule, by) for rule, by in pairs if by is not None]


def _taker_of(rule: Rule, index: RuleIndex) -> Rule | None:
    # Who takes all its requests takes this one, too: few rules are left to be looked at closely.
    ports = all_arrivals(rule)
    port = 0 if ports == "any" else next(iter(ports), 0)
    path = (rule.match.paths or (EVERY_PATH,))[0]
    segments = tuple(segment for segment in path.segments if segment != ANY_SEGMENTS)
    query = [(name, value) for name, values in rule.match.query for value in list(values)[:1]]
    candidates = index.candidates(_one_of(rule.match.hosts[0]), port, segments, query)
    earlier = takewhile(lambda candidate: candidate is not rule, candidates)
    return next((candidate for candidate in earlier if takes_all(candidate, rule)), None)


def takes_all(earlier: Rule, later: Rule) -> bool:
    """Whether every request that `later` is for is one of `earlier`, too."""
    outer, inner = earlier.match, later.match
    return (
        all(any(_host_within(host, other) for other in outer.hosts) for host in inner.hosts)
        and all(_ports_within(arrivals(later, scheme), arrivals(earlier, scheme)) for scheme in SCHEMES)
        and (not outer.methods or (bool(inner.methods) and inner.methods <= outer.methods))
        and _query_within(inner, outer)
        and all(_path_within(path, outer.paths or (EVERY_PATH,)) for path in inner.paths or (EVERY_PATH,))
    )


def _one_of(pattern: HostPattern) -> str:
    """A host that `pattern` matches; no name is `*`, so a wildcard's example is nobody's exact host."""
    return pattern.base if pattern.kind == "exact" else f"*.{pattern.base}"


def _host_within(inner: HostPattern, outer: HostPattern) -> bool:
    return outer.matches(_one_of(inner)) and (inner.kind != "many" or outer.kind == "many")


def _ports_within(inner: Ports, outer: Ports) -> bool:
    return outer == "any" or (inner != "any" and inner <= outer)


def _query_within(inner: Match, outer: Match) -> bool:
    asked = dict(inner.query)
    return all(name in asked and asked[name] <= values for name, values in outer.query)


def _path_within(inner: PathPattern, outers: tuple[PathPattern, ...]) -> bool:
    """Whether every path of `inner` is one of an outer pattern: all of them are walked side by side.

    Texts that no pattern names are all alike, so one stands for them: `*`, which is no text.
    """
    patterns = (inner, *outers)
    texts = {segment for pattern in patterns for segment in pattern.segments} - {ANY_SEGMENTS}
    start = tuple(pattern.start for pattern in patterns)
    seen, todo = {start}, [start]
    while todo:
        at, *others = places = todo.pop()
        if inner.ends_at(at) and not any(map(PathPattern.ends_at, outers, others)):
            return False
        for text in (*texts, ANY_SEGMENT, ""):
            following = tuple(
                pattern.after(place, text) for pattern, place in zip(patterns, places, strict=True)
            )
            if following[0] and following not in seen:
                seen.add(following)
                todo.append(following)
    return True
