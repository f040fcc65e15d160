r"""Traefik's language for conditions on claims: parsed once, at load; every mistake has its position.

or    = and { "||" and }              ! binds tightest, then &&
and   = unary { "&&" unary }
unary = { "!" } ( call | "(" or ")" )
call  = NAME "(" string { "," string } ")"
string: `raw` as in Go, or "with \n \t \r \\ \" \uXXXX"; the first argument is a claim's path
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn, Protocol

from clientcreds_proxy.tokens.claims.values import (
    ClaimPath,
    Claims,
    ClaimSyntaxError,
    find,
    parse_claim,
    scalar_text,
)

MAX_LENGTH = 16 * 1024  # characters
MAX_DEPTH = 50  # parentheses inside each other


class Expression(Protocol):
    """A condition on claims."""

    def holds(self, claims: Claims) -> bool:
        """Whether these claims fulfil it."""
        ...

    def calls(self) -> Iterator["Call"]:
        """The functions in it, from left to right."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One function: `Equals(key, value)`. Where the claim is missing or null it does not hold."""

    name: str
    path: ClaimPath
    values: tuple[str, ...]
    offset: int  # of the function's name in the expression

    def holds(self, claims: Claims) -> bool:
        """Whether the claim at the path is as the function says."""
        found = find(claims, self.path)
        return found is not None and _FUNCTIONS[self.name].test(found, self.values)

    def calls(self) -> Iterator["Call"]:
        """Itself."""
        yield self


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """The opposite."""

    of: Expression

    def holds(self, claims: Claims) -> bool:
        """Whether it does not hold."""
        return not self.of.holds(claims)

    def calls(self) -> Iterator[Call]:
        """Those of the inner one."""
        return self.of.calls()


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Several, of which all or any must hold."""

    all: bool
    of: tuple[Expression, ...]

    def holds(self, claims: Claims) -> bool:
        """Whether all of them hold, or any."""
        holding = (each.holds(claims) for each in self.of)
        return all(holding) if self.all else any(holding)

    def calls(self) -> Iterator[Call]:
        """Those of all."""
        return (call for each in self.of for call in each.calls())


def parse_expression(text: str) -> Expression:
    """The condition that this text writes down; raises a `ClaimSyntaxError`."""
    if len(text) > MAX_LENGTH:
        raise ClaimSyntaxError(MAX_LENGTH, f"expected at most {MAX_LENGTH} characters")
    return _Parser(text).whole()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Function:
    least: int  # values besides the key
    most: int | None
    takes: str
    test: Callable[[object, tuple[str, ...]], bool]


def _equals(found: object, values: tuple[str, ...]) -> bool:
    return scalar_text(found) == values[0]


def _prefix(found: object, values: tuple[str, ...]) -> bool:
    return isinstance(found, str) and found.startswith(values[0])


def _contains(found: object, values: tuple[str, ...]) -> bool:
    if isinstance(found, list):
        return values[0] in map(scalar_text, found)
    return isinstance(found, str) and values[0] in found


def _split_contains(found: object, values: tuple[str, ...]) -> bool:
    separator, value = values
    return isinstance(found, str) and value in found.split(separator)


def _one_of(found: object, values: tuple[str, ...]) -> bool:
    entries = found if isinstance(found, list) else [found]
    return any(scalar_text(entry) in values for entry in entries)


_FUNCTIONS = {
    "Equals": _Function(least=1, most=1, takes="key, value", test=_equals),
    "Prefix": _Function(least=1, most=1, takes="key, value", test=_prefix),
    "Contains": _Function(least=1, most=1, takes="key, value", test=_contains),
    "SplitContains": _Function(least=2, most=2, takes="key, separator, value", test=_split_contains),
    "OneOf": _Function(least=1, most=None, takes="key, value, …", test=_one_of),
}
_BLANK = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"\w+")
_RAW = re.compile("`([^`]*)`")
_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"'}
_SHOWN = 20  # characters of what stands where something else was expected


class _Parser:
    """Recursive descent over one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def whole(self) -> Expression:
        expression = self._or()
        if self._at < len(self._text):
            self._fail("expected && or ||")
        return expression

    def _or(self) -> Expression:
        return self._joined("||", lambda: self._joined("&&", self._unary))

    def _joined(self, operator: str, part: Callable[[], Expression]) -> Expression:
        parts = [part()]
        while self._take(operator):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(all=operator == "&&", of=tuple(parts))

    def _unary(self) -> Expression:
        negated = False
        while self._take("!"):
            negated = not negated
        inner = self._group() if self._take("(") else self._call()
        return Not(of=inner) if negated else inner

    def _group(self) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ClaimSyntaxError(self._at, f"expected at most {MAX_DEPTH} parentheses inside each other")
        inner = self._or()
        if not self._take(")"):
            self._fail("expected && or || or )")
        self._depth -= 1
        return inner

    def _call(self) -> Call:
        self._blank()
        start = self._at
        word = _WORD.match(self._text, self._at)
        function = _FUNCTIONS.get(word[0]) if word else None
        if word is None or function is None:
            self._fail(f"expected one of {', '.join(_FUNCTIONS)}")
        self._at = word.end()
        if not self._take("("):
            self._fail(f"expected ( after {word[0]}")
        key_at = self._at
        key, *values = self._arguments()
        if len(values) < function.least or (function.most is not None and len(values) > function.most):
            raise ClaimSyntaxError(start, f"expected {word[0]}({function.takes})")
        return Call(name=word[0], path=self._path(key, key_at), values=tuple(values), offset=start)

    def _path(self, key: str, offset: int) -> ClaimPath:
        try:
            return parse_claim(key)
        except ClaimSyntaxError as error:
            raise ClaimSyntaxError(offset, error.message) from None

    def _arguments(self) -> list[str]:
        arguments = [self._string()]
        while self._take(","):
            arguments.append(self._string())
        if not self._take(")"):
            self._fail("expected , or )")
        return arguments

    def _string(self) -> str:
        self._blank()
        start = self._at
        if found := _RAW.match(self._text, start):
            text = found[1]
        elif found := _QUOTED.match(self._text, start):
            text = _ESCAPE.sub(lambda escape: self._unescaped(escape, start), found[1])
        elif self._text[start : start + 1] in ("`", '"'):
            raise ClaimSyntaxError(start, "this quote is never closed")
        else:
            self._fail('expected a text in `backquotes` or "quotes"')
        if not text:
            raise ClaimSyntaxError(start, "expected a text that is not empty")
        self._at = found.end()
        return text

    def _unescaped(self, escape: re.Match[str], start: int) -> str:
        code = escape[1]
        if code in _ESCAPED:
            return _ESCAPED[code]
        if len(code) == 1 or 0xD800 <= int(code[1:], 16) < 0xE000:
            at = start + 1 + escape.start()
            raise ClaimSyntaxError(at, r"expected one of \n \t \r \\ \" \uXXXX; or write it in `backquotes`")
        return chr(int(code[1:], 16))

    def _take(self, token: str) -> bool:
        self._blank()
        if not self._text.startswith(token, self._at):
            return False
        self._at += len(token)
        self._blank()
        return True

    def _blank(self) -> None:
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank else self._at

    def _fail(self, expected: str) -> NoReturn:
        rest = self._text[self._at : self._at + _SHOWN]
        found = f"found {rest!r}" if rest else "found the end"
        raise ClaimSyntaxError(self._at, f"{expected}, {found}")
