"""What a rule says about hosts and paths, parsed once and validated. Searching many of them: `index.py`."""

import re
from dataclasses import dataclass
from functools import reduce
from typing import Literal

from clientcreds_proxy.rules.host import ip_literal, normalise, split_host_port
from clientcreds_proxy.rules.path import ambiguities, segments_of

ANY_SEGMENT = "*"
ANY_SEGMENTS = "**"

_WILDCARDS = {"one": "*.", "many": "**."}
_NAMED = re.compile(r"\{[A-Za-z_][A-Za-z0-9_.-]*\}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")

Places = frozenset[int]  # in a path pattern: how many of its segments are used up, in every possible way


class PatternError(ValueError):
    """A pattern of the configuration that can't be used: what is wrong, and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPattern:
    """`api.example.com` (exact), `*.example.com` (one more label) or `**.example.com` (one or more)."""

    kind: Literal["exact", "one", "many"]
    base: str  # in normal form, without the wildcard

    def matches(self, host: str) -> bool:
        """Whether `host`, in normal form, is one of these hosts."""
        if self.kind == "exact":
            return host == self.base
        front = host.removesuffix(f".{self.base}")
        if front in ("", host):
            return False
        return self.kind == "many" or "." not in front

    def __str__(self) -> str:
        return _WILDCARDS.get(self.kind, "") + self.base


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPattern:
    """A path, segment by segment: a text, `*` (one segment, not empty) or `**` (any number, also none).

    A segment `{name}` is kept as `*`. No text holds `*`, so wildcards are told by their texts.
    """

    segments: tuple[str, ...]
    text: str  # as the configuration has it

    @property
    def start(self) -> Places:
        """The places in the pattern before any segment of a path."""
        return self._places({0})

    def after(self, places: Places, segment: str) -> Places:
        """The places that a further segment of a path leads to; none where it does not fit."""
        return self._places({following for place in places for following in self._step(place, segment)})

    def ends_at(self, places: Places) -> bool:
        """Whether a path that has led to these places may end there."""
        return len(self.segments) in places

    def matches(self, segments: tuple[str, ...]) -> bool:
        """Whether a request's `path.segments_of` are one of these paths."""
        return self.ends_at(reduce(self.after, segments, self.start))

    def _step(self, place: int, segment: str) -> tuple[int, ...]:
        match self.segments[place : place + 1]:
            case (expected,) if expected == ANY_SEGMENTS:
                return (place,)
            case (expected,) if expected == segment or (expected == ANY_SEGMENT and segment):
                return (place + 1,)
        return ()

    def _places(self, reached: set[int]) -> Places:
        for place in range(len(self.segments)):
            if place in reached and self.segments[place] == ANY_SEGMENTS:
                reached.add(place + 1)  # `**` may stand for no segment at all
        return frozenset(reached)

    def __str__(self) -> str:
        return self.text


EVERY_PATH = PathPattern(segments=(ANY_SEGMENTS,), text="/**")


def parse_host(text: str) -> tuple[HostPattern, int | None]:
    """The pattern that `match.host` means, and the port of the short form `api.example.com:8443`."""
    if "/" in text:
        raise PatternError(f"{text!r} is no host; expected it without scheme and path: api.example.com")
    try:
        host, port = (text, None) if ip_literal(text) else split_host_port(text)
        kind, base = _kind_of(host)
        normal = normalise(base)
    except ValueError as error:
        raise PatternError(f"{error}; expected api.example.com, *.example.com or **.example.com") from error
    if kind != "exact" and ip_literal(normal):
        raise PatternError(f"{text!r}: an address has no wildcard; expected one address or a name")
    return HostPattern(kind=kind, base=normal), port


def _kind_of(host: str) -> tuple[Literal["exact", "one", "many"], str]:
    if host.startswith("**."):
        return "many", host[3:]
    return ("one", host[2:]) if host.startswith("*.") else ("exact", host)


def parse_path(text: str) -> PathPattern:
    """The pattern that `match.path` means. Characters outside ASCII count as their UTF-8 escapes."""
    if not text.startswith("/"):
        raise PatternError(f"{text!r} is no path; expected it to start with /")
    if "?" in text or "#" in text:
        raise PatternError(f"{text!r} holds more than a path; expected it without ? and #")
    if _BAD_ESCAPE.search(text):
        raise PatternError(f"{text!r} holds % without two hexadecimal digits; expected %25 for the sign")
    if refused := ambiguities(text) - {"an encoded slash"}:
        raise PatternError(
            f"{text!r} holds {' and '.join(sorted(refused))}; expected what all servers read alike"
        )
    return PathPattern(segments=tuple(_segment(segment, text) for segment in segments_of(text)), text=text)


def _segment(segment: str, text: str) -> str:
    if segment in (ANY_SEGMENT, ANY_SEGMENTS):
        return segment
    if _NAMED.fullmatch(segment):
        return ANY_SEGMENT
    if any(character in segment for character in "*{}"):
        raise PatternError(f"{text!r}: *, ** and {{name}} stand alone in a segment, but here is {segment!r}")
    return segment
