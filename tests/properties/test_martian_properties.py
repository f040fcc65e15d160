"""What holds for every tree of header modifiers and every message."""

import copy
import json
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from clientcreds_proxy.martian.inspect import effects, every
from clientcreds_proxy.martian.message import Headers, Request, Response, values
from clientcreds_proxy.martian.modifier import Modifier
from clientcreds_proxy.martian.parse import parse
from clientcreds_proxy.martian.problem import ModifierError, Problem
from clientcreds_proxy.martian.registry import KINDS

NAMES = st.sampled_from(["X-A", "x-a", "X-B", "Accept", "Host", "host", "User-Agent", "Cookie"])
PLAIN = NAMES.filter(lambda name: name.lower() != "host")
VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8).map(
    lambda text: text.strip(" \t")
)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=8).map(tuple)
SCOPES = st.sampled_from([None, [], ["request"], ["response"], ["response", "request"]])


def one_of(modifier: str, /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({modifier: st.fixed_dictionaries({"scope": SCOPES} | fields)})


LEAVES = st.one_of(
    one_of("header.Modifier", name=NAMES, value=VALUES),
    one_of("header.Append", name=PLAIN, value=VALUES),
    one_of("header.Blacklist", names=st.lists(NAMES, max_size=3)),
    one_of("header.Copy", **{"from": NAMES, "to": NAMES}),
    st.fixed_dictionaries({"header.Id": st.fixed_dictionaries({"header": PLAIN})}),
    one_of("header.Verifier", name=NAMES),
)


def around(trees: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    entries = st.fixed_dictionaries({"priority": st.integers(-2, 2), "modifier": trees})
    return st.one_of(
        one_of("fifo.Group", modifiers=st.lists(trees, max_size=3)),
        one_of("priority.Group", modifiers=st.lists(entries, max_size=3)),
        one_of("header.Filter", name=NAMES, value=VALUES, modifier=trees, **{"else": trees}),
        one_of("header.RegexFilter", header=NAMES, regex=st.sampled_from([".", "^a", ""]), modifier=trees),
    )


TREES = st.recursive(LEAVES, around, max_leaves=8)


def parsed(tree: object) -> Modifier:
    return parse(tree, new_id=lambda: UUID(int=7))


def request_of(headers: Headers) -> Request:
    return Request(
        method="GET", scheme="https", host="api.example.com", port=443, target="/", headers=headers
    )


@given(
    st.one_of(
        one_of("header.Modifier", name=NAMES, value=VALUES),
        one_of("header.Blacklist", names=st.lists(NAMES, max_size=3)),
        st.fixed_dictionaries({"header.Id": st.fixed_dictionaries({"header": PLAIN})}),
    ),
    HEADERS,
)
def test_modifier_blacklist_and_id_do_nothing_more_the_second_time(tree: object, headers: Headers) -> None:
    """Idempotence, also on Host."""
    modifier = parsed(tree)

    request = modifier.modify_request(request_of(headers))
    response = modifier.modify_response(Response(status=200, headers=headers), request)

    assert modifier.modify_request(request) == request
    assert modifier.modify_response(response, request) is response


@given(PLAIN, VALUES, HEADERS)
def test_append_preserves_all_there_is(name: str, value: str, headers: Headers) -> None:
    """What was there stays, in its order; without a Host, the destination's comes first."""
    modifier = parsed({"header.Append": {"name": name, "value": value}})

    changed = modifier.modify_request(request_of((("Host", "h"), *headers)))

    assert changed.headers == (("Host", "h"), *headers, (name, value))


@given(TREES, HEADERS)
def test_changed_requests_always_name_a_host(tree: object, headers: Headers) -> None:
    """Either the request is the one that came, or it has a Host with a value."""
    request = request_of(headers)

    changed = parsed(tree).modify_request(request)

    assert changed is request or any(values(changed.headers, "host"))
    assert (changed.host, changed.port, changed.target) == (request.host, request.port, request.target)


@given(st.lists(TREES, max_size=4), HEADERS)
def test_fifo_is_its_members_one_after_the_other(trees: list[Any], headers: Headers) -> None:
    """A group adds nothing of its own."""
    request = request_of(headers)
    one_by_one = request
    for tree in trees:
        one_by_one = parsed(tree).modify_request(one_by_one)

    assert parsed({"fifo.Group": {"modifiers": trees}}).modify_request(request) == one_by_one


@given(st.lists(st.tuples(st.integers(-2, 2), TREES), max_size=5), HEADERS)
def test_priority_is_a_fifo_of_the_members_by_rank(members: list[tuple[int, Any]], headers: Headers) -> None:
    """Descending; of equals the later one first."""
    by_rank = [
        tree for _, (_, tree) in sorted(enumerate(members), key=lambda member: (-member[1][0], -member[0]))
    ]
    entries = [{"priority": priority, "modifier": tree} for priority, tree in members]

    request = request_of(headers)

    assert parsed({"priority.Group": {"modifiers": entries}}).modify_request(request) == parsed(
        {"fifo.Group": {"modifiers": by_rank}}
    ).modify_request(request)


@given(TREES, HEADERS, SCOPES)
def test_a_phase_that_a_group_skips_changes_nothing(tree: object, headers: Headers, scope: Any) -> None:
    """Whatever the scopes inside say."""
    modifier = parsed({"fifo.Group": {"scope": scope, "modifiers": [tree]}})
    request, response = request_of(headers), Response(status=200, headers=headers)
    phases = ["request", "response"] if scope is None else scope

    assert "request" in phases or modifier.modify_request(request) is request
    assert "response" in phases or modifier.modify_response(response, request) is response
    for inside in every(modifier):
        assert "request" in phases or not inside.changes_requests
        assert "response" in phases or not inside.changes_responses


@given(TREES, HEADERS)
def test_what_changes_no_phase_leaves_its_messages_alone(tree: object, headers: Headers) -> None:
    """`effects` may be used to skip the work."""
    modifier = parsed(tree)
    request, response = request_of(headers), Response(status=200, headers=headers)

    in_requests, in_responses = effects([modifier])

    assert in_requests or modifier.modify_request(request) is request
    assert in_responses or modifier.modify_response(response, request) is response


@given(TREES)
def test_trees_read_the_same_after_a_trip_through_json(tree: object) -> None:
    """YAML and JSON give the same modifiers."""
    new_id = UUID

    assert parse(json.loads(json.dumps(tree)), new_id=new_id) == parse(tree, new_id=new_id)


WILD = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.binary(max_size=3),
        st.text(max_size=5),
        st.sampled_from(
            [*KINDS, "url.Modifier", "scope", "request", "(", "\x00", "\ud800", "Content-Length"]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.none(), st.integers(), st.text(max_size=5)), inner, max_size=3),
    ),
    max_leaves=5,
)


@given(st.one_of(WILD, st.dictionaries(st.sampled_from([*KINDS]), WILD, min_size=1, max_size=1)))
def test_parse_raises_nothing_but_its_own_error_on_any_value(tree: object) -> None:
    """Whatever YAML or JSON can give."""
    parse_or_refuse(tree)


@settings(max_examples=200)
@given(TREES, st.data())
def test_parse_raises_nothing_but_its_own_error_on_a_spoiled_tree(tree: object, data: st.DataObject) -> None:
    """One place of a good tree is replaced, removed, or given another key."""
    spoiled = copy.deepcopy(tree)
    places = [place for place in containers(spoiled) if place]
    place = data.draw(st.sampled_from(places))
    key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else list(range(len(place)))))
    match data.draw(st.sampled_from(["replace", "remove", "add"])):
        case "replace":
            place[key] = data.draw(WILD)
        case "remove":
            del place[key]
        case _ if isinstance(place, dict):
            place[data.draw(st.one_of(st.integers(), st.text(max_size=5)))] = data.draw(WILD)

    parse_or_refuse(spoiled)


def containers(node: object) -> list[Any]:
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    found = [node] if isinstance(node, dict | list) else []
    return found + [deeper for child in inside for deeper in containers(child)]


def parse_or_refuse(tree: object) -> None:
    """Load it; or find each of its problems in words, at a place that is in the tree."""
    for path, message in problems_of(tree):
        assert message
        assert reaches(tree, path)


def problems_of(tree: object) -> tuple[Problem, ...]:
    try:
        modifier = parsed(tree)
    except ModifierError as error:
        return error.problems
    modifier.modify_request(request_of((("X-A", "a"),)))
    return ()


def reaches(tree: Any, path: tuple[str | int, ...]) -> bool:
    """Whether every key of the path is in the tree, so that each problem has a line of the file."""
    for key in path:
        tree = tree[key]
    return True
