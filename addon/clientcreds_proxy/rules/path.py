"""Request targets: their path segments and parameters, and how two servers could read a path differently."""

import re
from typing import Literal
from urllib.parse import parse_qsl

Ambiguity = Literal["a dot segment", "an encoded slash", "an empty segment", "an unsafe character"]

# `.` and `..`, also before path parameters: Tomcat cuts `;…` off before it resolves the dots.
_DOT_SEGMENT = re.compile(r"\.\.?(?:(?:;|%3B).*)?", re.DOTALL)

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_OUTSIDE_ASCII = re.compile(r"[^\x00-\x7f]")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")  # RFC 3986 §2.3
_SEPARATORS = re.compile(r"/|\\|%2F|%5C")
# A backslash is a slash to Windows servers; control characters and raw spaces end lines and names in
# logs and parsers; `#` never stands in a request target (RFC 9112 §3.2).
_UNSAFE = re.compile(r"[\x00-\x20#\\\x7f]|%(?:[01][0-9A-F]|5C|7F)")


def path_of(target: str) -> str:
    """The path of a request target, as written: without its query."""
    return target.partition("?")[0]


def query_of(target: str) -> list[tuple[str, str]]:
    """Names and values of a request target's query, in order and decoded; `+` is a space."""
    return parse_qsl(target.partition("?")[2], keep_blank_values=True)


def segments_of(path: str) -> tuple[str, ...]:
    """The segments to compare: `/a/b%2Dc/` gives `a`, `b-c` and an empty one.

    `%XX` of unreserved characters is decoded, every other escape stays, in upper case (RFC 3986 §6.2.2).
    `*`, the target of `OPTIONS *`, has none.
    """
    if path == "*":
        return ()
    return tuple(_comparable(path).removeprefix("/").split("/"))


def ambiguities(path: str) -> frozenset[Ambiguity]:
    """All ways in which two servers could read this raw path differently. A trailing slash is none."""
    if path == "*":
        return frozenset()
    comparable = _comparable(path)
    found: set[Ambiguity] = set()
    # A server that decodes %2F first sees the dots between two of them as a segment.
    if any(_DOT_SEGMENT.fullmatch(part) for part in _SEPARATORS.split(comparable)):
        found.add("a dot segment")
    if "%2F" in comparable:
        found.add("an encoded slash")
    if "//" in comparable:
        found.add("an empty segment")
    if not comparable.startswith("/") or _UNSAFE.search(comparable):
        found.add("an unsafe character")
    return frozenset(found)


def _comparable(path: str) -> str:
    escaped = _OUTSIDE_ASCII.sub(_escape, path)
    return _ESCAPE.sub(_decode_unreserved, escaped)


def _escape(found: re.Match[str]) -> str:
    # mitmproxy hands bytes that are no UTF-8 over as lone surrogates.
    return "".join(f"%{byte:02X}" for byte in found.group().encode("utf-8", "surrogateescape"))


def _decode_unreserved(found: re.Match[str]) -> str:
    character = chr(int(found.group(1), 16))
    return character if character in _UNRESERVED else found.group().upper()
