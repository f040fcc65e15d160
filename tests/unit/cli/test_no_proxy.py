import pytest

from clientcreds_proxy.cli.clients.no_proxy import (
    completed,
    entries,
    for_java,
    hidden_rules,
    hides,
    rules_loopback,
)
from clientcreds_proxy.rules.model import Match, Rule
from clientcreds_proxy.rules.pattern import parse_host


def rule(*hosts: str) -> Rule:
    return Rule(name=hosts[0], match=Match(hosts=tuple(parse_host(host)[0] for host in hosts)))


def test_entries_of_both_spellings_come_once() -> None:
    environ = {"no_proxy": "a.example, b.example", "NO_PROXY": "b.example c.example,,"}

    assert entries(environ) == ("a.example", "b.example", "c.example")


def test_this_machine_is_appended() -> None:
    own = ("a.example", "localhost")

    assert completed(own, loopback_is_ruled=False) == ("a.example", "localhost", "127.0.0.1", "::1")


def test_this_machine_is_taken_out_where_a_rule_is_for_it() -> None:
    own = ("a.example", "localhost", "127.0.0.1:8080", "[::1]", ".localhost")

    assert completed(own, loopback_is_ruled=True) == ("a.example",)


def test_a_star_gets_the_spelling_that_every_client_reads() -> None:
    assert completed(("*.a.example",), loopback_is_ruled=True) == ("*.a.example", ".a.example")


@pytest.mark.parametrize(
    ("entry", "host", "is_hidden"),
    [
        ("a.example", "a.example", True),
        ("a.example", "b.a.example", True),
        ("A.Example", "a.example", True),
        (".a.example", "a.example", True),
        ("*.a.example", "b.a.example", True),
        ("a.example:443", "a.example", True),
        ("*", "a.example", True),
        ("a.example", "ba.example", False),
        ("b.a.example", "a.example", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "a.example", False),
        ("10.1.2.3", "10.1.2.4", False),
        ("::1", "::1", True),
        ("[::1]:80", "::1", True),
    ],
)
def test_an_entry_hides_a_host(entry: str, host: str, is_hidden: bool) -> None:  # noqa: FBT001
    assert hides(entry, host) is is_hidden


def test_hidden_rules_are_named_with_their_entry() -> None:
    rules = [rule("api.a.example"), rule("b.example"), rule("*.c.example")]

    assert hidden_rules(("a.example", "c.example"), rules) == (
        ("a.example", "api.a.example"),
        ("c.example", "*.c.example"),
    )


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [("localhost", True), ("*.localhost", True), ("127.0.0.2", True), ("api.example", False)],
)
def test_a_rule_for_this_machine_is_seen(host: str, is_loopback: bool) -> None:  # noqa: FBT001
    assert rules_loopback([rule("a.example"), rule("b.example", host)]) is is_loopback


def test_java_has_patterns_of_its_own() -> None:
    hidden = ("localhost", "127.0.0.1", "::1", "a.example", ".b.example", "10.0.0.0/8", "10.1.2.3", "*")

    assert for_java(hidden) == (
        "localhost|127.*|[::1]|a.example|*.a.example|b.example|*.b.example|10.1.2.3|*"
    )
    assert for_java(()) == ""
