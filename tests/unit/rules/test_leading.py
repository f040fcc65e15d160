"""Where a modifier may lead a request of a rule with a token source (contract section 7)."""

import pytest

from clientcreds_proxy.rules.matching import may_lead
from clientcreds_proxy.rules.rulebook import RuleBook
from tests.unit.rules.making import a_rule, at


@pytest.mark.parametrize(
    ("before", "after", "may"),
    [
        ("https://api.example.com", "https://api.example.com", True),
        ("https://a.example.com", "https://b.example.com", True),
        ("http://a.example.com", "https://b.example.com", True),
        ("http://a.example.com", "http://b.example.com", True),
        ("https://a.example.com", "http://a.example.com", False),
        ("https://a.example.com", "https://a.example.com:8443", False),
        ("https://a.example.com", "https://evil.example", False),
    ],
)
def test_rule_leads_to_its_own_hosts_and_never_off_tls(before: str, after: str, *, may: bool) -> None:
    assert may_lead([a_rule(host="**.example.com")], at(before), at(after)) is may


@pytest.mark.parametrize(
    ("after", "may"),
    [
        ("https://b.example.com", True),
        ("https://b.example.com:80", False),
        ("http://b.example.com", False),  # its requests leave over TLS, all of them
    ],
)
def test_upgraded_rule_leads_to_where_its_requests_leave_for(after: str, *, may: bool) -> None:
    rule = a_rule(host=["a.example.com", "b.example.com"], schemes=["http"], upgrade_to_https=True)

    assert may_lead([rule], at("http://a.example.com"), at(after)) is may


def test_hosts_with_ports_of_their_own_are_one_rule() -> None:
    a, b = a_rule(host="a.example.com", ports=[8443]), a_rule(host="b.example.com", ports=[9443])
    origin = at("https://a.example.com:8443")

    book = RuleBook([a, a_rule("other", host="c.example.com"), b])

    assert book.rules_named("billing") == [a, b]
    assert may_lead(book.rules_named("billing"), origin, at("https://b.example.com:9443"))
    assert not may_lead(book.rules_named("billing"), origin, at("https://b.example.com:8443"))
    assert not may_lead(book.rules_named("billing"), origin, at("https://c.example.com"))
