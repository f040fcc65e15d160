"""The rule that `RuleBook.find` gives, against two slower ways to say what a rule matches."""

import re
from typing import Any
from urllib.parse import parse_qs

from hypothesis import given, settings
from hypothesis import strategies as st

from clientcreds_proxy.errors import Refusal
from clientcreds_proxy.rules.matching import all_arrivals, covers, leaves_for, mismatch
from clientcreds_proxy.rules.model import Destination, RequestFacts, Rule
from clientcreds_proxy.rules.path import ambiguities, path_of, segments_of
from clientcreds_proxy.rules.pattern import HostPattern, parse_path
from clientcreds_proxy.rules.rulebook import RuleBook
from clientcreds_proxy.rules.shadow import shadowed
from tests.unit.rules.making import a_rule

# Few names, so that rules meet requests and each other.
NAMES = st.sampled_from(["a.x", "b.x", "x", "a.b.x", "c.a.b.x", "y"])
HOST_PATTERNS = st.sampled_from(["a.x", "b.x", "*.x", "**.x", "*.b.x", "**.b.x", "y"])
SEGMENTS = st.sampled_from(["a", "b", "%41", "A", "..", "a%2Fb"])
PATTERN_SEGMENTS = st.sampled_from(["a", "b", "A", "*", "**", "{id}"])
PORTS = st.sampled_from([80, 443, 8443])
METHODS = st.sampled_from(["GET", "POST", "OPTIONS"])
SCHEMES = st.sampled_from(["http", "https"])
QUERIES = st.sampled_from(["", "?", "?q=1", "?q=2&p=1", "?q=1&q=2", "?p"])


@st.composite
def path_patterns(draw: st.DrawFn) -> str:
    segments = draw(st.lists(PATTERN_SEGMENTS, max_size=4))
    return f"/{'/'.join(segments)}" + (draw(st.sampled_from(["", "/"])) if segments else "")


@st.composite
def targets(draw: st.DrawFn) -> str:
    path = "/" + "/".join(draw(st.lists(st.one_of(SEGMENTS, st.just("")), max_size=4)))
    return draw(st.sampled_from([path, path, path, "*"])) + draw(QUERIES)


@st.composite
def some_rules(draw: st.DrawFn) -> Rule:
    match: dict[str, Any] = {
        "host": draw(st.lists(HOST_PATTERNS, min_size=1, max_size=2)),
        "path": draw(st.lists(path_patterns(), max_size=2)),
        "methods": draw(st.sets(METHODS, max_size=2)),
        "schemes": draw(st.sets(SCHEMES, max_size=2)),
        "ports": draw(st.one_of(st.none(), st.just("any"), st.sets(PORTS, min_size=1, max_size=2))),
        "query": draw(
            st.dictionaries(
                st.sampled_from("pq"), st.sets(st.sampled_from(["", "1", "2"]), min_size=1), max_size=1
            )
        ),
    }
    return a_rule(
        str(draw(st.integers(0, 10**9))),
        upgrade_to_https=draw(st.booleans()),
        allow_encoded_slash=draw(st.booleans()),
        allow_empty_segments=draw(st.booleans()),
        **match,
    )


DESTINATIONS = st.builds(Destination, scheme=SCHEMES, host=NAMES, port=PORTS)
REQUESTS = st.builds(RequestFacts, destination=DESTINATIONS, method=METHODS, target=targets())


def naive_host(pattern: HostPattern, host: str) -> bool:
    wildcard = {"exact": "", "one": r"[^.]+\.", "many": r"(?:[^.]+\.)+"}[pattern.kind]
    return re.fullmatch(wildcard + re.escape(pattern.base), host) is not None


def naive_path(pattern: str, path: str) -> bool:
    if path == "*":
        return all(segment == "**" for segment in pattern.split("/")[1:])
    parts = {"*": "/[^/]+", "{id}": "/[^/]+", "**": "(?:/[^/]*)*"}
    expression = "".join(parts.get(segment, f"/{re.escape(segment)}") for segment in pattern.split("/")[1:])
    return re.fullmatch(expression, path.replace("%41", "A")) is not None


def naive_ports(rule: Rule, facts: RequestFacts) -> bool:
    ports, scheme, port = rule.match.ports, facts.destination.scheme, facts.destination.port
    if ports == "any":
        return True
    if not rule.upgrade_to_https or scheme == "https":
        return port in (ports or {443 if scheme == "https" else 80})
    tls_ports = ports or {443}
    return port in tls_ports or (port == 80 and 443 in tls_ports)


def naive_match(rule: Rule, facts: RequestFacts) -> bool:
    match, destination = rule.match, facts.destination
    path, _, query = facts.target.partition("?")
    sent = parse_qs(query, keep_blank_values=True)
    return (
        any(naive_host(pattern, destination.host) for pattern in match.hosts)
        and (not match.paths or any(naive_path(str(pattern), path) for pattern in match.paths))
        and (not match.methods or facts.method in match.methods)
        and (
            not match.schemes
            or destination.scheme in match.schemes
            or (rule.upgrade_to_https and destination.scheme == "http")
        )
        and naive_ports(rule, facts)
        and all(name in sent and values.issuperset(sent[name]) for name, values in match.query)
    )


@settings(max_examples=200)
@given(st.lists(some_rules(), max_size=8), REQUESTS)
def test_find_gives_the_first_rule_without_a_mismatch(rules: list[Rule], facts: RequestFacts) -> None:
    found = RuleBook(rules).find(facts)

    assert (found and found.rule) is next((rule for rule in rules if mismatch(rule, facts) is None), None)


@settings(max_examples=200)
@given(some_rules(), REQUESTS)
def test_mismatch_agrees_with_a_naive_matcher(rule: Rule, facts: RequestFacts) -> None:
    assert (mismatch(rule, facts) is None) == naive_match(rule, facts)


@given(path_patterns(), targets())
def test_a_path_pattern_agrees_with_a_regular_expression(pattern: str, target: str) -> None:
    path = path_of(target)

    assert parse_path(pattern).matches(segments_of(path)) == naive_path(pattern, path)


@given(st.lists(some_rules(), max_size=8), REQUESTS)
def test_a_ruled_request_is_always_on_a_ruled_host(rules: list[Rule], facts: RequestFacts) -> None:
    book = RuleBook(rules)

    if book.find(facts) is not None:
        assert book.covers(facts.destination.host, facts.destination.port)


@given(st.lists(some_rules(), max_size=5), NAMES, PORTS)
def test_covers_is_whether_any_rule_takes_the_host_and_port(rules: list[Rule], host: str, port: int) -> None:
    places = [
        Destination(scheme="http", host=host, port=port),
        Destination(scheme="https", host=host, port=port),
    ]

    assert RuleBook(rules).covers(host, port) == any(
        covers(rule, place) for rule in rules for place in places
    )


@given(some_rules(), DESTINATIONS)
def test_a_request_leaves_for_its_own_host_and_never_loses_tls(rule: Rule, destination: Destination) -> None:
    leaves = leaves_for(rule, destination)
    if leaves is None:
        return

    assert leaves.host == destination.host
    assert leaves.scheme == "https" or (destination.scheme == "http" and not rule.upgrade_to_https)
    ports = all_arrivals(rule)
    assert ports == "any" or destination.port in ports


@given(st.lists(some_rules(), max_size=5), REQUESTS)
def test_an_ambiguous_path_goes_on_only_where_its_rule_allows_all_of_it(
    rules: list[Rule], facts: RequestFacts
) -> None:
    found = RuleBook(rules).find(facts)
    rule = found.rule if found else None
    try:
        RuleBook.refuse_ambiguous(facts, rule)
    except Refusal:
        return

    left = ambiguities(path_of(facts.target))
    if rule and rule.allow_encoded_slash:
        left -= {"an encoded slash"}
    if rule and rule.allow_empty_segments:
        left -= {"an empty segment"}
    assert left == frozenset()


@settings(max_examples=200)
@given(st.lists(some_rules(), min_size=2, max_size=5), REQUESTS)
def test_a_shadowed_rule_never_wins(rules: list[Rule], facts: RequestFacts) -> None:
    never = [id(rule) for rule, _ in shadowed(rules)]

    found = RuleBook(rules).find(facts)

    assert found is None or id(found.rule) not in never


@given(st.lists(some_rules(), max_size=4))
def test_a_rule_is_shadowed_by_its_copy(rules: list[Rule]) -> None:
    copies = [a_rule() for _ in range(2)]

    assert shadowed([*copies, *rules])[0][0] is copies[1]
