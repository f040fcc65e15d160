"""`cookie.Modifier` and `cookie.Filter`."""

import pytest

from tests.unit.martian.messages import answered, problems_of, requested

ADD = {"cookie.Modifier": {"name": "a", "value": "2"}}


def found(name: str, value: str | None = None) -> dict[str, object]:
    then = {"header.Modifier": {"name": "X-Found", "value": "then"}}
    otherwise = {"header.Modifier": {"name": "X-Found", "value": "else"}}
    return {"cookie.Filter": {"name": name, "value": value, "modifier": then, "else": otherwise}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], "a=2"),
        (["a=1"], "a=1; a=2"),
        (["b=1;"], "b=1;; a=2"),
        ([""], "a=2"),
        (["b=1", "c=1"], "b=1; c=1; a=2"),  # HTTP/2 splits them
    ],
)
def test_modifier_adds_a_cookie_to_those_that_are_there(before: list[str], after: str) -> None:
    assert requested(ADD, *(("Cookie", text) for text in before)) == (("Cookie", after),)


def test_modifier_adds_a_set_cookie() -> None:
    before = ("Set-Cookie", "a=1; Path=/")

    assert answered(ADD, before) == (before, ("Set-Cookie", "a=2"))


def test_modifier_keeps_to_its_scope() -> None:
    request_only = {"cookie.Modifier": ADD["cookie.Modifier"] | {"scope": ["request"]}}
    response_only = {"cookie.Modifier": ADD["cookie.Modifier"] | {"scope": ["response"]}}

    assert answered(request_only) == ()
    assert requested(response_only) == ()


@pytest.mark.parametrize(
    ("attribute", "written"),
    [
        ({"path": "/some/path"}, "; Path=/some/path"),
        ({"domain": "Example.com"}, "; Domain=Example.com"),
        ({"domain": ".example.com"}, "; Domain=example.com"),
        ({"domain": "192.0.2.1"}, "; Domain=192.0.2.1"),
        ({"expires": "2025-04-12T23:20:50.52Z"}, "; Expires=Sat, 12 Apr 2025 23:20:50 GMT"),
        ({"expires": "2025-04-13T01:20:50+02:00"}, "; Expires=Sat, 12 Apr 2025 23:20:50 GMT"),
        ({"expires": "0001-01-01T00:00:00Z"}, ""),  # Go's zero
        ({"expires": None}, ""),
        ({"maxAge": 86400}, "; Max-Age=86400"),
        ({"maxAge": 0}, ""),
        ({"maxAge": -1}, "; Max-Age=0"),
        ({"secure": True}, "; Secure"),
        ({"httpOnly": True}, "; HttpOnly"),
        (
            {"secure": True, "httpOnly": True, "maxAge": 1, "path": "/"},
            "; Path=/; Max-Age=1; HttpOnly; Secure",
        ),
    ],
)
def test_modifier_writes_attributes_as_go_does(attribute: dict[str, object], written: str) -> None:
    tree = {"cookie.Modifier": {"name": "a", "value": "2"} | attribute}

    assert answered(tree) == (("Set-Cookie", f"a=2{written}"),)
    assert requested(tree) == (("Cookie", "a=2"),)


@pytest.mark.parametrize(
    ("value", "written"), [("a b,c", '"a b,c"'), (",", '","'), ("", ""), ("a=b", "a=b"), ("<>", "<>")]
)
def test_modifier_quotes_blanks_and_commas(value: str, written: str) -> None:
    tree = {"cookie.Modifier": {"name": "sp", "value": value}}

    assert requested(tree) == (("Cookie", f"sp={written}"),)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "a b", "not a cookie's name, expected letters, digits and hyphens"),
        ("name", "", "not a cookie's name, expected letters, digits and hyphens"),
        ("value", "a\r\nSet-Cookie: b=1", "a cookie's value is ASCII without"),
        ("value", 'a"b', "a cookie's value is ASCII without"),
        ("value", "a;b", "a cookie's value is ASCII without"),
        ("value", "a\\b", "a cookie's value is ASCII without"),
        ("value", "ä", "a cookie's value is ASCII without"),
        ("path", "/; Secure", "a cookie's path is ASCII without"),
        ("path", "/\n", "a cookie's path is ASCII without"),
        ("domain", "a b", "not a domain"),
        ("domain", "-a.example", "not a domain"),
        ("domain", "a..example", "not a domain"),
        ("domain", "example.com\n", "not a domain"),
        ("domain", "a." * 127 + "example", "not a domain"),
        ("expires", "tomorrow", "not a date, expected one of RFC 3339"),
        ("expires", "2025-04-12", "not a date"),
        ("expires", "2025-02-30T00:00:00Z", "not a date"),
        ("expires", "9999-12-31T23:59:59-01:00", "not a date"),
        ("expires", 5, "expected text, found a number"),
        ("maxAge", "5", "expected a whole number, found text"),
        ("secure", "yes", "expected true or false, found text"),
    ],
)
def test_modifier_is_refused(field: str, value: object, message: str) -> None:
    ((path, said),) = problems_of({"cookie.Modifier": {"name": "a", "value": "b"} | {field: value}})

    assert path == ("cookie.Modifier", field)
    assert said.startswith(message)


@pytest.mark.parametrize(
    ("cookie", "value", "branch"),
    [
        ("m=whatever", None, "then"),
        ("m=whatever", "", "then"),
        ("m=", None, "then"),
        ("m", None, "then"),
        ("a=1; m=yes", "yes", "then"),
        ("a=1;m=yes;", "yes", "then"),
        ('m="y s"', "y s", "then"),
        ("m=no; m=yes", "yes", "then"),
        ("m=yes;", "no", "else"),
        ("M=yes", None, "else"),
        ("mm=yes", None, "else"),
        ("m=a\\b", None, "else"),  # Go drops a cookie with a value that none may have
        ('m="', None, "else"),
        ("", None, "else"),
    ],
)
def test_filter_reads_requests_as_go_does(cookie: str, value: str | None, branch: str) -> None:
    assert requested(found("m", value), ("Cookie", cookie))[1:] == (("X-Found", branch),)


@pytest.mark.parametrize(
    ("cookie", "branch"),
    [("m=yes; Path=/", "then"), ("m=no", "else"), ("a=1; m=yes", "else"), ("m=yes", "then")],
)
def test_filter_reads_what_responses_set(cookie: str, branch: str) -> None:
    headers = (("Set-Cookie", "other=1"), ("Set-Cookie", cookie))

    assert answered(found("m", "yes"), *headers)[2:] == (("X-Found", branch),)


def test_filter_refuses_a_null_else() -> None:
    fields: dict[str, object] = {"name": "m", "modifier": {"header.Id": {}}, "else": None}

    assert [path for path, _ in problems_of({"cookie.Filter": fields})] == [("cookie.Filter", "else")]


def test_long_cookie_is_read_in_one_go() -> None:
    """100 KiB of separators: each part is looked at once."""
    hostile = (("Cookie", ";" * 50_000 + '"' * 50_000 + "=; m=yes"),)

    assert requested(found("m", "yes"), *hostile)[1:] == (("X-Found", "then"),)
