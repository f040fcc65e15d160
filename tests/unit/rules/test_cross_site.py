from dataclasses import replace

import pytest

from clientcreds_proxy.errors import CrossSite
from clientcreds_proxy.martian.message import Headers
from clientcreds_proxy.rules.cross_site import is_cross_site, preflight_method, refuse_cross_site
from tests.unit.rules.making import a_rule, at

HTTPS = at("https://api.example.com")
HTTP = at("http://api.example.com")


@pytest.mark.parametrize("value", ["cross-site", "Cross-Site", " cross-site ", "same-origin, cross-site"])
def test_is_cross_site_believes_the_browser(value: str) -> None:
    assert is_cross_site((("sec-fetch-SITE", value),), HTTPS, upgraded=False)


@pytest.mark.parametrize("value", ["same-origin", "same-site", "none", ""])
def test_is_cross_site_is_false_when_the_browser_says_otherwise(value: str) -> None:
    headers = (("Sec-Fetch-Site", value), ("Origin", "https://evil.example"))

    assert not is_cross_site(headers, HTTP, upgraded=True)


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://[", "https://api.example.com.evil.example", "http://a..b"],
)
def test_is_cross_site_looks_at_the_origin_when_a_request_is_upgraded(origin: str) -> None:
    assert is_cross_site((("Origin", origin),), HTTP, upgraded=True)


@pytest.mark.parametrize(
    "origin", ["http://api.example.com", "http://API.example.com:3000", "https://api.example.com"]
)
def test_is_cross_site_is_false_when_the_origin_is_the_destination(origin: str) -> None:
    assert not is_cross_site((("Origin", origin),), HTTP, upgraded=True)


def test_is_cross_site_is_false_without_an_origin() -> None:
    assert not is_cross_site((("Accept", "*/*"),), HTTP, upgraded=True)


def test_is_cross_site_ignores_the_origin_when_browsers_could_send_more() -> None:
    headers = (("Origin", "https://evil.example"),)

    assert not is_cross_site(headers, HTTPS, upgraded=True)
    assert not is_cross_site(headers, HTTP, upgraded=False)


def test_refuse_cross_site_names_the_key_that_allows_it() -> None:
    with pytest.raises(CrossSite, match="allow_cross_site"):
        refuse_cross_site(a_rule(), (("Sec-Fetch-Site", "cross-site"),), HTTPS, upgraded=False)


def test_refuse_cross_site_refuses_when_no_rule_won() -> None:
    with pytest.raises(CrossSite):
        refuse_cross_site(None, (("Sec-Fetch-Site", "cross-site"),), HTTPS, upgraded=False)


def test_refuse_cross_site_lets_pass_what_the_rule_allows() -> None:
    rule = replace(a_rule(), allow_cross_site=True)

    refuse_cross_site(rule, (("Sec-Fetch-Site", "cross-site"),), HTTPS, upgraded=False)


def test_refuse_cross_site_lets_other_requests_pass() -> None:
    refuse_cross_site(a_rule(), (), HTTPS, upgraded=False)


def test_preflight_method_is_the_one_that_is_asked_for() -> None:
    headers = (("origin", "https://app.example"), ("access-control-request-method", "PUT"))

    assert preflight_method("OPTIONS", headers) == "PUT"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", (("Origin", "https://app.example"), ("Access-Control-Request-Method", "PUT"))),
        ("OPTIONS", (("Access-Control-Request-Method", "PUT"),)),
        ("OPTIONS", (("Origin", "https://app.example"),)),
    ],
)
def test_preflight_method_is_none_when_it_is_no_preflight(method: str, headers: Headers) -> None:
    assert preflight_method(method, headers) is None
