from collections.abc import Mapping

import pytest

from clientcreds_proxy.martian.parse import MAX_DEPTH, MAX_MODIFIERS, parse
from clientcreds_proxy.martian.problem import ModifierError
from tests.unit.martian.messages import problems_of, request_with, requested

SET = {"header.Modifier": {"name": "X-A", "value": "1"}}


def nested(levels: int) -> object:
    tree: object = SET
    for _ in range(levels - 1):
        tree = {"fifo.Group": {"modifiers": [tree]}}
    return tree


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (None, "expected a modifier, a mapping with one name, found null"),
        ("header.Id", "expected a modifier, a mapping with one name, found text"),
        ([SET], "expected a modifier, a mapping with one name, found a list"),
        ({}, "expected a mapping with exactly one modifier's name, found 0 keys"),
        (SET | {"@comment": "x"}, "expected a mapping with exactly one modifier's name, found 2 keys"),
        ({1: {}}, "expected a modifier's name, found a number"),
    ],
)
def test_parse_refuses_a_tree_that_is_no_modifier(tree: object, message: str) -> None:
    assert problems_of(tree) == (((), message),)


def test_parse_names_the_modifier_that_is_meant() -> None:
    assert problems_of({"header.modifer": {}}) == (
        (("header.modifer",), "unknown modifier 'header.modifer', did you mean 'header.Modifier'?"),
    )


def test_parse_lists_all_modifiers_when_none_is_near() -> None:
    ((path, message),) = problems_of({"header.Set": {}})

    assert path == ("header.Set",)
    assert message.startswith("unknown modifier 'header.Set', expected one of body.Modifier, cookie.")


@pytest.mark.parametrize("namespace", ["modifier/martian", "github.com/devopsfaith/krakend-martian"])
def test_parse_takes_krakends_namespaces_around_a_tree(namespace: str) -> None:
    tree = {namespace: {"header.Modifier": {"name": "X-A", "value": "1"}}}

    assert requested(tree) == (("X-A", "1"),)
    assert problems_of({namespace: {"header.Modifier": {"name": "X-A", "value": 1}}}) == (
        ((namespace, "header.Modifier", "value"), "expected text, found a number: put it in quotes"),
    )


def test_parse_takes_a_namespace_nowhere_else() -> None:
    beside: dict[str, object] = {"modifier/martian": {}, "auth/client-credentials": {}}
    inside: dict[str, object] = {"fifo.Group": {"modifiers": [{"modifier/martian": {"header.Id": {}}}]}}

    assert [path for path, _ in problems_of(beside)] == [()]
    assert [path for path, _ in problems_of(inside)] == [("fifo.Group", "modifiers", 0, "modifier/martian")]


def test_parse_shortens_a_long_name() -> None:
    ((_, message),) = problems_of({"x" * 100_000: {}})

    assert len(message) < 600


@pytest.mark.parametrize("comment", ["@comment", "$schema", "_why", "#note"])
def test_parse_skips_comments_inside_a_modifier(comment: str) -> None:
    tree = {"header.Modifier": {comment: object(), "name": "X-A", "value": "1"}}

    assert requested(tree) == (("X-A", "1"),)


def test_parse_takes_keys_in_any_case() -> None:
    tree = {"header.Modifier": {"NAME": "X-A", "Value": "1", "Scope": ["request"]}}

    assert requested(tree) == (("X-A", "1"),)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"vaule": "1"}, (("vaule",), "unknown key 'vaule', did you mean 'value'?")),
        ({"zzz": "1"}, (("zzz",), "unknown key 'zzz', expected one of name, scope, value")),
        ({"Name": "X-B"}, (("Name",), "the key 'Name' is there twice, also as 'name'")),
        ({True: "1"}, ((), "expected keys that are text, found true")),
    ],
)
def test_parse_refuses_keys_that_no_modifier_has(
    fields: dict[object, object], problem: tuple[tuple[str, ...], str]
) -> None:
    path, message = problem

    found = problems_of({"header.Modifier": {"name": "X-A", "value": "1"} | fields})

    assert found == ((("header.Modifier", *path), message),)


def test_parse_refuses_fields_that_are_no_mapping() -> None:
    path, message = problems_of({"header.Id": ["X-Id"]})[0]

    assert (path, message) == (("header.Id",), "expected a mapping, found a list")


@pytest.mark.parametrize(
    ("scope", "path", "message"),
    [
        ("request", ("scope",), "expected a list, found text"),
        (["reqest"], ("scope", 0), "expected 'request' or 'response'"),
        (["request", None], ("scope", 1), "expected 'request' or 'response'"),
        (["request", "response"], ("scope", 1), "header.Id has no response phase, only request"),
        ([["request"]], ("scope", 0), "expected 'request' or 'response'"),
    ],
)
def test_parse_refuses_a_scope_that_names_no_phase_of_the_modifier(
    scope: object, path: tuple[str | int, ...], message: str
) -> None:
    assert problems_of({"header.Id": {"scope": scope}}) == ((("header.Id", *path), message),)


def test_parse_collects_the_problems_of_the_whole_tree() -> None:
    tree = {
        "fifo.Group": {
            "modifiers": [
                {"header.Modifier": {"name": "X A", "value": 1}},
                {"priority.Group": {"modifiers": [{"priority": "high", "modifer": SET}]}},
                {"header.RegexFilter": {"header": "X-A", "regex": "(", "modifier": {"header.Set": {}}}},
            ],
            "aggregateErrors": "no",
        }
    }

    paths = [path for path, _ in problems_of(tree)]

    top = ("fifo.Group", "modifiers")
    entry = (*top, 1, "priority.Group", "modifiers", 0)
    assert paths == [
        (*top, 0, "header.Modifier", "name"),
        (*top, 0, "header.Modifier", "value"),
        (*entry, "priority"),
        entry,  # the key `modifier` is missing
        (*entry, "modifer"),
        (*top, 2, "header.RegexFilter", "regex"),
        (*top, 2, "header.RegexFilter", "modifier", "header.Set"),
        ("fifo.Group", "aggregateErrors"),
    ]


def test_parse_error_names_every_problem_with_its_place() -> None:
    with pytest.raises(ModifierError) as caught:
        parse({"header.Copy": {"from": "", "to": "X B"}})

    assert str(caught.value).splitlines() == [
        "header.Copy.from: not a header's name, expected letters, digits and hyphens",
        "header.Copy.to: not a header's name, expected letters, digits and hyphens",
    ]
    assert str(ModifierError([((), "no tree")])) == "modifiers: no tree"


def test_parse_takes_modifiers_inside_each_other_up_to_the_limit() -> None:
    assert requested(nested(MAX_DEPTH)) == (("X-A", "1"),)


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 100_000])
def test_parse_refuses_modifiers_inside_each_other_beyond_the_limit(levels: int) -> None:
    ((path, message),) = problems_of(nested(levels))

    assert message == f"more than {MAX_DEPTH} modifiers inside each other"
    assert path == ("fifo.Group", "modifiers", 0) * MAX_DEPTH


def test_parse_ends_when_aliases_make_a_tree_endless() -> None:
    members: list[object] = []
    tree = {"fifo.Group": {"modifiers": members}}
    members += [tree, tree]

    *_, (_, message) = problems_of(tree)

    assert message == f"more than {MAX_MODIFIERS} modifiers in one tree"


def test_parse_leaves_the_tree_as_it_is() -> None:
    tree: Mapping[str, object] = {"fifo.Group": {"modifiers": [SET], "scope": ["request"]}}

    parse(tree).modify_request(request_with())

    assert tree == {"fifo.Group": {"modifiers": [SET], "scope": ["request"]}}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": True}, "expected text, found true: put it in quotes"),
        ({"name": 3.5}, "expected text, found a number: put it in quotes"),
        ({"name": None}, "expected text, found null"),
        ({"name": {}}, "expected text, found a mapping"),
        ({"name": b"X"}, "expected text, found a bytes"),
        ({"name": "\ud800"}, "this text holds half of a surrogate pair, which is no character"),
    ],
)
def test_parse_refuses_what_is_no_text(fields: dict[str, object], problem: str) -> None:
    found = problems_of({"header.Append": {"value": "1"} | fields})

    assert found == ((("header.Append", "name"), problem),)


def test_parse_says_which_key_is_missing() -> None:
    assert problems_of({"header.Append": {"name": "X-A"}}) == (
        (("header.Append",), "the key 'value' is missing, expected text"),
    )
