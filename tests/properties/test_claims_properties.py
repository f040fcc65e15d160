"""What holds for every expression on claims, and for every text that is none."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clientcreds_proxy.tokens.claims.expression import Call, Expression, Joined, Not, parse_expression
from clientcreds_proxy.tokens.claims.values import ClaimSyntaxError, find, parse_claim, scalar_text, text_of

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="`"), min_size=1, max_size=8)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
NAMES = ("a", "b", "c.d")
CLAIMS = st.dictionaries(st.sampled_from(["a", "b", "c"]), JSON | st.fixed_dictionaries({"d": JSON}))
VALUES = st.lists(st.sampled_from(["x", "1", "true"]) | TEXTS, min_size=1, max_size=3)


@st.composite
def calls(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(["Equals", "Prefix", "Contains", "SplitContains", "OneOf"]))
    values = draw(VALUES)
    wanted = {"OneOf": values, "SplitContains": [*values, "x"][:2]}.get(name, values[:1])
    return f"{name}({', '.join(f'`{each}`' for each in (draw(st.sampled_from(NAMES)), *wanted))})"


EXPRESSIONS = st.recursive(
    calls(),
    lambda inner: (
        st.builds("!{}".format, inner.map(lambda text: f"({text})"))
        | st.builds("({} && {})".format, inner, inner)
        | st.builds("({} || {})".format, inner, inner)
    ),
    max_leaves=6,
)


def written(expression: Expression) -> str:
    """An expression's text, with more parentheses than it needs."""
    match expression:
        case Call(name=name, path=path, values=values):
            return f"{name}({', '.join(f'`{each}`' for each in ('.'.join(path), *values))})"
        case Not(of=inner):
            return f"!({written(inner)})"
        case Joined(all=both, of=parts):
            return f"({(' && ' if both else ' || ').join(map(written, parts))})"
    raise AssertionError(expression)


@given(EXPRESSIONS, CLAIMS)
@settings(max_examples=2000)
def test_expression_written_down_again_means_the_same(text: str, claims: dict[str, Any]) -> None:
    first = parse_expression(text)
    second = parse_expression(written(first))

    assert written(second) == written(first)
    assert second.holds(claims) == first.holds(claims)


@given(EXPRESSIONS, EXPRESSIONS, CLAIMS)
@settings(max_examples=1000)
def test_operators_are_those_of_logic(left: str, right: str, claims: dict[str, Any]) -> None:
    def holds(text: str) -> bool:
        return parse_expression(text).holds(claims)

    assert holds(f"{left} && {right}") == (holds(left) and holds(right))
    assert holds(f"{left} || {right}") == (holds(left) or holds(right))
    assert holds(f"!{left}") != holds(left)
    assert holds(f"!({left} && {right})") == holds(f"!{left} || !{right}")


@given(st.text(st.sampled_from('EqualsOneOf(,)`"\\!&| ab.u0'), max_size=60) | st.text(max_size=40))
@settings(max_examples=3000)
def test_any_text_is_an_expression_or_has_a_place_where_it_is_none(text: str) -> None:
    try:
        parse_expression(text)
    except ClaimSyntaxError as error:
        place = error.offset
    else:
        return

    assert 0 <= place <= len(text)


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_path_finds_any_member(names: list[str]) -> None:
    claims: Any = "found"
    for name in reversed(names):
        claims = {name: claims}
    text = ".".join(name.replace("\\", "\\\\").replace(".", "\\.") for name in names)

    assert find(claims, parse_claim(text)) == "found"


@given(JSON)
@settings(max_examples=1000)
def test_claim_as_text_is_one_line_that_can_be_sent(value: Any) -> None:
    text = text_of(value)

    assert text is None or not any(ord(character) < 32 or ord(character) == 127 for character in text)
    assert (text or "").encode().decode() == (text or "")


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_number_as_text_is_digits_of_that_number(value: float) -> None:
    text = scalar_text(value)

    assert text is not None
    assert set(text) <= set("-.0123456789")
    assert float(text) == float(value)
