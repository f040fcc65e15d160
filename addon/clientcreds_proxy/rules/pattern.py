"""What a rule says about hosts and paths, parsed once and validated. Searching many of them: `index.py`."""

import re
from dataclasses import dataclass
from typing import Literal

from clientcreds_proxy.rules.host import ip_literal, normalise, split_host_port
from clientcreds_proxy.rules.path import DOT_SEGMENT, segments_of

ANY_SEGMENT = "*"
ANY_SEGMENTS = "**"

_WILDCARDS = {"one": "*.", "many": "**."}
_NAMED = re.compile(r"\{[A-Za-z_][A-Za-z0-9_.-]*\}")
_FORBIDDEN_IN_PATHS = re.compile(r"[\x00-\x20?#\\\x7f]|%(?:[01][0-9A-Fa-f]|5[Cc]|7[Ff])")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


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

    A segment `{name}` is kept as `*`. No text segment is `*` or `**`: those are the wildcards.
    """

    segments: tuple[str, ...]
    text: str  # as the configuration has it

    def matches(self, segments: tuple[str, ...]) -> bool:
        """Whether a request's `path.segments_of` are one of these paths."""
        reached = {0}  # how many of the pattern's segments the path has used up, all ways at once
        for segment in (*segments, None):
            for used in sorted(reached):
                while self.segments[used : used + 1] == (ANY_SEGMENTS,):
                    reached.add(used := used + 1)
            if segment is not None:
                reached = {after for used in reached for after in self._after(used, segment)}
        return len(self.segments) in reached

    def _after(self, used: int, segment: str) -> tuple[int, ...]:
        if used == len(self.segments):
            return ()
        expected = self.segments[used]
        if expected == ANY_SEGMENTS:
            return (used,)
        fits = bool(segment) if expected == ANY_SEGMENT else expected == segment
        return (used + 1,) if fits else ()

    def __str__(self) -> str:
        return self.text


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
    if found := _FORBIDDEN_IN_PATHS.search(text):
        raise PatternError(f"{text!r} holds {found.group()!r}; expected a path alone, as it stands in a URL")
    if _BAD_ESCAPE.search(text):
        raise PatternError(f"{text!r} holds % without two hexadecimal digits; expected %25 for the sign")
    segments = segments_of(text)
    if "" in segments[:-1]:
        raise PatternError(f"{text!r} holds //; expected single slashes")
    return PathPattern(segments=tuple(_segment(segment, text) for segment in segments), text=text)


def _segment(segment: str, text: str) -> str:
    if DOT_SEGMENT.fullmatch(segment):
        raise PatternError(f"{text!r} holds the segment {segment!r}; expected the path that it leads to")
    if segment in (ANY_SEGMENT, ANY_SEGMENTS):
        return segment
    if _NAMED.fullmatch(segment):
        return ANY_SEGMENT
    if any(character in segment for character in "*{}"):
        raise PatternError(f"{text!r}: *, ** and {{name}} stand alone in a segment, but here is {segment!r}")
    return segment
