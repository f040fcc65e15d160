"""The price of a search is counted in executed instructions: the same on every machine, unlike time."""

import sys
from collections.abc import Callable, Sequence
from types import CodeType

import pytest

from clientcreds_proxy.rules.model import RequestFacts, Rule
from clientcreds_proxy.rules.rulebook import RuleBook
from tests.unit.rules.making import a_request, a_rule

TOOL = 4  # neither a debugger's nor coverage's


def instructions_of(work: Callable[[], object]) -> int:
    count = 0

    def executed(_code: CodeType, _offset: int) -> None:
        nonlocal count
        count += 1

    monitoring = sys.monitoring
    monitoring.use_tool_id(TOOL, "work")
    monitoring.register_callback(TOOL, monitoring.events.INSTRUCTION, executed)
    try:
        monitoring.set_events(TOOL, monitoring.events.INSTRUCTION)
        work()
        monitoring.set_events(TOOL, 0)
    finally:
        monitoring.free_tool_id(TOOL)
    return count


def many_hosts(number: int) -> list[Rule]:
    return [a_rule(f"r{i}", host=f"api{i}.example.com", path="/v2/**") for i in range(number)]


def many_wildcards(number: int) -> list[Rule]:
    kinds = ("*.", "**.")
    return [a_rule(f"r{i}", host=f"{kinds[i % 2]}tenant{i}.example.com") for i in range(number)]


def many_paths(number: int) -> list[Rule]:
    return [a_rule(f"r{i}", path=f"/v2/tenants/t{i}/**") for i in range(number)]


def many_paths_after_a_wildcard(number: int) -> list[Rule]:
    return [a_rule(f"r{i}", path=f"/**/t{i}/{{id}}") for i in range(number)]


def many_ports(number: int) -> list[Rule]:
    return [a_rule(f"r{i}", host="localhost", ports=[10_000 + i]) for i in range(number)]


def many_parameters(number: int) -> list[Rule]:
    return [a_rule(f"r{i}", path="/v2/**", query={"tenant": {f"t{i}", f"x{i}"}}) for i in range(number)]


@pytest.mark.parametrize(
    ("rules", "facts", "wins"),
    [
        (many_hosts, a_request(to="https://api7.example.com"), "r7"),
        (many_hosts, a_request("/v1", to="https://api7.example.com"), None),
        (many_hosts, a_request(to="https://nobody.example.com"), None),
        (many_wildcards, a_request(to="https://a.tenant6.example.com"), "r6"),
        (many_wildcards, a_request(to="https://a.b.tenant7.example.com"), "r7"),
        (many_paths, a_request("/v2/tenants/t7/orders"), "r7"),
        (many_paths, a_request("/v2/tenants/nobody/orders"), None),
        (many_paths_after_a_wildcard, a_request("/a/b/t7/1"), "r7"),
        (many_parameters, a_request("/v2/orders?page=2&tenant=t7"), "r7"),
        (many_parameters, a_request("/v2/orders?page=2"), None),
        (many_ports, a_request(to="http://localhost:10007"), "r7"),
    ],
)
def test_find_costs_the_same_with_10_and_5000_rules(
    rules: Callable[[int], Sequence[Rule]], facts: RequestFacts, wins: str | None
) -> None:
    few, many = RuleBook(rules(10)), RuleBook(rules(5_000))
    for book in (few, many):
        found = book.find(facts)  # the first call also fills caches, of regular expressions say
        assert (found.rule.name if found else None) == wins

    assert instructions_of(lambda: many.find(facts)) <= 1.1 * instructions_of(lambda: few.find(facts))


@pytest.mark.parametrize("host", ["api7.example.com", "nobody.example.com"])
def test_covers_costs_the_same_with_10_and_5000_rules(host: str) -> None:
    few, many = RuleBook(many_hosts(10)), RuleBook(many_hosts(5_000))

    assert instructions_of(lambda: many.covers(host, 443)) == instructions_of(lambda: few.covers(host, 443))
