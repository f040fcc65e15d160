"""Damaged trees: each gives a modifier that works, or all of its problems; never anything else."""

import copy
import json
import time
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clientcreds_proxy.errors import ModifierFailed
from clientcreds_proxy.martian.message import Request, Response
from clientcreds_proxy.martian.modifier import Modifier
from clientcreds_proxy.martian.parse import parse
from clientcreds_proxy.martian.problem import ModifierError, Problem
from clientcreds_proxy.martian.registry import KINDS

SET = {"header.Modifier": {"name": "X-A", "value": "1"}}
WHOLE: list[dict[str, Any]] = [
    SET,
    {"header.Append": {"scope": ["response"], "name": "X-A", "value": "1"}},
    {"header.Blacklist": {"names": ["X-A", "X-B"]}},
    {"header.Copy": {"from": "X-A", "to": "X-B"}},
    {"header.Id": {"scope": ["request"]}},
    {"header.Filter": {"name": "X-A", "value": "1", "modifier": SET, "else": SET}},
    {"header.RegexFilter": {"header": "X-A", "regex": "^a+$", "modifier": SET}},
    {"querystring.Modifier": {"name": "a", "value": "b"}},
    {"querystring.Filter": {"name": "a", "modifier": SET, "else": SET}},
    {"url.Modifier": {"scheme": "https", "host": "h:1", "path": "/p", "query": "a=b"}},
    {"url.Filter": {"host": "*.example.com", "path": "/p", "modifier": SET}},
    {"url.RegexFilter": {"regex": "a|b", "modifier": SET, "else": SET}},
    {"port.Modifier": {"port": 8080}},
    {"port.Filter": {"port": 443, "modifier": SET}},
    {"cookie.Modifier": {"name": "a", "value": "b", "expires": "2031-02-03T04:05:06Z", "maxAge": 5}},
    {"cookie.Filter": {"name": "a", "value": "b", "modifier": SET}},
    {"body.Modifier": {"contentType": "text/plain", "body": "YWJj"}},
    {"stash.Modifier": {"scope": ["request"], "headerName": "X-Url"}},
    {"status.Modifier": {"statusCode": 418}},
    {"fifo.Group": {"aggregateErrors": True, "modifiers": [SET, {"header.Id": {}}]}},
    {"priority.Group": {"modifiers": [{"priority": 3, "modifier": SET}]}},
    {"header.Verifier": {"name": "X-A"}},
    {"modifier/martian": {"fifo.Group": {"modifiers": [SET]}}},
]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["", "\r\n", "%zz", "*", "[::1", "é", "\ud800", "=", "a" * 5000, "request", "1e999"]),
    st.lists(st.sampled_from([None, 1, "request", "response", {}, []]), max_size=3),
    st.sampled_from([{}, {"scope": "request"}, SET, {"scope": [["request"]]}]).map(copy.deepcopy),
)
KEYS = st.one_of(
    st.sampled_from(sorted(KINDS)), st.sampled_from(["scope", "name", "@x", "", "NAME"]), st.text(max_size=6)
)
REQUEST = Request(
    method="POST",
    scheme="https",
    host="api.example.com",
    port=443,
    target="/p;x?a=b&%zz&c",
    headers=(("Host", "api.example.com"), ("X-A", "\xff"), ("Cookie", 'a="b; =;;'), ("Range", "bytes=9-1,-")),
)
RESPONSE = Response(status=200, headers=(("X-A", "1"), ("Content-Length", "3")))


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every node."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, child in children for place in places(child, (*path, key)))]


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A tree with up to four of its nodes exchanged, renamed, removed, or wrapped."""
    tree: Any = {"": copy.deepcopy(draw(st.sampled_from(WHOLE)))}
    for _ in range(draw(st.integers(1, 4))):
        *way, last = draw(st.sampled_from([place for place in places(tree) if place]))
        parent = tree
        for key in way:
            parent = parent[key]
        match draw(st.sampled_from(["exchange", "rename", "remove", "wrap"])):
            case "rename" if isinstance(parent, dict) and parent is not tree:
                parent[draw(KEYS)] = parent.pop(last)
            case "remove" if parent is not tree:
                del parent[last]
            case "wrap":
                parent[last] = {draw(KEYS): parent[last]}
            case _:
                parent[last] = draw(ODD)
    return tree[""]


def outcome(tree: Any) -> Modifier | tuple[Problem, ...]:
    """The modifier, or its problems."""
    try:
        return parse(tree)
    except ModifierError as refusal:
        return refusal.problems


@given(damaged())
@settings(max_examples=3000)
def test_damaged_tree_is_refused_in_words_or_works(tree: Any) -> None:
    found = outcome(tree)

    if isinstance(found, tuple):
        assert found
        assert all(message.isprintable() for _, message in found)
        return
    with suppress(ModifierFailed):
        sent = found.modify_request(REQUEST)
        answer = found.modify_response(RESPONSE, sent)
        assert not any({"\r", "\n", "\0"} & set(value) for _, value in (*sent.headers, *answer.headers))


@given(st.recursive(ODD, lambda children: st.dictionaries(KEYS, children, max_size=3), max_leaves=20))
@settings(max_examples=1000)
def test_any_json_at_all_is_refused_in_words_or_works(tree: Any) -> None:
    assert outcome(tree)


def test_every_modifier_that_there_is_takes_part() -> None:
    text = json.dumps(WHOLE)

    missing = {name for name in KINDS if f'"{name}"' not in text}

    assert missing <= {"url.Verifier", "querystring.Verifier", "status.Verifier", "static.Modifier"}


def test_hostile_expression_and_header_take_linear_time() -> None:
    """100 KiB of what makes a backtracking engine try 2^n ways; twice the length, about twice the time."""
    tree = parse({"header.RegexFilter": {"header": "X-A", "regex": "^(a+)+(a|aa)+$", "modifier": SET}})

    def seconds(length: int) -> float:
        request = Request(
            method="GET",
            scheme="https",
            host="h",
            port=443,
            target="/",
            headers=(("X-A", "a" * length + "!"),),
        )
        started = time.perf_counter()
        for _ in range(5):
            tree.modify_request(request)
        return time.perf_counter() - started

    seconds(1000)
    short, long = seconds(100 * 1024), seconds(800 * 1024)

    assert long < 5
    assert long < 40 * max(short, 0.001)
