from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from clientcreds_proxy.errors import ModifierFailed
from clientcreds_proxy.martian.groups import Group, group
from clientcreds_proxy.martian.message import Request, Response
from clientcreds_proxy.martian.modifier import BOTH, Leaf, Modifier
from clientcreds_proxy.martian.parse import parse
from tests.unit.martian.messages import answered, problems_of, request_with, requested, response_with


def appended(value: str, **fields: object) -> dict[str, object]:
    return {"header.Append": {"name": "X-Order", "value": value} | fields}


def order(headers: tuple[tuple[str, str], ...]) -> list[str]:
    return [value for _, value in headers]


@dataclass(frozen=True, slots=True)
class Failing:
    """A modifier that can't do its work."""

    message: str
    changes_requests: bool = True
    changes_responses: bool = True

    def modify_request(self, request: Request) -> Request:  # noqa: ARG002 - Modifier's form
        raise ModifierFailed(self.message)

    def modify_response(self, response: Response, request: Request) -> Response:  # noqa: ARG002 - Modifier's form
        raise ModifierFailed(self.message)

    def children(self) -> Iterator[Modifier]:
        return iter(())


def test_fifo_runs_in_the_order_of_the_file() -> None:
    tree = {"fifo.Group": {"modifiers": [appended("a"), appended("b"), appended("c")]}}

    assert order(requested(tree)) == ["a", "b", "c"]
    assert order(answered(tree)) == ["a", "b", "c"]


def test_fifo_hands_on_what_the_one_before_left() -> None:
    copy = {"header.Copy": {"from": "X-Order", "to": "X-Copy"}}

    assert requested({"fifo.Group": {"modifiers": [appended("a"), copy]}})[-1] == ("X-Copy", "a")


def test_priority_runs_the_highest_first_and_of_equals_the_last_declared() -> None:
    members: list[dict[str, object]] = [
        {"priority": 0, "modifier": appended("low, first")},
        {"priority": 100, "modifier": appended("high")},
        {"modifier": appended("low, later"), "@why": "no priority is 0"},
        {"priority": -1, "modifier": appended("lowest")},
    ]
    tree = {"priority.Group": {"modifiers": members}}

    expected = ["high", "low, later", "low, first", "lowest"]
    assert order(requested(tree)) == expected
    assert order(answered(tree)) == expected


def test_groups_give_their_members_in_the_order_of_the_file() -> None:
    members = [
        {"priority": 0, "modifier": {"header.Verifier": {}}},
        {"priority": 9, "modifier": {"header.Id": {}}},
    ]

    names = [type(child).__name__ for child in parse({"priority.Group": {"modifiers": members}}).children()]

    assert names == ["WithoutEffect", "IdHeader"]


@pytest.mark.parametrize("name", ["fifo.Group", "priority.Group"])
def test_groups_may_be_empty(name: str) -> None:
    modifier = parse({name: {"modifiers": []}})
    request, response = request_with(), response_with()

    assert modifier.modify_request(request) is request
    assert modifier.modify_response(response, request) is response
    assert (modifier.changes_requests, modifier.changes_responses) == (False, False)


@pytest.mark.parametrize(
    ("outer", "inner", "in_request", "in_response"),
    [
        (None, None, True, True),
        (["request"], None, True, False),
        (["request"], ["request", "response"], True, False),
        (["request"], ["response"], False, False),
        ([], None, False, False),
        (["response"], ["response"], False, True),
    ],
)
def test_groups_run_a_member_where_all_scopes_around_it_agree(
    *, outer: list[str] | None, inner: list[str] | None, in_request: bool, in_response: bool
) -> None:
    filtered = {
        "header.Filter": {"name": "X-A", "modifier": appended("x"), "else": appended("a", scope=inner)}
    }
    modifier = parse({"fifo.Group": {"scope": outer, "modifiers": [filtered]}})

    assert (len(modifier.modify_request(request_with()).headers) == 2) is in_request
    assert (len(modifier.modify_response(response_with(), request_with()).headers) == 1) is in_response


def test_fifo_stops_at_the_first_failure() -> None:
    members: list[Modifier] = [Failing("one"), Failing("two")]

    with pytest.raises(ModifierFailed, match=r"^one$"):
        group(members, members).modify_request(request_with())


def test_fifo_tells_all_failures_when_it_aggregates_them() -> None:
    members: list[Modifier] = [Failing("one"), parse(appended("a")), Failing("two")]

    aggregating = group(members, members, aggregate_errors=True)

    with pytest.raises(ModifierFailed, match=r"^one\ntwo$"):
        aggregating.modify_request(request_with())
    with pytest.raises(ModifierFailed, match=r"^one\ntwo$"):
        aggregating.modify_response(response_with(), request_with())


@pytest.mark.parametrize("flag", [True, False, None])
def test_fifo_takes_aggregate_errors(*, flag: bool | None) -> None:
    modifier = parse({"fifo.Group": {"modifiers": [], "aggregateErrors": flag}})

    assert isinstance(modifier, Group)
    assert modifier.aggregate_errors is bool(flag)


@pytest.mark.parametrize(
    ("tree", "path", "message"),
    [
        ({"fifo.Group": {}}, ("fifo.Group",), "the key 'modifiers' is missing, expected a list"),
        (
            {"fifo.Group": {"modifiers": {}}},
            ("fifo.Group", "modifiers"),
            "expected a list, found a mapping",
        ),
        (
            {"fifo.Group": {"modifiers": [], "aggregateErrors": 1}},
            ("fifo.Group", "aggregateErrors"),
            "expected true or false, found a number",
        ),
        (
            {"priority.Group": {"modifiers": [{"priority": True, "modifier": appended("a")}]}},
            ("priority.Group", "modifiers", 0, "priority"),
            "expected a whole number, found true",
        ),
        (
            {"priority.Group": {"modifiers": [{"prio": 1, "modifier": appended("a")}]}},
            ("priority.Group", "modifiers", 0, "prio"),
            "unknown key 'prio', did you mean 'priority'?",
        ),
        (
            {"priority.Group": {"modifiers": [], "aggregateErrors": True}},
            ("priority.Group", "aggregateErrors"),
            "unknown key 'aggregateErrors', expected one of modifiers, scope",
        ),
    ],
)
def test_groups_refuse_fields_of_the_wrong_kind(
    tree: object, path: tuple[str | int, ...], message: str
) -> None:
    assert problems_of(tree) == ((path, message),)


def test_leaf_changes_nothing_of_its_own() -> None:
    request, response = request_with(), response_with()
    leaf = Leaf(phases=BOTH)

    assert leaf.modify_request(request) is request
    assert leaf.modify_response(response, request) is response
    assert list(leaf.children()) == []
