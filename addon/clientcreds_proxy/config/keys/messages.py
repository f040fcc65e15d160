"""pydantic's errors in words: which key, what is wrong with it, what was expected, which name is meant.

No message holds the value it is about.
"""

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from clientcreds_proxy.config.keys.checks import QuotingError
from clientcreds_proxy.config.keys.model_keys import INLINE, NAMED
from clientcreds_proxy.config.keys.model_keys import Keys as Model
from clientcreds_proxy.config.reading.yaml import Keys
from clientcreds_proxy.martian.problem import kind_of, nearest

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "finite_number": "a finite number",
}


def problems(error: ValidationError, model: type[Model]) -> Iterator[tuple[Keys, str, bool]]:
    """Each mistake: the way to it, the message, and whether that may quote the value."""
    for each in error.errors(include_url=False):
        path = tuple(key for key in each["loc"] if key not in (INLINE, NAMED, "[key]"))
        cause = each.get("ctx", {}).get("error")
        yield path, _message(each, path, model), isinstance(cause, QuotingError)


def _message(error: ErrorDetails, path: Keys, model: type[Model]) -> str:
    kind, limits = error["type"], error.get("ctx", {})
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, found {kind_of(error['input'])}{_hint(error)}"
    messages: dict[str, Callable[[], str]] = {
        "missing": lambda: "is required",
        "extra_forbidden": lambda: _unknown(path, model),
        "literal_error": lambda: _wrong_word(error["input"], limits["expected"]),
        "value_error": lambda: str(limits["error"]),
        "greater_than": lambda: f"expected a number above {limits['gt']:g}",
        "greater_than_equal": lambda: f"expected a number of {limits['ge']:g} or more",
        "union_tag_not_found": lambda: _neither(error["input"], str(path[-1])),
        "too_short": lambda: "is empty; expected at least one",
        "string_too_short": lambda: "is empty",
    }
    return messages[kind]()


def _neither(given: object, key: str) -> str:
    what = key.replace("_", " ")
    return f"expected the name of a {what}, or a {what} written here in full, found {kind_of(given)}"


def _hint(error: ErrorDetails) -> str:
    is_scalar = error["type"] == "string_type" and isinstance(error["input"], int | float)
    return "; put it in quotes" if is_scalar else ""


def _unknown(path: Keys, model: type[Model]) -> str:
    key = str(path[-1])
    owner = _model_at(model, path[:-1])
    names = [field.alias or name for name, field in owner.model_fields.items()]
    return f"unknown key, {nearest(key, names)}"


def _model_at(model: type[Model], path: Keys) -> type[Model]:
    """The model whose mapping stands at `path`."""
    for key in path:
        model = next(_models(model.model_fields[str(key)].annotation), model)
    return model


def _models(annotation: object) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _wrong_word(given: object, expected: str) -> str:
    words = re.findall(r"'([^']*)'", expected)
    close = get_close_matches(given, words, n=1) if isinstance(given, str) else []
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"expected {expected}{hint}"
