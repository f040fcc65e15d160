from dataclasses import replace

from clientcreds_proxy.rules.model import Rule
from clientcreds_proxy.rules.rulebook import RuleBook
from clientcreds_proxy.rules.verdicts import Verdict, verdicts
from tests.unit.rules.making import a_request, a_rule


def told(*rules: Rule) -> list[Verdict]:
    """The verdicts on `GET https://api.example.com/v2/orders`."""
    found = RuleBook(rules).find(a_request())
    return list(verdicts(rules, a_request(), found.rule if found else None))


def test_winner_is_told_from_those_behind_it_and_those_that_differ() -> None:
    said = told(
        a_rule("v1", path="/v1/**"), a_rule("v2", path="/v2/**"), a_rule("all"), a_rule("other", host="b.com")
    )

    assert [(each.rule, each.outcome, each.why, each.same_host) for each in said] == [
        ("v1", "differs", "path differs: not /v1/**", True),
        ("v2", "wins", "", True),
        ("all", "shadowed", "would match, but v2 comes first", True),
        ("other", "differs", "host differs: not b.com", False),
    ]


def test_without_a_winner_all_differ() -> None:
    assert [each.outcome for each in told(a_rule("a", methods=["POST"]), a_rule("b", host="b.com"))] == [
        "differs",
        "differs",
    ]


def test_rule_with_ports_of_its_hosts_is_one_rule() -> None:
    """`host: [b.com:9443, api.example.com:8443]` is two rules inside: the one for this host tells why."""
    there = a_rule("both", host="b.com", ports=[9443])
    here = replace(a_rule("both", ports=[8443]))

    assert [(each.rule, each.why) for each in told(there, here)] == [("both", "port differs: not 8443")]


def test_rule_wins_by_any_of_its_hosts() -> None:
    there, here = a_rule("both", host="b.com"), a_rule("both")

    assert [each.outcome for each in told(there, here)] == ["wins"]
