import pytest

from clientcreds_proxy.errors import AmbiguousPath, MethodRefused
from clientcreds_proxy.rules.model import RequestFacts, Rule
from clientcreds_proxy.rules.rulebook import Found, RuleBook
from tests.unit.rules.making import a_request, a_rule, at


def winner(facts: RequestFacts, *rules: Rule) -> str | None:
    found = RuleBook(rules).find(facts)
    return found.rule.name if found else None


def test_find_gives_the_first_rule_in_file_order() -> None:
    wide, exact = a_rule("wide", host="**.example.com"), a_rule("exact", path="/v2/orders")

    assert winner(a_request(), wide, exact) == "wide"
    assert winner(a_request(), exact, wide) == "exact"


def test_find_goes_on_when_an_earlier_rule_differs_beside_host_and_path() -> None:
    earlier = [
        a_rule("method", methods=["POST"]),
        a_rule("scheme", schemes=["http"], ports=[443]),
        a_rule("query", query={"tenant": {"acme"}}),
    ]

    assert winner(a_request(), *earlier, a_rule("last")) == "last"


def test_find_gives_none_when_no_rule_is_for_the_request() -> None:
    assert winner(a_request("/v1"), a_rule(path="/v2/**"), a_rule(methods=["POST"])) is None


def test_find_gives_none_when_there_are_no_rules() -> None:
    assert winner(a_request()) is None


def test_find_says_where_an_upgraded_request_leaves_for() -> None:
    rule = a_rule(upgrade_to_https=True)

    found = RuleBook([rule]).find(a_request(to="http://api.example.com"))

    assert found == Found(rule=rule, destination=at("https://api.example.com"))


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("api.example.com", 443),
        ("api.example.com", 80),
        ("x.wild.example", 443),
        ("a.b.deep.example", 443),
        ("upgraded.example", 80),
        ("any.example", 12345),
        ("192.0.2.1", 443),
        ("::1", 443),
    ],
)
def test_covers_a_ruled_host(host: str, port: int) -> None:
    book = RuleBook(
        [
            a_rule(path="/never", methods=["PUT"]),
            a_rule(host=["*.wild.example", "**.deep.example", "192.0.2.1", "::1"]),
            a_rule(host="upgraded.example", schemes=["https"], upgrade_to_https=True),
            a_rule(host="any.example", ports="any"),
        ]
    )

    assert book.covers(host, port)


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("api.example.com", 8443),
        ("example.com", 443),
        ("wild.example", 443),
        ("a.b.wild.example", 443),
        ("deep.example", 443),
        ("tls.example", 80),
        ("com", 443),
        ("", 443),
    ],
)
def test_covers_no_other_host(host: str, port: int) -> None:
    book = RuleBook(
        [
            a_rule(host=["api.example.com", "*.wild.example", "**.deep.example"]),
            a_rule(host="tls.example", schemes=["https"]),
        ]
    )

    assert not book.covers(host, port)


@pytest.mark.parametrize("method", ["TRACE", "trace", "Trace", "GET /admin", "G\u00c9T", ""])
def test_trace_and_what_is_no_method_are_refused_whichever_rule_won(method: str) -> None:
    for rule in (None, a_rule()):
        with pytest.raises(MethodRefused):
            RuleBook.refuse_ambiguous(a_request(method=method), rule)


@pytest.mark.parametrize(
    "path",
    ["/a/../b", "/a/%2e%2E/b", "/a%2Fb", "/a//b", "/a\\b", "/a%5cb", "/a%00b", "/a/..;/b", "/a%2f..%2fb"],
)
def test_an_ambiguous_path_is_refused_whichever_rule_won(path: str) -> None:
    for rule in (None, a_rule()):
        with pytest.raises(AmbiguousPath):
            RuleBook.refuse_ambiguous(a_request(path), rule)


def test_a_plain_path_may_go_on() -> None:
    for rule in (None, a_rule()):
        RuleBook.refuse_ambiguous(a_request("/v2/orders/?next=/a/../b//c%2F"), rule)


def test_a_rule_allows_exactly_what_it_says() -> None:
    slashes, empties = a_rule(allow_encoded_slash=True), a_rule(allow_empty_segments=True)

    RuleBook.refuse_ambiguous(a_request("/projects/a%2Fb/x"), slashes)
    RuleBook.refuse_ambiguous(a_request("/a//b"), empties)
    for path, rule in [
        ("/a//b%2F", slashes),
        ("/a//b%2F", empties),
        ("/a%2f..%2fb", slashes),
        ("//..", empties),
    ]:
        with pytest.raises(AmbiguousPath):
            RuleBook.refuse_ambiguous(a_request(path), rule)


def test_an_encoded_slash_counts_as_a_character_of_its_segment() -> None:
    rule = a_rule(path="/projects/*/files", allow_encoded_slash=True)

    assert winner(a_request("/projects/group%2Fname/files"), rule) == "billing"
    assert winner(a_request("/projects/group%2Ffiles"), rule) is None


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/a%2Fb", "the path holds an encoded slash; allow_encoded_slash in its rule would let that pass"),
        (
            "/a%2F//b",
            (
                "the path holds an empty segment and an encoded slash; "
                "allow_empty_segments and allow_encoded_slash in its rule would let that pass"
            ),
        ),
        ("/a%2F../", "the path holds a dot segment and an encoded slash"),
    ],
)
def test_the_refusal_names_the_key_only_when_that_would_help(path: str, detail: str) -> None:
    with pytest.raises(AmbiguousPath) as raised:
        RuleBook.refuse_ambiguous(a_request(path), a_rule())

    assert raised.value.detail == detail
