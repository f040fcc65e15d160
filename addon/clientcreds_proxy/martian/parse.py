"""Martian's parser: a tree of plain values (from YAML or JSON) becomes one `Modifier`.

Every problem of the tree is found in one pass. It differs from Martian's own parser on purpose: keys that
no modifier knows are refused, unless they begin with `@`, `$`, `_` or `#`, KrakenD's marks of a comment.
"""

from collections.abc import Callable, Mapping
from uuid import UUID, uuid4

from clientcreds_proxy.martian.fields import Fields, Kind
from clientcreds_proxy.martian.modifier import BOTH, Modifier, Phase, Phases, WithoutEffect
from clientcreds_proxy.martian.problem import ModifierError, Path, Problem, kind_of, nearest, shown
from clientcreds_proxy.martian.registry import KINDS

# What KrakenD puts around a tree, by its new name and its old one.
NAMESPACES = ("modifier/martian", "github.com/devopsfaith/krakend-martian")

MAX_DEPTH = 50  # modifiers inside each other: beyond any use, and far from Python's own limit
MAX_MODIFIERS = 10_000  # in one tree: YAML's aliases can make a short file endless


def parse(node: object, *, new_id: Callable[[], UUID] = uuid4, folder: str = "") -> Modifier:
    """The modifier of one tree; `ModifierError` with all of its problems.

    Relative paths of files count from `folder`. KrakenD's namespace may be the one key around the tree.
    """
    parser = _Parser(new_id, folder)
    path: Path = ()
    if isinstance(node, Mapping) and len(node) == 1:
        (name,) = node
        if name in NAMESPACES:
            node, path = node[name], (name,)
    modifier = parser.modifier(node, path, BOTH)
    if parser.problems:
        raise ModifierError(parser.problems)
    return modifier


class _Parser:
    """One parse in progress."""

    def __init__(self, new_id: Callable[[], UUID], folder: str) -> None:
        self.new_id = new_id
        self.folder = folder
        self.problems: list[Problem] = []
        self._depth = 0
        self._count = 0

    def report(self, path: Path, message: str) -> None:
        self.problems.append((path, message))

    def modifier(self, node: object, path: Path, enclosing: Phases) -> Modifier:
        self._count += 1
        if self._count > MAX_MODIFIERS:
            self.report(path, f"more than {MAX_MODIFIERS} modifiers in one tree")
            raise ModifierError(self.problems)
        if self._depth == MAX_DEPTH:
            self.report(path, f"more than {MAX_DEPTH} modifiers inside each other")
            return WithoutEffect(name="", at=path)
        self._depth += 1
        try:
            return self._build(node, path, enclosing)
        finally:
            self._depth -= 1

    def _build(self, node: object, path: Path, enclosing: Phases) -> Modifier:
        name = self._name(node, path)
        kind = KINDS.get(name)
        if kind is None or not isinstance(node, Mapping):
            return WithoutEffect(name=name, at=path)
        fields = Fields(node[name], (*path, name), self)
        fields.phases = _scope(fields, kind) & enclosing
        built: Modifier = kind.build(fields)
        fields.refuse_unknown()
        return built

    def _name(self, node: object, path: Path) -> str:
        """The one key of a modifier's object; empty where it was reported."""
        if not isinstance(node, Mapping):
            self.report(path, f"expected a modifier, a mapping with one name, found {kind_of(node)}")
        elif len(node) != 1:
            self.report(path, f"expected a mapping with exactly one modifier's name, found {len(node)} keys")
        else:
            (name,) = node
            if isinstance(name, str) and name in KINDS:
                return name
            self._report_unknown(name, path)
        return ""

    def _report_unknown(self, name: object, path: Path) -> None:
        if not isinstance(name, str):
            self.report(path, f"expected a modifier's name, found {kind_of(name)}")
        else:
            # `header.` alone makes any two of them alike: only a slip of a letter or two is corrected
            expected = nearest(name, KINDS, likeness=0.8)
            self.report((*path, name), f"unknown modifier {shown(name)}, {expected}")


def _scope(fields: Fields, kind: Kind) -> Phases:
    """The phases that `scope` names: missing or null means all that the modifier knows."""
    if fields.value("scope") is None:
        return kind.phases
    chosen: set[Phase] = set()
    for path, word in fields.entries("scope"):
        if word not in ("request", "response"):
            fields.tree.report(path, "expected 'request' or 'response'")
        elif word not in kind.phases:
            fields.tree.report(path, f"{kind.name} has no {word} phase, only {' and '.join(kind.phases)}")
        else:
            chosen.add(word)
    return frozenset(chosen)
