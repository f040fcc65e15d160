"""Finds the rules whose host, port, path and first parameter fit a request, without asking the others.

Hosts and ports are looked up in one dict, paths in one tree per host pattern and port, the first parameter of
`query` in one dict per path. The price of a search depends on the request's labels, segments and parameters
and on how many rules fit, not on how many there are.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import Literal

from clientcreds_proxy.rules.matching import all_arrivals
from clientcreds_proxy.rules.model import Rule
from clientcreds_proxy.rules.pattern import ANY_SEGMENT, ANY_SEGMENTS, EVERY_PATH

_Parameter = tuple[str, str]
_Door = tuple[Literal["exact", "one", "many"], str, int | Literal["any"]]


class _Node:
    """A place in the tree of path patterns: after some segments, which may come next."""

    __slots__ = ("any_segment", "any_segments", "ends", "repeats", "texts")

    def __init__(self, *, repeats: bool = False) -> None:
        self.texts: dict[str, _Node] = {}
        self.any_segment: _Node | None = None
        self.any_segments: _Node | None = None
        self.repeats = repeats  # after `**`: every further segment leads here again
        # Positions in the file of the rules whose pattern ends here, by a parameter that they ask for.
        self.ends: dict[_Parameter | None, list[int]] = {}

    def grow(self, segment: str) -> "_Node":
        """The place after `segment` of a pattern."""
        if segment == ANY_SEGMENT:
            self.any_segment = self.any_segment or _Node()
            return self.any_segment
        if segment == ANY_SEGMENTS:
            self.any_segments = self.any_segments or _Node(repeats=True)
            return self.any_segments
        return self.texts.setdefault(segment, _Node())

    def after(self, segment: str) -> Iterator["_Node"]:
        """The places that `segment` of a request leads to."""
        if self.repeats:
            yield self
        if text := self.texts.get(segment):
            yield text
        if segment and self.any_segment:
            yield self.any_segment


class RuleIndex:
    """Rules by host and port, then by path."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._roots: dict[_Door, _Node] = {}
        for position, rule in enumerate(self._rules):
            for door in _doors_of(rule):
                root = self._roots.setdefault(door, _Node())
                for pattern in rule.match.paths or (EVERY_PATH,):
                    end = reduce(_Node.grow, pattern.segments, root)
                    for parameter in _parameters_of(rule):
                        end.ends.setdefault(parameter, []).append(position)

    def covers(self, host: str, port: int) -> bool:
        """Whether a rule is for this host (in normal form) and port."""
        return any(door in self._roots for door in _doors_to(host, port))

    def candidates(
        self, host: str, port: int, segments: Iterable[str], query: Iterable[_Parameter]
    ) -> Iterator[Rule]:
        """The rules whose hosts, ports, paths and first parameter fit, in file order."""
        parameters = {None, *query}
        found: set[int] = set()
        for door in _doors_to(host, port):
            if root := self._roots.get(door):
                for node in _walk(root, segments):
                    found.update(*(node.ends.get(parameter, ()) for parameter in parameters))
        return (self._rules[position] for position in sorted(found))


def _parameters_of(rule: Rule) -> Iterator[_Parameter | None]:
    if not rule.match.query:
        yield None
    for name, values in rule.match.query[:1]:
        for value in values:
            yield name, value


def _doors_of(rule: Rule) -> Iterator[_Door]:
    arrival = all_arrivals(rule)
    ports: Iterable[int | Literal["any"]] = ("any",) if arrival == "any" else arrival
    for port in ports:
        for pattern in rule.match.hosts:
            yield pattern.kind, pattern.base, port


def _doors_to(host: str, port: int) -> Iterator[_Door]:
    ports: tuple[int, Literal["any"]] = (port, "any")
    for at in ports:
        yield "exact", host, at
        _, _, parent = host.partition(".")
        yield "one", parent, at
        while parent:
            yield "many", parent, at
            _, _, parent = parent.partition(".")


def _walk(root: _Node, segments: Iterable[str]) -> set[_Node]:
    live = _with_empty_steps([root])
    for segment in segments:
        live = _with_empty_steps(after for node in live for after in node.after(segment))
    return live


def _with_empty_steps(nodes: Iterable[_Node]) -> set[_Node]:
    """`nodes`, and those that `**` reaches without using up a segment."""
    reached: set[_Node] = set()
    for start in nodes:
        node: _Node | None = start
        while node is not None and node not in reached:
            reached.add(node)
            node = node.any_segments
    return reached
