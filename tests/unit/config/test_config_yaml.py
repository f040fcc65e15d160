from itertools import pairwise

import pytest
import yaml

from clientcreds_proxy.config.reading.yaml import LOADER, Document, YamlError, parse

LOADERS = pytest.mark.parametrize("loader", [LOADER, yaml.SafeLoader], ids=["fastest", "pure"])


def refused(text: str, loader: type = LOADER) -> tuple[int, int, str]:
    with pytest.raises(YamlError) as caught:
        parse(text, loader=loader)
    return caught.value.line, caught.value.column, caught.value.message


def faults(document: Document) -> list[tuple[object, ...]]:
    return [(path, fault.line, fault.column, fault.message) for path, fault in document.faults()]


@LOADERS
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *[
            (word, word)
            for word in ("no", "on", "y", "Yes", "off", "12:30:45", "1_000", "2026-11-21", "0b1", "=")
        ],
        *[(word, None) for word in ("", "~", "null", "Null", "NULL")],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, False) for word in ("false", "False", "FALSE")],
        *[
            ("010", 10),
            ("+5", 5),
            ("-3", -3),
            ("0o17", 15),
            ("0x1F", 31),
            ("1e3", 1000.0),
            (".5", 0.5),
            ("1.", 1.0),
        ],
        *[
            ("'1'", "1"),
            ('"true"', "true"),
            ("!!str 1", "1"),
            ("! 1", "1"),
            ("nope", "nope"),
            ("tRue", "tRue"),
        ],
        *[(".inf", float("inf")), ("-.INF", float("-inf")), ("1" * 30, float("1" * 30))],
    ],
)
def test_scalar_is_read_by_the_core_schema_of_yaml_1_2(written: str, meant: object, loader: type) -> None:
    document = parse(f"a: {written}", loader=loader)

    value = document.value()

    assert value == {"a": meant}
    assert isinstance(value, dict)
    assert type(value["a"]) is type(meant)


def test_scalar_nan_is_a_float() -> None:
    value = parse("[.nan, .NaN]").value()

    assert isinstance(value, list)
    assert all(item != item for item in value)  # noqa: PLR0124 - that is what NaN is


def test_empty_text_is_nothing() -> None:
    assert parse("").value() is None
    assert parse("# a comment\n").value() is None


def test_find_gives_the_position_of_a_key_and_of_an_item() -> None:
    document = parse("a:\n  b: [x, y]\nü: 1\n")

    assert document.find(("a", "b")) == (("a", "b"), 2, 3)
    assert document.find(("a", "b", 1)) == (("a", "b", 1), 2, 10)
    assert document.find(()) == ((), 1, 1)


def test_find_stops_where_the_file_does() -> None:
    document = parse("a:\n  b: [x, y]\n")

    assert document.find(("a", "c", "d")) == (("a",), 1, 1)
    assert document.find(("a", "b", 2)) == (("a", "b"), 2, 3)
    assert document.find(("a", "b", 0, "x")) == (("a", "b", 0), 2, 7)


def test_merge_key_brings_what_is_not_there() -> None:
    document = parse(
        "x: &x {a: 1, b: 2}\ny: &y {a: 3, c: 4}\nz: {<<: [*x, *y], b: 5}\nw: {<<: *x}\nv: {'<<': 1}"
    )

    value = document.value()

    assert isinstance(value, dict)
    assert value["z"] == {"a": 1, "b": 5, "c": 4}
    assert value["w"] == {"a": 1, "b": 2}
    assert value["v"] == {"<<": 1}


def test_merge_key_takes_mappings_only() -> None:
    assert faults(parse("a: {<<: [1]}")) == [(("a",), 1, 5, "`<<` takes a mapping or a list of mappings")]


def test_alias_is_the_value_of_its_anchor() -> None:
    assert parse("a: &x [1, 2]\nb: *x\nc: &x 3\nd: *x").value() == {"a": [1, 2], "b": [1, 2], "c": 3, "d": 3}


def test_fault_inside_an_anchor_is_told_once() -> None:
    assert len(faults(parse("a: &x {b: 1, b: 2}\nc: *x"))) == 1


def test_duplicate_key_is_told_with_its_position() -> None:
    document = parse("a:\n  b: 1\n  b: 2\n")

    assert faults(document) == [(("a", "b"), 3, 3, "duplicate key, first given in line 2")]
    assert document.value() == {"a": {"b": 1}}


@pytest.mark.parametrize("key", ["? 1", "? true", "? null", "? ~", "? [a]", "? {a: b}"])
def test_key_that_is_no_text_is_told(key: str) -> None:
    assert [fault[3] for fault in faults(parse(f"{key}\n: b"))] == ["a key must be text: put it in quotes"]


@LOADERS
@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!binary", "!secret", "!!set", "!!float"]
)
@pytest.mark.parametrize("text", ["a: {} x", "a: {} [x]", "a: {} {{x: y}}", "{} a: x"])
def test_tag_is_told(tag: str, text: str, loader: type) -> None:
    found = faults(parse(text.format(tag), loader=loader))

    assert [message for *_, message in found] == ["tags are not supported; expected the value without one"]


@LOADERS
@pytest.mark.parametrize(
    "text", ["[" * 200_000, "- " * 100_000, "{a: " * 100_000, "\n".join(" " * i + "a:" for i in range(500))]
)
def test_deep_nesting_is_refused(text: str, loader: type) -> None:
    assert refused(text, loader)[2] == "nested more than 64 levels deep"


def test_alias_bomb_is_refused() -> None:
    names = "abcdefghi"
    lines = [f"{one}: &{one} [{','.join([f'*{before}'] * 10)}]" for before, one in pairwise(names)]
    bomb = "\n".join(["a: &a [x,x,x,x,x,x,x,x,x,x]", *lines])

    assert refused(bomb)[2] == "too large or too deep once its aliases are expanded"


def test_aliases_that_nest_too_deep_are_refused() -> None:
    lines = [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 70)]

    assert "too deep" in refused("\n".join(["a0: &a0 x", *lines]))[2]


@pytest.mark.parametrize("text", ["a: *hunter2", "&a [*a]", "a: {b: &b [*b]}"])
def test_alias_without_an_anchor_before_it_is_refused(text: str) -> None:
    assert refused(text)[2] == "no anchor of this alias's name is complete before it"


@LOADERS
@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("a: 1\n---\nb: 2", (2, 1)),
        ("a: b: c", (1, 5)),
        ("a: 1\nb: [x", (2, 6)),
        ("a: 'x", (1, 6)),
        ("a: 1\n\tb: 2", (2, 1)),
        ("a: @x", (1, 4)),
        ("a: !x!hunter2 z", (1, 4)),
        ("%YAML 3.0\n---\na: b", (1, 1)),
    ],
)
def test_bad_yaml_is_refused_in_its_line(text: str, position: tuple[int, int], loader: type) -> None:
    line, _, message = refused(text, loader)

    assert line == position[0]
    assert "hunter2" not in message


def test_bad_yaml_is_refused_at_its_column() -> None:
    assert refused("a: b: c") == (1, 5, "not valid YAML: mapping values are not allowed in this context")


def test_tab_is_explained() -> None:
    assert refused("a:\n\tb: 1")[2].endswith("; indent with spaces, not tabs")


@pytest.mark.parametrize(
    ("text", "position"), [("a: 1\nb: \x00", (2, 4)), ("\x07", (1, 1)), ("a\x7f", (1, 2))]
)
def test_unprintable_character_is_refused(text: str, position: tuple[int, int]) -> None:
    assert refused(text)[:2] == position


@LOADERS
def test_half_a_surrogate_pair_is_told(loader: type) -> None:
    text = 'a: "\\ud800"'

    try:
        messages = [fault[3] for fault in faults(parse(text, loader=loader))]
    except YamlError as error:
        messages = [error.message]

    assert len(messages) == 1


@LOADERS
def test_error_after_the_end_is_told_at_the_end(loader: type) -> None:
    line, column, _ = refused("a: [1,", loader)

    assert (line, column) == (1, 7)
