"""What a token says about itself: claims, found by their path, and as text.

Not in it: expressions on claims (`expression.py`), and whether claims can be believed (`tokens/verify/`).
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite

Claims = Mapping[
    str, object
]  # the payload of a JWT (RFC 7519 §4), or an introspection answer (RFC 7662 §2.2)
ClaimPath = tuple[str, ...]  # `user.name` is ("user", "name")


_UNSENDABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, half characters


class ClaimSyntaxError(ValueError):
    """A path or an expression that can't be read; `offset` is the character at which, from 0."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


def parse_claim(text: str) -> ClaimPath:
    r"""The path that this text writes down: `.` between members' names, `\.` a dot, `\\` a backslash."""
    names = [""]
    offset = 0
    while offset < len(text):
        character = text[offset]
        if character == "\\":
            if text[offset + 1 : offset + 2] not in (".", "\\"):
                raise ClaimSyntaxError(offset, r"expected '.' or '\' after a backslash in a claim's path")
            offset += 1
            names[-1] += text[offset]
        elif character == ".":
            _refuse_empty(names, offset)
            names.append("")
        else:
            names[-1] += character
        offset += 1
    _refuse_empty(names, offset)
    return tuple(names)


def path_text(path: ClaimPath) -> str:
    """The path as `parse_claim` reads it."""
    return ".".join(re.sub(r"([.\\])", r"\\\1", name) for name in path)


def find(claims: Claims | None, path: ClaimPath) -> object:
    """The value at the end of the path; None where there is none, or null."""
    found: object = claims
    for name in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found


def scalar_text(value: object) -> str | None:
    """A text, number or truth value as text; None for anything else.

    Numbers are written in digits, without an exponent and without zeros that say nothing: 1e3 is `1000`.
    """
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() if isfinite(value):
            return _digits(value)
        case _:
            return None


def text_of(value: object) -> str | None:
    """A claim as a header or the log shows it: a list of scalars joined with commas, an object as JSON.

    None where it is missing, or where a control character stands in it.
    """
    text = _text(value)
    return None if text is None or _UNSENDABLE.search(text) else text


def _text(value: object) -> str | None:
    text = scalar_text(value)
    if text is not None or value is None:
        return text
    if isinstance(value, list):
        parts = [scalar_text(entry) for entry in value]
        if None not in parts:
            return ",".join(part for part in parts if part is not None)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _digits(value: float) -> str:
    if value == int(value):
        return str(int(Decimal(repr(value))))
    return format(Decimal(repr(value)), "f")


def _refuse_empty(names: list[str], offset: int) -> None:
    if not names[-1]:
        raise ClaimSyntaxError(offset, "expected a member's name in a claim's path")
