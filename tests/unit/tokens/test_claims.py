from typing import Any

import pytest

from clientcreds_proxy.tokens.claims.values import (
    ClaimSyntaxError,
    find,
    parse_claim,
    path_text,
    scalar_text,
    text_of,
)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sub", ("sub",)),
        ("user.name", ("user", "name")),
        (r"https://example\.com/roles", ("https://example.com/roles",)),
        (r"a\\b.c", (r"a\b", "c")),
        ("名前", ("名前",)),
    ],
)
def test_path_is_split_at_bare_dots(text: str, path: tuple[str, ...]) -> None:
    assert parse_claim(text) == path
    assert path_text(path) == text


@pytest.mark.parametrize(
    ("text", "offset"), [("", 0), ("a..b", 2), (".a", 0), ("a.", 2), (r"a\x", 1), ("a\\", 1)]
)
def test_path_that_can_not_be_read_is_refused_with_its_place(text: str, offset: int) -> None:
    with pytest.raises(ClaimSyntaxError) as caught:
        parse_claim(text)

    assert caught.value.offset == offset


def test_claim_is_found_inside_others() -> None:
    claims = {"user": {"name": "Ada", "gone": None}, "user.name": "flat", "list": [{"a": 1}]}

    assert find(claims, ("user", "name")) == "Ada"
    assert find(claims, ("user", "gone")) is None
    assert find(claims, ("user", "name", "first")) is None
    assert find(claims, ("list", "0")) is None
    assert find(claims, ("user.name",)) == "flat"
    assert find(None, ("user",)) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (True, "true"),
        (False, "false"),
        (2**53 + 1, "9007199254740993"),
        (1.0, "1"),
        (-0.0, "0"),
        (1e3, "1000"),
        (1.5e-7, "0.00000015"),
        (1e22, "10000000000000000000000"),
        (float("nan"), None),
        (float("inf"), None),
        (None, None),
        ([], None),
        ({}, None),
    ],
)
def test_scalar_has_one_text(value: object, text: str | None) -> None:
    assert scalar_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        (["a", 1, True], "a,1,true"),
        ([], ""),
        (["a", None], '["a",null]'),
        ([["a"], "b"], '[["a"],"b"]'),
        ({"a": {"b": [1, "ü"]}}, '{"a":{"b":[1,"ü"]}}'),
        (None, None),
        ("a\r\nX-Evil: 1", None),
        ("a\tb", None),
        ("a\x85b", None),
        ("a\ud800", None),
        (["a", "b\n"], None),
    ],
)
def test_claim_is_shown_on_one_line_or_not_at_all(value: Any, text: str | None) -> None:
    assert text_of(value) == text
