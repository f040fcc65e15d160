"""`modifier/martian` as `modifiers`: the same tree, as far as it can be used."""

import re
from base64 import b64decode
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from clientcreds_proxy.martian.parse import parse
from clientcreds_proxy.martian.problem import ModifierError, Path
from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft, Value
from clientcreds_proxy.migrate.url import url
from clientcreds_proxy.migrate.vault import looks_secret

_NAMED = re.compile(r"""([\w.-]{1,40})["']?\s*[:=]|<([\w.-]{1,40})>""")
_PASSES = 8  # more than any file needs: each finds all unknown keys that the one before left readable


def modifiers(at: At, draft: Draft) -> Value:
    """The tree, or None where it can't be used."""
    tree: Any = deepcopy(at.value)
    for _ in range(_PASSES):
        problems = _problems(tree)
        unknown = [path for path, message in problems if message.startswith("unknown key")]
        if not unknown:
            break
        for path in unknown:  # Go's JSON reader ignores them
            _remove(tree, path)
            At(at.page, None, (*at.path, *path)).lost("Martian ignores this key, and so it is left out")
    for path, message in problems:
        said = "a value that can't be used" if draft.vault.holds(message) else message
        At(at.page, None, (*at.path, *path)).lost(said)
    if problems:
        at.lost("left out as a whole, since it holds what can't be used here")
        return None
    _as_krakend_compares(tree, at)
    return _without_secrets(tree, at, draft)


def _problems(tree: object) -> list[tuple[Path, str]]:
    try:
        parse(tree)
    except ModifierError as error:
        return list(error.problems)
    return []


def _remove(tree: Any, path: Path) -> None:
    for key in path[:-1]:
        tree = tree[key]
    del tree[path[-1]]


def _without_secrets(tree: Any, at: At, draft: Draft) -> Value:
    """The tree with references for its secrets: an encoded one is found by its place alone."""
    for path, node in _fields(tree, ()):
        _hide(node, At(at.page, node, (*at.path, *path)), draft)
    found: Value = tree
    return found


def _as_krakend_compares(tree: Any, at: At) -> None:
    """Write down what a missing `value` of `header.Filter` is to KrakenD, against its documentation."""
    for path, node in _fields(tree, ()):
        if path[-1:] == ("header.Filter",) and not any(
            key.lower() == "value" and value is not None for key, value in node.items()
        ):
            node["value"] = ""
            At(at.page, None, (*at.path, *path)).note(
                'without value KrakenD compares with the empty text: value: "" here; without that key the '
                "filter asks whether the header is there, as KrakenD's documentation has it"
            )


def _fields(node: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every mapping of the tree, with its place."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _fields(item, (*path, index))
    if isinstance(node, dict):
        yield path, node
        for key, member in node.items():
            yield from _fields(member, (*path, key))


def _hide(node: dict[str, Any], at: At, draft: Draft) -> None:
    """Put references for the secrets of one modifier's fields: values with secret names, queries, bodies."""
    keys = {key.lower(): key for key in node}
    in_cookie = bool(at.path) and str(at.path[-1]).startswith("cookie.")
    for named, key in (("name", "value"), ("header", "regex")):
        name, value = node.get(keys.get(named, "")), node.get(keys.get(key, ""))
        if not isinstance(name, str) or not isinstance(value, str) or not value:
            continue
        if in_cookie or looks_secret(name, value):
            node[keys[key]] = draft.vault.keep(value, at.at(keys[key]), name)
    body = node.get(keys.get("body", ""))
    if isinstance(body, str) and _holds_secret(body):
        node[keys["body"]] = draft.vault.keep(body, at.at(keys["body"]), "body")
    query = node.get(keys.get("query", ""))
    if isinstance(query, str):
        node[keys["query"]] = url(query, at.at(keys["query"]), draft, "query")


def _holds_secret(body: str) -> bool:
    """Whether a body (Base64) has a member, a parameter or an element with a secret name."""
    try:
        text = b64decode(body).decode(errors="replace")
    except ValueError:
        return False
    return any(looks_secret(found[1] or found[2]) for found in _NAMED.finditer(text))
