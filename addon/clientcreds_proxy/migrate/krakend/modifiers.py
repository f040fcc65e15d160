"""`modifier/martian` as `modifiers`: the same tree, as far as it can be used."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import parse_qsl

from clientcreds_proxy.martian.parse import parse
from clientcreds_proxy.martian.problem import ModifierError, Path
from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft, Value
from clientcreds_proxy.migrate.vault import looks_secret

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
        at.lost("left out as a whole; KrakenD, too, runs a backend without modifiers when it can't read them")
        return None
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
    """The tree, its secrets known to the vault: they are written as references then."""
    for path, name, value in _secrets(tree, ()):
        draft.vault.keep(value, At(at.page, value, (*at.path, *path)), name)
    found: Value = tree
    return found


def _secrets(node: Any, path: Path) -> Iterator[tuple[Path, str, str]]:
    """The values of headers, parameters and cookies with secret names, with their places."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _secrets(item, (*path, index))
    if isinstance(node, dict):
        yield from _own_secrets(node, path)
        for key, member in node.items():
            yield from _secrets(member, (*path, key))


def _own_secrets(node: dict[str, Any], path: Path) -> Iterator[tuple[Path, str, str]]:
    """Those of one modifier's fields."""
    fields = {key.lower(): (key, value) for key, value in node.items()}
    _, name = fields.get("name", ("", None))
    key, value = fields.get("value", ("", None))
    in_cookie = bool(path) and str(path[-1]).startswith("cookie.")
    if isinstance(name, str) and isinstance(value, str) and value and (in_cookie or looks_secret(name)):
        yield (*path, key), name, value
    key, query = fields.get("query", ("", None))
    if isinstance(query, str):
        yield from (((*path, key), each, text) for each, text in parse_qsl(query) if looks_secret(each))
