import pytest

from clientcreds_proxy.martian.filters import Filter, HeaderMatches
from clientcreds_proxy.martian.parse import parse
from tests.unit.martian.messages import answered, problems_of, request_with, requested, response_with

YES = {"header.Modifier": {"name": "X-Branch", "value": "then"}}
NO = {"header.Modifier": {"name": "X-Branch", "value": "else"}}


@pytest.mark.parametrize(
    ("values", "branch"),
    [(["prod"], "then"), (["dev", "prod"], "then"), (["dev"], "else"), (["dev,prod"], "else"), ([], "else")],
)
def test_filter_holds_when_any_value_is_equal(values: list[str], branch: str) -> None:
    tree = {"header.Filter": {"name": "X-env", "value": "prod", "modifier": YES, "else": NO}}
    headers = tuple(("X-Env", value) for value in values)

    assert requested(tree, *headers)[-1] == ("X-Branch", branch)
    assert answered(tree, *headers)[-1] == ("X-Branch", branch)


@pytest.mark.parametrize(
    ("fields", "headers", "branch"),
    [
        ({}, [("X-Env", "dev")], "then"),
        ({}, [("X-Env", "")], "then"),
        ({}, [], "else"),
        ({"value": None}, [("X-Env", "dev")], "then"),
        ({"value": ""}, [("X-Env", "dev")], "else"),
        ({"value": ""}, [("X-Env", "")], "then"),
    ],
)
def test_filter_without_value_asks_for_presence(
    fields: dict[str, object], headers: list[tuple[str, str]], branch: str
) -> None:
    tree = {"header.Filter": {"name": "X-Env", "modifier": YES, "else": NO} | fields}

    assert requested(tree, *headers)[-1] == ("X-Branch", branch)


def test_filter_without_else_leaves_messages_alone() -> None:
    modifier = parse({"header.Filter": {"name": "X-Env", "modifier": YES}})
    request, response = request_with(), response_with()

    assert modifier.modify_request(request) is request
    assert modifier.modify_response(response, request) is response
    assert len(list(modifier.children())) == 1


def test_filter_changes_what_either_branch_changes() -> None:
    id_alone: dict[str, object] = {"header.Id": {}}
    answer_alone = {"header.Modifier": {"scope": ["response"], "name": "X-A", "value": "1"}}

    both = parse({"header.Filter": {"name": "X-A", "modifier": id_alone, "else": answer_alone}})
    requests_alone = parse({"header.Filter": {"name": "X-A", "modifier": id_alone}})

    assert (both.changes_requests, both.changes_responses) == (True, True)
    assert (requests_alone.changes_requests, requests_alone.changes_responses) == (True, False)


@pytest.mark.parametrize(
    ("else_", "message"),
    [
        (None, "expected a modifier, a mapping with one name, found null"),
        ({}, "expected a mapping with exactly one modifier's name, found 0 keys"),
    ],
)
def test_filter_refuses_an_else_that_is_no_modifier(else_: object, message: str) -> None:
    assert problems_of({"header.Filter": {"name": "X-A", "modifier": YES, "else": else_}}) == (
        (("header.Filter", "else"), message),
    )


def test_filters_need_a_modifier() -> None:
    assert problems_of({"header.RegexFilter": {"header": "X-A", "regex": "a"}}) == (
        (("header.RegexFilter",), "the key 'modifier' is missing, expected a modifier"),
    )


@pytest.mark.parametrize(
    ("regex", "values", "holds"),
    [
        ("b", ["abc"], True),
        ("^b", ["abc"], False),
        ("b", ["a", "b"], False),  # the first value alone
        (".*", [""], False),
        (".*", [], False),
        ("", ["a"], True),
        ("^.$", ["世"], True),
        ("^x.$", ["x\udcff"], True),  # a byte that is no UTF-8
        ("(?i)ABC", ["xabcx"], True),
    ],
)
def test_regex_filter_searches_the_first_value(*, regex: str, values: list[str], holds: bool) -> None:
    tree = {"header.RegexFilter": {"header": "x-kind", "regex": regex, "modifier": YES}}

    headers = requested(tree, *(("X-Kind", value) for value in values))

    assert (("X-Branch", "then") in headers) is holds


def test_regex_filter_looks_at_the_request_in_both_phases() -> None:
    tree = {"header.RegexFilter": {"header": "X-Kind", "regex": "a", "modifier": YES}}

    assert answered(tree, ("X-Kind", "b"), sent=request_with(("X-Kind", "a")))[-1] == ("X-Branch", "then")
    assert answered(tree, ("X-Kind", "a"), sent=request_with(("X-Kind", "b"))) == (("X-Kind", "a"),)


def test_regex_filter_sees_the_host() -> None:
    tree = {"header.RegexFilter": {"header": "Host", "regex": r"^api\.", "modifier": YES}}

    assert requested(tree) == (("X-Branch", "then"),)


@pytest.mark.parametrize(
    ("regex", "words"), [("(a", "missing ): (a"), ("(?<=a)b", "invalid perl operator: (?<="), ("a**", "")]
)
def test_regex_filter_refuses_what_re2_refuses(
    regex: str, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    ((path, message),) = problems_of(
        {"header.RegexFilter": {"header": "X-A", "regex": regex, "modifier": YES}}
    )

    assert path == ("header.RegexFilter", "regex")
    assert message.startswith(f"not a regular expression of RE2: {words}")
    assert capfd.readouterr() == ("", "")


def test_regex_filter_has_no_else() -> None:
    tree = {"header.RegexFilter": {"header": "X-A", "regex": "a", "modifier": YES, "else": NO}}

    assert problems_of(tree) == (
        (
            ("header.RegexFilter", "else"),
            "unknown key 'else', expected one of header, modifier, regex, scope",
        ),
    )


def test_regex_filter_uses_re2_alone() -> None:
    hostile = {"header.RegexFilter": {"header": "X-A", "regex": "^(a+)+$", "modifier": YES}}
    modifier = parse(hostile)

    assert isinstance(modifier, Filter)
    assert isinstance(modifier.condition, HeaderMatches)
    assert type(modifier.condition.pattern).__module__ == "re2"
    assert requested(hostile, ("X-A", "a" * 100 * 1024 + "!"))[1:] == ()
