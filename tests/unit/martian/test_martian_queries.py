"""`querystring.Modifier` and `querystring.Filter`."""

import pytest

from clientcreds_proxy.martian.message import Request
from clientcreds_proxy.martian.parse import parse
from tests.unit.martian.messages import answer_to, led, problems_of, request_to

FILTER = {
    "querystring.Filter": {
        "name": "param",
        "modifier": {"header.Modifier": {"name": "X-Found", "value": "then"}},
        "else": {"header.Modifier": {"name": "X-Found", "value": "else"}},
    }
}


def with_value(value: str) -> dict[str, object]:
    return {"querystring.Filter": FILTER["querystring.Filter"] | {"value": value}}


def branch_of(tree: object, query: str) -> str:
    url = f"https://api.example.com/{query}"
    request = led(tree, url)
    response = answer_to(tree, request_to(url))
    assert response.headers[-1] == request.headers[-1]
    return request.headers[-1][1]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "?n=v"),
        ("?", "?n=v"),
        ("?n=1&n=2&N=3", "?N=3&n=v"),
        ("?z=1&a=%20x&flag&semi;colon=1&plus=a+b", "?a=+x&flag=&n=v&plus=a+b&z=1"),
        ("?b=2&b=1&a=3", "?a=3&b=2&b=1&n=v"),
        ("?a=%zz&%=1&b=%4", "?n=v"),
        ("?a=%C3%A4&%6e=1", "?a=%C3%A4&n=v"),
        ("?a=ä", "?a=%C3%A4&n=v"),
        ("?a=%FF", "?a=%FF&n=v"),
        ("?=1&&a", "?=1&a=&n=v"),
        ("?a=b=c", "?a=b%3Dc&n=v"),
        ("?a=-_.~!*'()", "?a=-_.~%21%2A%27%28%29&n=v"),
        ("?a=1?b=2", "?a=1%3Fb%3D2&n=v"),
    ],
)
def test_modifier_writes_the_query_anew(before: str, after: str) -> None:
    tree = {"querystring.Modifier": {"name": "n", "value": "v"}}

    assert led(tree, f"https://api.example.com/p%20q{before}").target == f"/p%20q{after}"


def test_modifier_encodes_what_it_sets() -> None:
    tree = {"querystring.Modifier": {"name": "n m", "value": "a b&c=ü\r\n"}}

    assert led(tree, "https://api.example.com/").target == "/?n+m=a+b%26c%3D%C3%BC%0D%0A"


@pytest.mark.parametrize(("target", "after"), [("/?a=\udcff", "/?a=%FF&n=v"), ("*", "*")])
def test_modifier_reads_what_no_client_should_send(target: str, after: str) -> None:
    request = Request(method="OPTIONS", scheme="http", host="h", port=80, target=target, headers=())

    assert (
        parse({"querystring.Modifier": {"name": "n", "value": "v"}}).modify_request(request).target == after
    )
    assert request.url == ("http://h/*" if target == "*" else f"http://h{target}")


def test_modifier_knows_requests_alone() -> None:
    tree = {"querystring.Modifier": {"scope": ["response"], "name": "n", "value": "v"}}

    assert problems_of(tree) == (
        (("querystring.Modifier", "scope", 0), "querystring.Modifier has no response phase, only request"),
    )


@pytest.mark.parametrize(
    ("query", "branch"),
    [
        ("?param=anything", "then"),
        ("?param", "then"),
        ("?a=1&par%61m=", "then"),
        ("?PARAM=1", "else"),
        ("?param=1;", "else"),
        ("", "else"),
    ],
)
def test_filter_without_value_asks_for_the_parameter(query: str, branch: str) -> None:
    assert branch_of(FILTER, query) == branch
    assert branch_of(with_value(""), query) == branch


@pytest.mark.parametrize(
    ("query", "branch"),
    [("?param=a+b", "then"), ("?param=x&param=a%20b", "then"), ("?param=a", "else"), ("?other=a+b", "else")],
)
def test_filter_asks_for_a_value(query: str, branch: str) -> None:
    assert branch_of(with_value("a b"), query) == branch
