from typing import Any

import pytest

from clientcreds_proxy.rules.matching import all_arrivals, covers, leaves_for, mismatch
from clientcreds_proxy.rules.model import RequestFacts
from tests.unit.rules.making import a_request, a_rule, at


@pytest.mark.parametrize(
    ("match", "facts", "reason"),
    [
        ({}, a_request(to="https://other.example.com"), "host differs: not api.example.com"),
        ({"host": ["b.com", "a.com"]}, a_request(), "host differs: not a.com or b.com"),
        ({"path": "/v1/**"}, a_request(), "path differs: not /v1/**"),
        ({"schemes": ["https"]}, a_request(to="http://api.example.com"), "scheme differs: not https"),
        ({}, a_request(to="https://api.example.com:8443"), "port differs: not 443"),
        ({}, a_request(to="https://api.example.com:80"), "port differs: not 443"),
        ({"ports": [1, 2]}, a_request(), "port differs: not 1 or 2"),
        ({"methods": ["POST", "PUT"]}, a_request(), "method differs: not POST or PUT"),
        ({"methods": ["GET"]}, a_request(method="get"), "method differs: not GET"),
        ({"query": {"tenant": {"acme"}}}, a_request(), "query differs: tenant is not acme"),
    ],
)
def test_mismatch_says_what_differs(match: dict[str, Any], facts: RequestFacts, reason: str) -> None:
    assert mismatch(a_rule(**match), facts) == reason


@pytest.mark.parametrize(
    ("match", "facts"),
    [
        ({}, a_request("/", method="DELETE")),
        ({}, a_request("*", method="OPTIONS")),
        ({}, a_request(to="http://api.example.com")),
        ({"host": ["b.com", "**.example.com"]}, a_request()),
        ({"path": ["/v1/**", "/v2/*"]}, a_request("/v2/orders?a=/b")),
        ({"methods": ["GET", "POST"], "schemes": ["https"], "ports": [443]}, a_request()),
        ({"ports": "any"}, a_request(to="http://api.example.com:8080")),
        ({"ports": [8443]}, a_request(to="https://api.example.com:8443")),
    ],
)
def test_mismatch_is_none_when_the_rule_is_for_the_request(
    match: dict[str, Any], facts: RequestFacts
) -> None:
    assert mismatch(a_rule(**match), facts) is None


@pytest.mark.parametrize(
    "query", ["tenant=acme", "x=1&tenant=acme&y=2", "tenant=%61cme", "tenant=b+c", "tenant=acme&tenant=b%20c"]
)
def test_query_matches_one_of_the_values_and_leaves_others_free(query: str) -> None:
    rule = a_rule(query={"tenant": {"acme", "b c"}})

    assert mismatch(rule, a_request(f"/v2?{query}")) is None


@pytest.mark.parametrize(
    "query",
    ["", "tenant", "tenant=", "Tenant=acme", "tenant=Acme", "tenant=acme&tenant=evil", "a=b;tenant=acme"],
)
def test_query_does_not_match_another_value(query: str) -> None:
    rule = a_rule(query={"tenant": {"acme"}})

    assert mismatch(rule, a_request(f"/v2?{query}")) == "query differs: tenant is not acme"


def test_query_matches_an_empty_value_when_the_rule_asks_for_it() -> None:
    rule = a_rule(query={"debug": {""}})

    assert mismatch(rule, a_request("/v2?debug")) is None


@pytest.mark.parametrize(
    ("match", "comes", "leaves"),
    [
        ({}, "http://api.example.com", "https://api.example.com"),
        ({}, "http://api.example.com:443", "https://api.example.com"),
        ({}, "https://api.example.com", "https://api.example.com"),
        ({"schemes": ["https"]}, "http://api.example.com", "https://api.example.com"),
        ({"schemes": ["http"]}, "http://api.example.com", "https://api.example.com"),
        ({"ports": [8443]}, "http://api.example.com:8443", "https://api.example.com:8443"),
        ({"ports": [8443, 443]}, "http://api.example.com", "https://api.example.com"),
        ({"ports": [80, 443]}, "http://api.example.com", "https://api.example.com"),
        ({"ports": [80]}, "http://api.example.com", "https://api.example.com:80"),
        ({"ports": "any"}, "http://api.example.com", "https://api.example.com"),
        ({"ports": "any"}, "http://api.example.com:8080", "https://api.example.com:8080"),
    ],
)
def test_leaves_for_tls_when_the_rule_upgrades(match: dict[str, Any], comes: str, leaves: str) -> None:
    rule = a_rule(upgrade_to_https=True, **match)

    assert leaves_for(rule, at(comes)) == at(leaves)
    assert mismatch(rule, a_request(to=comes)) is None


@pytest.mark.parametrize(
    ("match", "comes"),
    [
        ({}, "http://api.example.com:8080"),
        ({}, "https://api.example.com:80"),
        ({"ports": [8443]}, "http://api.example.com"),
        ({"ports": [8443]}, "http://api.example.com:443"),
        ({"schemes": ["http"]}, "https://api.example.com"),
    ],
)
def test_leaves_for_nowhere_when_scheme_or_port_differ_under_an_upgrade(
    match: dict[str, Any], comes: str
) -> None:
    rule = a_rule(upgrade_to_https=True, **match)

    assert leaves_for(rule, at(comes)) is None
    assert mismatch(rule, a_request(to=comes)) is not None


def test_leaves_for_the_same_place_when_the_rule_does_not_upgrade() -> None:
    assert leaves_for(a_rule(), at("http://api.example.com")) == at("http://api.example.com")


@pytest.mark.parametrize(
    ("rule", "ports"),
    [
        (a_rule(), {80, 443}),
        (a_rule(schemes=["https"]), {443}),
        (a_rule(schemes=["http"]), {80}),
        (a_rule(schemes=["https"], upgrade_to_https=True), {80, 443}),
        (a_rule(ports=[8443], upgrade_to_https=True), {8443}),
        (a_rule(ports=[8443]), {8443}),
        (a_rule(ports="any"), "any"),
        (a_rule(ports="any", schemes=["https"]), "any"),
    ],
)
def test_all_arrivals_are_the_ports_of_any_scheme(rule: Any, ports: Any) -> None:
    assert all_arrivals(rule) == ports


@pytest.mark.parametrize(
    ("url", "covered"),
    [
        ("https://api.example.com", True),
        ("http://api.example.com", False),
        ("https://api.example.com:8443", False),
        ("https://evil.example", False),
    ],
)
def test_covers_compares_scheme_host_and_port(url: str, covered: bool) -> None:  # noqa: FBT001 - a table's column
    assert covers(a_rule(schemes=["https"], path="/v2/**"), at(url)) == covered
