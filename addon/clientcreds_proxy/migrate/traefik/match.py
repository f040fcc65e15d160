"""The language of Traefik's routes, as far as a rule can say the same.

An expression becomes alternatives, each of them a list of conditions that all hold. What no rule can say
(headers, addresses, `!`) makes its alternative one that is written as a comment: without that condition a
token would go to more requests than before.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from clientcreds_proxy.migrate.draft import Match
from clientcreds_proxy.migrate.prefix import below

_TOKEN = re.compile(
    r"""\s*(?:(?P<word>[A-Za-z]+)|(?P<sign>&&|\|\||[!(),])|`(?P<raw>[^`]*)`|"(?P<text>(?:[^"\\]|\\.)*)")"""
)
_ALTERNATIVES = 64
_DEPTH = 30
# The regular expressions for one more label, and for any number of them, as people write them.
_ONE_LABEL = re.compile(r"\^?(?:\[\^\.\]\+|\[a-zA-Z0-9-\]\+|\[a-z0-9-\]\+)\\\.(?P<base>[A-Za-z0-9.\\-]+)\$?")
_LABELS = re.compile(r"\^?(?:\.\+|\(\.\+\))\\\.(?P<base>[A-Za-z0-9.\\-]+)\$?")
# Traefik 2 has them in braces, with a name.
_ONE_NAMED = re.compile(r"\{[A-Za-z0-9_]+:(?:\[\^\.\]|\[a-z(?:A-Z)?0-9-?\])\+\}\.(?P<base>[A-Za-z0-9.-]+)")
_NAMED = re.compile(r"\{[A-Za-z0-9_]+:\.\+\}\.(?P<base>[A-Za-z0-9.-]+)")


class MatchError(Exception):
    """An expression that can't be read: where, counted from 1, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One call: Host(`a.example`)."""

    name: str
    arguments: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one alternative matches, and what of it a rule can't say."""

    match: Match = field(default_factory=lambda: Match(hosts=()))
    unsaid: tuple[str, ...] = ()
    prefixes: bool = False  # PathPrefix goes by characters in Traefik, by segments here


def alternatives(expression: str) -> list[Found]:
    """All alternatives of an expression; MatchError where it is none."""
    parser = _Parser(expression)
    return [_found(conditions) for conditions in parser.whole()]


class _Parser:
    """`||` binds loosest, then `&&`, then `!`; the result is a list of conjunctions."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._next = 0
        self._depth = 0

    def whole(self) -> list[list[Condition]]:
        found = self._either(negated=False)
        if self._next < len(self._tokens):
            raise self._wrong("expected && or ||")
        return found

    def _either(self, *, negated: bool) -> list[list[Condition]]:
        parts = [self._both(negated=negated)]
        while self._took("||"):
            parts.append(self._both(negated=negated))
        return self._conjunction(parts) if negated else self._disjunction(parts)

    def _both(self, *, negated: bool) -> list[list[Condition]]:
        parts = [self._one(negated=negated)]
        while self._took("&&"):
            parts.append(self._one(negated=negated))
        return self._disjunction(parts) if negated else self._conjunction(parts)

    def _one(self, *, negated: bool) -> list[list[Condition]]:
        while self._took("!"):
            negated = not negated
        if self._took("("):
            self._depth += 1
            if self._depth > _DEPTH:
                raise self._wrong(f"more than {_DEPTH} parentheses inside each other")
            found = self._either(negated=negated)
            self._expect(")")
            self._depth -= 1
            return found
        return [[self._call(negated=negated)]]

    def _call(self, *, negated: bool) -> Condition:
        kind, name, _ = self._take()
        if kind != "word":
            raise self._wrong("expected a condition like Host(`api.example.com`)", back=1)
        self._expect("(")
        arguments: list[str] = []
        while not arguments or self._took(","):
            kind, text, _ = self._take()
            if kind not in ("raw", "text"):
                raise self._wrong("expected a text in backquotes or double quotes", back=1)
            arguments.append(text)
        self._expect(")")
        return Condition(name=name, arguments=tuple(arguments), negated=negated)

    def _disjunction(self, parts: list[list[list[Condition]]]) -> list[list[Condition]]:
        return self._bounded([conjunction for part in parts for conjunction in part])

    def _conjunction(self, parts: list[list[list[Condition]]]) -> list[list[Condition]]:
        found: list[list[Condition]] = [[]]
        for part in parts:
            found = self._bounded([[*one, *other] for one in found for other in part])
        return found

    def _bounded(self, found: list[list[Condition]]) -> list[list[Condition]]:
        if len(found) > _ALTERNATIVES:
            raise self._wrong(f"more than {_ALTERNATIVES} alternatives")
        return found

    def _take(self) -> tuple[str, str, int]:
        if self._next == len(self._tokens):
            return "end", "", len(self._text)
        self._next += 1
        return self._tokens[self._next - 1]

    def _took(self, sign: str) -> bool:
        found = self._next < len(self._tokens) and self._tokens[self._next][:2] == ("sign", sign)
        self._next += found
        return found

    def _expect(self, sign: str) -> None:
        if not self._took(sign):
            raise self._wrong(f"expected {sign}")

    def _wrong(self, message: str, *, back: int = 0) -> MatchError:
        place = max(self._next - back, 0)
        position = self._tokens[place][2] if place < len(self._tokens) else len(self._text)
        return MatchError(f"position {position + 1}: {message}")


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    end = 0
    while text[end:].strip():
        found = _TOKEN.match(text, end)
        if found is None:
            start = end + len(text[end:]) - len(text[end:].lstrip())
            raise MatchError(f"position {start + 1}: expected a condition, a text in backquotes, && or ||")
        end = found.end()
        kind = found.lastgroup or ""
        value = re.sub(r"\\(.)", r"\1", found[kind]) if kind == "text" else found[kind]
        yield kind, value, found.start() + len(found.group()) - len(found.group().lstrip())


def _found(conditions: list[Condition]) -> Found:
    """All conditions of one alternative as one match."""
    found = Found()
    for condition in conditions:
        said = _said(condition)
        combined = None if said is None else _combined(found.match, said)
        if combined is None:
            what = f"!{condition.name}" if condition.negated else condition.name
            found = replace(found, unsaid=(*found.unsaid, what))
        else:
            prefixes = found.prefixes or (condition.name == "PathPrefix" and condition.arguments != ("/",))
            found = replace(found, match=combined, prefixes=prefixes)
    return found


def _said(condition: Condition) -> Match | None:
    """What one condition matches; None where no rule can say it."""
    say = _SAYERS.get(condition.name)
    return None if condition.negated or say is None else say(condition.arguments)


def _hosts(expressions: tuple[str, ...]) -> Match | None:
    hosts = [_host(text) for text in expressions]
    return None if None in hosts else Match(hosts=tuple(filter(None, hosts)))


def _host(expression: str) -> str | None:
    for pattern, start in ((_ONE_LABEL, "*."), (_LABELS, "**."), (_ONE_NAMED, "*."), (_NAMED, "**.")):
        found = pattern.fullmatch(expression)
        base = found["base"].replace("\\.", ".") if found else "\\"
        if "\\" not in base:
            return start + base
    return None


def _path(texts: tuple[str, ...], *, prefixes: bool) -> Match | None:
    if any(character in text for text in texts for character in "*{}"):
        return None  # Traefik 2 has regular expressions there
    if prefixes:
        texts = tuple(path for text in texts for path in below(text))
    return Match(hosts=(), paths=() if "/**" in texts else texts)


def _query(texts: tuple[str, ...]) -> Match | None:
    pairs = [text.split("=", 1) for text in texts]
    if all(len(pair) == 2 for pair in pairs):  # Traefik 2: Query(`tenant=acme`)
        return Match(hosts=(), query={name: (value,) for name, value in pairs})
    return Match(hosts=(), query={texts[0]: (texts[1],)}) if len(texts) == 2 else None


def _combined(one: Match, other: Match) -> Match | None:
    """Both at once; None where no rule can say that."""
    parts: dict[str, tuple[str, ...]] = {}
    for name in ("hosts", "paths", "methods"):
        mine: tuple[str, ...] = getattr(one, name)
        its: tuple[str, ...] = getattr(other, name)
        both = tuple(text for text in mine if text in its) if mine and its else mine or its
        if (mine or its) and not both:
            return None
        parts[name] = both
    if one.query.keys() & other.query.keys():
        return None
    return Match(
        hosts=parts["hosts"],
        paths=parts["paths"],
        methods=parts["methods"],
        query={**one.query, **other.query},
    )


_SAYERS: Mapping[str, Callable[[tuple[str, ...]], Match | None]] = {
    "Host": lambda texts: Match(hosts=texts),
    "HostHeader": lambda texts: Match(hosts=texts),
    "HostRegexp": _hosts,
    "Path": lambda texts: _path(texts, prefixes=False),
    "PathPrefix": lambda texts: _path(texts, prefixes=True),
    "Method": lambda texts: Match(hosts=(), methods=tuple(text.upper() for text in texts)),
    "Query": _query,
}
