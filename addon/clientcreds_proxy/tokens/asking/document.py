"""A token endpoint's answer as named members: JSON or a form, whatever its content type claims."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

Document = Mapping[str, Any]
_GZIP = b"\x1f\x8b"


class UnreadableError(ValueError):
    """Neither a JSON object nor a form; says what it is instead, in words without any of its content."""


def read(body: bytes, *, once: str) -> Document:
    """The members of an answer; the member that `once` names must not occur twice in one object.

    The content type is not asked: JSON is sent as text/html, forms as text/plain, and the charset named
    for JSON is wrong anyway (RFC 8259 §8.1: UTF-8).
    """
    if body.startswith(_GZIP):
        raise UnreadableError("it is compressed, which nobody asked for")
    try:
        text = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise UnreadableError("it is not UTF-8") from None
    if not text or text.startswith("<"):
        raise UnreadableError("it is a web page or XML" if text else "it is empty")
    try:
        document = json.loads(text, object_pairs_hook=lambda pairs: _members(pairs, once))
    except UnreadableError:
        raise
    except (ValueError, RecursionError):  # ValueError also for a number of more than 4,300 digits
        if text.startswith(("{", "[")):
            raise UnreadableError("it is not valid JSON") from None
        return _members(parse_qsl(text, keep_blank_values=True), once)
    if not isinstance(document, dict):
        raise UnreadableError("it is JSON, but not an object")
    return document


def find(document: Document, name: str) -> Any:
    """The value of a member, or of a JSON pointer (RFC 6901) where `name` starts with `/`; None: not there.

    Names that are no pointers also match in another case, as Go's decoder does for KrakenD and Traefik.
    """
    if name.startswith("/"):
        return _follow(document, name)
    if name in document:
        return document[name]
    return next((value for key, value in document.items() if key.lower() == name.lower()), None)


def last_member(name: str) -> str:
    """The member that a name or JSON pointer ends at."""
    return _unescape(name.rpartition("/")[2]) if name.startswith("/") else name


def _members(pairs: Sequence[tuple[str, Any]], once: str) -> dict[str, Any]:
    # Two readers could take different ones of two tokens: RFC 8259 §4 leaves open which.
    if sum(key.lower() == once.lower() for key, _ in pairs) > 1:
        raise UnreadableError("it names the token twice")
    return dict(pairs)


def _follow(document: Document, pointer: str) -> Any:
    value: Any = document
    for step in map(_unescape, pointer.split("/")[1:]):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdecimal() and int(step[:9]) < len(value):
            value = value[int(step[:9])]
        else:
            return None
    return value


def _unescape(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")
