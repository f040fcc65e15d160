"""YAML text as plain values, with the position of each of them.

Scalars are read by YAML 1.2's core schema: `no` and `12:30:45` are texts, `010` is ten. Besides aliases,
the merge key `<<` works, because people share settings between token sources with it.

The tree is built from PyYAML's events: its own composer recurses in C, so that a file of brackets ends the
process, keeps the last of two equal keys, and reads scalars by YAML 1.1. What the values mean is decided
elsewhere; no message shows a value, an alias or a tag, since any of them may be a mistyped secret.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from clientcreds_proxy.config.reading.scalars import plain_value

Keys = tuple[str | int, ...]  # the way to a value: ("rules", 2, "match", "host")

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is five times as fast, but not everywhere
MAX_DEPTH = 64  # the deepest sensible file, nested modifiers included, has about 20 levels
MAX_NODES = 1_000_000  # with aliases expanded; 5,000 rules have about 100,000

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # as PyYAML counts lines
_SURROGATE = re.compile("[\ud800-\udfff]")
_QUOTED = re.compile(r""" (['"])(?!<)[^'"]{2,}\1""")  # what PyYAML's pure loader quotes from the file
_TEXT_TAGS = ("!", "tag:yaml.org,2002:str")


class YamlError(Exception):
    """The text can't be read any further: where, and why."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.line, self.column, self.message = line, column, message


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A mistake that leaves the rest readable, at one key or item of the value it was found in."""

    line: int
    column: int
    key: str | None
    message: str


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Node:
    """One value: a scalar, a list of nodes, or a dict of (key's node, value's node) by key."""

    line: int
    column: int
    content: object = None
    anchor: str | None = None
    faults: tuple[Fault, ...] = ()
    size: int = 1  # nodes, with aliases expanded
    height: int = 1
    merges: bool = False  # a plain `<<`

    def child(self, key: str | int) -> tuple["Node", "Node"] | None:
        """Where the child `key` is written (its key, in a mapping), and its value; None if there is none."""
        if isinstance(self.content, dict):
            found: tuple[Node, Node] | None = self.content.get(key)
            return found
        if isinstance(self.content, list) and isinstance(key, int) and key < len(self.content):
            item: Node = self.content[key]
            return item, item
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file's only document: its values as dict, list, str, int, float, bool and None."""

    root: Node = field(repr=False)
    is_faulty: bool

    def value(self) -> object:
        """The plain values, made anew."""
        return _plain(self.root)

    def find(self, path: Keys) -> tuple[Keys, int, int]:
        """As much of `path` as the file has, and its line and column: the key's, in a mapping."""
        place = node = self.root
        for depth, key in enumerate(path):
            found = node.child(key)
            if found is None:
                return path[:depth], place.line, place.column
            place, node = found
        return path, place.line, place.column

    def faults(self) -> Iterator[tuple[Keys, Fault]]:
        """Duplicate keys and the like, each once, with the way to it."""
        if not self.is_faulty:
            return
        seen: set[int] = set()
        stack: list[tuple[Keys, Node]] = [((), self.root)]
        while stack:
            path, node = stack.pop()
            if id(node) in seen:
                continue  # an alias
            seen.add(id(node))
            for fault in node.faults:
                yield (path if fault.key is None else (*path, fault.key)), fault
            stack += [((*path, key), child) for key, child in _children(node)]


def parse(text: str, *, loader: type = LOADER) -> Document:
    """The document in `text`; an empty text is the value None. YamlError where it can't be read."""
    return _compose(text, loader, many=False)[0]


def parse_all(text: str) -> tuple[Document, ...]:
    """Every document in `text`, as Kubernetes strings its resources together; at least one."""
    return _compose(text, LOADER, many=True)


def _compose(text: str, loader: type, *, many: bool) -> tuple[Document, ...]:
    _refuse_unprintable(text)
    composer = _Composer(many=many)
    try:
        for event in yaml.parse(text, Loader=loader):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        raise _readable(error, text) from None  # its own text quotes the file
    roots = composer.roots or [Node(line=1, column=1)]
    return tuple(Document(root=root, is_faulty=composer.is_faulty) for root in roots)


class _Composer:
    """The nodes of a text's documents, event by event; nothing in it recurses."""

    def __init__(self, *, many: bool) -> None:
        self.roots: list[Node] = []
        self._many = many
        self._anchors: dict[str, Node] = {}
        self.is_faulty = False
        self._open: list[tuple[Node, list[Node]]] = []  # collections, and what was read of each so far

    def take(self, event: yaml.Event) -> None:
        """The next event. YamlError where what it begins can't be read."""
        if isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event))
        elif isinstance(event, yaml.CollectionStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end(is_mapping=isinstance(event, yaml.MappingEndEvent))
        elif isinstance(event, yaml.AliasEvent):
            self._add(self._anchored(event))
        elif isinstance(event, yaml.DocumentStartEvent):
            self._start(event)

    def _start(self, event: yaml.DocumentStartEvent) -> None:
        if self.roots and not self._many:
            raise YamlError(*_position(event), "a second document begins here; expected a single one")
        self._anchors.clear()

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        node = self._new(event)
        if len(self._open) >= MAX_DEPTH:
            raise YamlError(node.line, node.column, f"nested more than {MAX_DEPTH} levels deep")
        self._open.append((node, []))

    def _end(self, *, is_mapping: bool) -> None:
        node, children = self._open.pop()
        node.size = 1 + sum(child.size for child in children)
        node.height = 1 + max((child.height for child in children), default=0)
        if node.size > MAX_NODES or node.height > MAX_DEPTH:
            raise YamlError(node.line, node.column, "too large or too deep once its aliases are expanded")
        node.content = _members(node, children) if is_mapping else children
        self._add(node)

    def _add(self, node: Node) -> None:
        self.is_faulty = self.is_faulty or bool(node.faults)
        if node.anchor is not None:
            self._anchors[node.anchor] = node
        if self._open:
            self._open[-1][1].append(node)
        else:
            self.roots.append(node)

    def _anchored(self, event: yaml.AliasEvent) -> Node:
        found = self._anchors.get(event.anchor or "")
        if found is None:
            raise YamlError(*_position(event), "no anchor of this alias's name is complete before it")
        return found

    def _scalar(self, event: yaml.ScalarEvent) -> Node:
        node = self._new(event)
        is_plain = event.implicit[0] and event.tag is None
        node.content = plain_value(event.value) if is_plain else event.value
        node.merges = is_plain and event.value == "<<"
        if not event.value.isascii() and _SURROGATE.search(event.value):  # from an escape like "\ud800"
            node.content = ""
            _fault(node, node, "half a surrogate pair is no character")
        return node

    def _new(self, event: yaml.NodeEvent) -> Node:
        line, column = _position(event)
        node = Node(line=line, column=column, anchor=event.anchor)
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _TEXT_TAGS:
            _fault(node, node, "tags are not supported; expected the value without one")
        return node


def _members(node: Node, children: list[Node]) -> dict[str, tuple[Node, Node]]:
    """The members of a mapping: its own ones, then those that `<<` brings and it does not have."""
    own: dict[str, tuple[Node, Node]] = {}
    merged: dict[str, tuple[Node, Node]] = {}
    for key, value in zip(children[::2], children[1::2], strict=True):
        name = key.content
        if key.faults:
            node.faults += key.faults
        if key.merges:
            _merge(node, key, value, merged)
        elif not isinstance(name, str):
            _fault(node, key, "a key must be text: put it in quotes")
        elif name in own:
            _fault(node, key, f"duplicate key, first given in line {own[name][0].line}", name)
        else:
            own[name] = (key, value)
    return {**merged, **own} if merged else own


def _merge(node: Node, key: Node, value: Node, merged: dict[str, tuple[Node, Node]]) -> None:
    sources = value.content if isinstance(value.content, list) else [value]
    for source in sources:
        if isinstance(source.content, dict):
            for name, member in source.content.items():
                merged.setdefault(name, member)
        else:
            _fault(node, key, "`<<` takes a mapping or a list of mappings")


def _fault(node: Node, place: Node, message: str, key: str | None = None) -> None:
    node.faults += (Fault(line=place.line, column=place.column, key=key, message=message),)


def _children(node: Node) -> list[tuple[str | int, Node]]:
    if isinstance(node.content, dict):
        return [(key, value) for key, (_, value) in node.content.items()]
    return list(enumerate(node.content)) if isinstance(node.content, list) else []


def _plain(node: Node) -> object:
    if isinstance(node.content, dict):
        return {key: _plain(value) for key, (_, value) in node.content.items()}
    if isinstance(node.content, list):
        return [_plain(item) for item in node.content]
    return node.content


def end_of(text: str) -> tuple[int, int]:
    """The line and column right behind `text`."""
    lines = _LINE_BREAK.split(text)
    return len(lines), len(lines[-1]) + 1


def _refuse_unprintable(text: str) -> None:
    found = _UNPRINTABLE.search(text)
    if found:
        message = f"the character U+{ord(found.group()):04X} is not allowed in YAML"
        raise YamlError(*end_of(text[: found.start()]), message)


def _position(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def _readable(error: yaml.MarkedYAMLError, text: str) -> YamlError:
    mark = error.problem_mark or error.context_mark
    lines = _LINE_BREAK.split(text)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    line, column = min((line, column), end_of(text))  # some marks are behind the end
    said = ", ".join(part for part in (error.context, error.problem) if part)
    hint = "; indent with spaces, not tabs" if "\t" in lines[line - 1][: column + 1] else ""
    return YamlError(line, column, f"not valid YAML: {_QUOTED.sub('', said)}{hint}")
