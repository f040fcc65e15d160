from typing import Any

import pytest

from clientcreds_proxy.rules.shadow import shadowed
from tests.unit.rules.making import a_rule

SHADOWED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({}, {"path": "/v2/**"}),
    ({"path": "/**"}, {}),
    ({"host": "*.example.com"}, {}),
    ({"host": "**.example.com"}, {"host": "*.example.com"}),
    ({"host": "**.example.com"}, {"host": "**.a.example.com"}),
    ({"host": ["b.com", "a.com"]}, {"host": "a.com"}),
    ({"path": "/v2/*"}, {"path": "/v2/orders"}),
    ({"path": "/v2/{id}"}, {"path": "/v2/*"}),
    ({"path": "/v2/**"}, {"path": "/v2/*/items/**"}),
    ({"path": "/v2/**"}, {"path": ["/v2", "/v2/"]}),
    ({"path": ["/a/**", "/b/**"]}, {"path": ["/b/c", "/a"]}),
    ({"path": ["/", "/*/**", "/**/"]}, {"path": ["/a/**"]}),
    ({"path": "/**/**"}, {"path": "/**"}),
    ({"methods": ["GET", "POST"]}, {"methods": ["GET"]}),
    ({}, {"methods": ["GET"]}),
    ({"ports": "any"}, {"ports": [8443]}),
    ({"ports": "any"}, {"ports": "any"}),
    ({"ports": [80, 443]}, {}),
    ({}, {"schemes": ["https"]}),
    ({"upgrade_to_https": True}, {"schemes": ["http"]}),
    ({"query": {"a": {"1", "2"}}}, {"query": {"a": {"1"}, "b": {"3"}}}),
    ({}, {"query": {"a": {"1"}}}),
]

NOT_SHADOWED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"path": "/v2/**"}, {}),
    ({}, {"host": "*.example.com"}),
    ({"host": "*.example.com"}, {"host": "**.example.com"}),
    ({"host": "**.a.example.com"}, {"host": "**.example.com"}),
    ({"host": "a.com"}, {"host": ["a.com", "b.com"]}),
    ({"path": "/v2/orders"}, {"path": "/v2/*"}),
    ({"path": "/v2/*"}, {"path": "/v2/"}),
    ({"path": "/v2/*"}, {"path": "/v2/**"}),
    ({"path": "/**/b"}, {"path": "/a/**"}),
    ({"path": ["/a", "/a/*"]}, {"path": "/a/**"}),
    ({"methods": ["GET"]}, {}),
    ({"methods": ["GET"]}, {"methods": ["GET", "PUT"]}),
    ({"ports": [443]}, {"ports": "any"}),
    ({"schemes": ["https"]}, {}),
    ({}, {"upgrade_to_https": True}),
    ({"query": {"a": {"1"}}}, {}),
    ({"query": {"a": {"1"}}}, {"query": {"a": {"1", "2"}}}),
    ({"host": "other.example"}, {}),
]


@pytest.mark.parametrize(("earlier", "later"), SHADOWED)
def test_shadowed_names_a_rule_that_can_never_win(earlier: dict[str, Any], later: dict[str, Any]) -> None:
    first, second = a_rule("first", **earlier), a_rule("second", **later)

    assert shadowed([first, second]) == [(second, first)]


@pytest.mark.parametrize(("earlier", "later"), NOT_SHADOWED)
def test_shadowed_is_silent_when_a_request_is_left(earlier: dict[str, Any], later: dict[str, Any]) -> None:
    assert shadowed([a_rule("first", **earlier), a_rule("second", **later)]) == []


def test_shadowed_names_the_first_rule_that_takes_all() -> None:
    rules = [a_rule("part", path="/v2/**"), a_rule("all"), a_rule("again"), a_rule("never", path="/v1")]

    names = [(rule.name, by.name) for rule, by in shadowed(rules)]

    assert names == [("again", "all"), ("never", "all")]


def test_shadowed_is_silent_about_a_rule_that_no_request_can_match() -> None:
    assert shadowed([a_rule("first", path="/v2"), a_rule("empty", ports=[], query={"a": set()})]) == []


def test_shadowed_gives_nothing_without_rules() -> None:
    assert shadowed([]) == []
