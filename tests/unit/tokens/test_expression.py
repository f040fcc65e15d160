from typing import Any

import pytest

from clientcreds_proxy.tokens.claims.expression import MAX_DEPTH, MAX_LENGTH, parse_expression
from clientcreds_proxy.tokens.claims.values import ClaimSyntaxError

ADA: dict[str, Any] = {
    "grp": "admin",
    "active": True,
    "off": False,
    "nothing": None,
    "level": 42,
    "exp": 2**53 + 1,
    "scope": "reader writer",
    "url": "http://example.com/foo/bar",
    "areas": ["office", "home"],
    "ids": [5, 7, True, None],
    "user": {"name": "Ada Lovelace"},
    "user.name": "flat",
    "https://example.com/roles": ["admin"],
}
HOLD = [
    "Equals(`grp`, `admin`)",
    'Equals("grp", "admin")',
    "Equals(`active`, `true`)",
    "Equals(`off`, `false`)",
    "Equals(`level`, `42`)",
    "Equals(`exp`, `9007199254740993`)",
    "Equals(`user.name`, `Ada Lovelace`)",
    r"Equals(`user\.name`, `flat`)",
    r'Equals("user\\.name", "flat")',
    r"Contains(`https://example\.com/roles`, `admin`)",
    "Contains(`url`, `/foo/`)",
    "Contains(`areas`, `home`)",
    "Contains(`ids`, `7`)",
    "Contains(`ids`, `true`)",
    "Prefix(`url`, `http://example.com/`)",
    "SplitContains(`scope`, ` `, `writer`)",
    "OneOf(`grp`, `x`, `admin`)",
    "OneOf(`areas`, `x`, `home`)",
    "OneOf(`level`, `42`)",
    "!Equals(`missing`, `x`)",
    "!!Equals(`grp`, `admin`)",
    "!(Equals(`grp`, `x`) || Equals(`grp`, `y`))",
    "!Equals(`grp`, `admin`) || Equals(`grp`, `admin`)",
    "Equals(`grp`, `x`) && Equals(`grp`, `x`) || Equals(`grp`, `admin`)",
    "Equals(`grp`, `admin`) || Equals(`grp`, `x`) && Equals(`grp`, `x`)",
    " \tEquals\n(`grp`\r,`admin`)\n&& Equals(`active`,`true`) ",
    r'Equals("grp", "\u0061dmin")',
]
DO_NOT_HOLD = [
    "Equals(`grp`, `Admin`)",
    "Equals(`grp`, ` admin `)",
    "Equals(`level`, `042`)",
    "Equals(`areas`, `office`)",
    "Equals(`nothing`, `null`)",
    "Contains(`areas`, `hom`)",
    "Contains(`level`, `4`)",
    "Contains(`missing`, `4`)",
    "Prefix(`areas`, `off`)",
    "Prefix(`level`, `4`)",
    "SplitContains(`areas`, `,`, `home`)",
    "SplitContains(`scope`, ` `, `write`)",
    "OneOf(`grp`, `x`, `y`)",
    "(Equals(`grp`, `admin`) || Equals(`grp`, `x`)) && Equals(`grp`, `y`)",
]
NO_EXPRESSIONS = [
    ("", 0, "expected one of Equals, Prefix"),
    ("`admin`", 0, "expected one of Equals"),
    ("equals(`a`, `b`)", 0, "expected one of Equals"),
    ("Equals `a`, `b`", 7, "expected ( after Equals, found '`a`, `b`'"),
    ("Equals(`a`)", 0, "expected Equals(key, value)"),
    ("Equals(`a`, `b`, `c`)", 0, "expected Equals(key, value)"),
    ("SplitContains(`a`, `b`)", 0, "expected SplitContains(key, separator, value)"),
    ("OneOf(`a`)", 0, "expected OneOf(key, value, …)"),
    ("Equals(`a`, 'b')", 12, 'expected a text in `backquotes` or "quotes"'),
    ("Equals(`a`, 42)", 12, 'expected a text in `backquotes` or "quotes"'),
    ("Equals(`a`, `b)", 12, "this quote is never closed"),
    ('Equals(`a`, "b\n")', 12, "this quote is never closed"),
    ("Equals(`a`, ``)", 12, "expected a text that is not empty"),
    ("Equals(``, `b`)", 7, "expected a text that is not empty"),
    ("Equals(`a..b`, `b`)", 7, "expected a member's name"),
    (r"Equals(`a\b`, `b`)", 7, r"expected '.' or '\' after a backslash"),
    (r'Equals(`a`, "b\x")', 14, r"expected one of \n"),
    (r'Equals(`a`, "\ud800")', 13, r"expected one of \n"),
    ("Equals(`a`, `b`", 15, "expected , or ), found the end"),
    ("(Equals(`a`, `b`)", 17, "expected && or || or ), found the end"),
    ("Equals(`a`, `b`) and Equals(`a`, `b`)", 17, "expected && or ||, found 'and Equals(`a`, `b`)'"),
    ("Equals(`a`, `b`) &&", 19, "found the end"),
    ("Equals(`a`, `b`) || Foo(`x`)", 20, "found 'Foo(`x`)'"),
    ("Equals(`a`, `b`) & Equals(`a`, `b`)", 17, "expected && or ||"),
    ("(" * (MAX_DEPTH + 1), MAX_DEPTH + 1, "parentheses inside each other"),
    ("!" * (MAX_LENGTH + 1), MAX_LENGTH, "expected at most 16384 characters"),
]


@pytest.mark.parametrize("text", HOLD)
def test_expression_holds(text: str) -> None:
    assert parse_expression(text).holds(ADA)


@pytest.mark.parametrize("text", DO_NOT_HOLD)
def test_expression_does_not_hold(text: str) -> None:
    assert not parse_expression(text).holds(ADA)


@pytest.mark.parametrize(("text", "offset", "message"), NO_EXPRESSIONS)
def test_expression_that_can_not_be_read_is_refused_with_its_place(
    text: str, offset: int, message: str
) -> None:
    with pytest.raises(ClaimSyntaxError) as caught:
        parse_expression(text)

    assert caught.value.offset == offset
    assert message in caught.value.message


def test_expression_tells_its_functions_in_order() -> None:
    expression = parse_expression("!(Equals(`a`, `b`) || Prefix(`c`, `d`)) && Contains(`aud`, `e`)")

    assert [(call.name, call.path, call.offset) for call in expression.calls()] == [
        ("Equals", ("a",), 2),
        ("Prefix", ("c",), 22),
        ("Contains", ("aud",), 43),
    ]
