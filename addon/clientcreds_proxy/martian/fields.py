"""The fields of one modifier, read by name: what can't be used is reported, and reading goes on.

A reader that reports gives back a harmless value instead, so that one pass finds every problem of a tree;
what is built from such values is thrown away.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from clientcreds_proxy.martian.checks import text_problem, value_problem
from clientcreds_proxy.martian.modifier import BOTH, Modifier, Phases, WithoutEffect
from clientcreds_proxy.martian.problem import Path, kind_of, nearest, shown

Check = Callable[[str], str | None]

_COMMENT = tuple("@$_#")  # how KrakenD marks a comment


class Tree(Protocol):
    """The parse that fields belong to."""

    @property
    def new_id(self) -> Callable[[], UUID]:
        """Where a random id comes from."""
        ...

    @property
    def folder(self) -> str:
        """Where relative paths of files begin."""
        ...

    def report(self, path: Path, message: str) -> None:
        """Remember a problem."""
        ...

    def modifier(self, node: object, path: Path, enclosing: Phases) -> Modifier:
        """The modifier that stands at this place; `enclosing` are the phases that all around it have."""
        ...


class Fields:
    """The members of one object of the tree. Keys compare without case, as Go's JSON reads them."""

    def __init__(self, node: object, path: Path, tree: Tree, phases: Phases = BOTH) -> None:
        self.tree = tree
        self.phases = phases  # those in which what is read here can run
        self.path = path
        self._known: list[str] = []
        self._members: dict[str, tuple[str, object]] = {}
        if isinstance(node, Mapping):
            for key, value in node.items():
                self._take(key, value)
        else:
            tree.report(path, f"expected a mapping, found {kind_of(node)}")

    def path_of(self, name: str) -> Path:
        """Where a field stands; where it is missing, the object that lacks it."""
        member = self._members.get(name.lower())
        return self.path if member is None else (*self.path, member[0])

    def report(self, name: str, message: str) -> None:
        """Remember a problem of one field."""
        self.tree.report(self.path_of(name), message)

    def has(self, name: str) -> bool:
        """Whether the field is written down, be it as null."""
        self.value(name)
        return name.lower() in self._members

    def value(self, name: str) -> object:
        """A field as it stands there; None where it is missing or null."""
        if name not in self._known:
            self._known.append(name)
        return self._members.get(name.lower(), ("", None))[1]

    def text(self, name: str) -> str:
        """A text that must be there."""
        return self._text(name, lambda _: None)

    def checked(self, name: str, check: Check) -> str:
        """A text that must be there and pass the check."""
        return self._text(name, check)

    def optional(self, name: str, check: Check) -> str:
        """A text that passes the check where it is not empty; empty where it is missing."""
        if self.value(name) in (None, ""):
            return ""
        return self._text(name, check)

    def header_value(self, name: str) -> str:
        """A header's value that must be there, without the blanks around it, which HTTP does not carry."""
        return self._text(name, value_problem).strip(" \t")

    def flag(self, name: str) -> bool:
        """True or false; false where it is missing."""
        found = self.value(name)
        if found is None or isinstance(found, bool):
            return bool(found)
        self._mismatch(name, "true or false")
        return False

    def whole_number(self, name: str) -> int:
        """A whole number; 0 where it is missing."""
        found = self.value(name)
        if found is None:
            return 0
        if isinstance(found, int) and not isinstance(found, bool):
            return found
        self._mismatch(name, "a whole number")
        return 0

    def number_in(self, name: str, span: range) -> int:
        """A whole number of this span that must be there."""
        found = self.value(name)
        if isinstance(found, int) and not isinstance(found, bool) and found in span:
            return found
        self._mismatch(name, f"a whole number from {span.start} to {span.stop - 1}")
        return span.start

    def entries(self, name: str) -> Iterator[tuple[Path, object]]:
        """The entries of a list that must be there, each with its place."""
        found = self.value(name)
        if not isinstance(found, list | tuple):
            self._mismatch(name, "a list")
            return iter(())
        path = self.path_of(name)
        return (((*path, index), entry) for index, entry in enumerate(found))

    def pairs(self, name: str) -> Iterator[tuple[Path, str, str]]:
        """The texts by name in a mapping, each with its place; nothing where it is missing or null."""
        found = self.value(name)
        if found is None:
            return
        if not isinstance(found, Mapping):
            self._mismatch(name, "a mapping")
            return
        for key, value in found.items():
            path = (*self.path_of(name), key)
            if isinstance(key, str) and isinstance(value, str):
                yield path, key, value
            else:
                self.tree.report(path, f"expected text for text, found {kind_of(value)}")

    def header_names(self, name: str, check: Check) -> Iterator[str]:
        """The headers' names in a list that must be there; each passes the check."""
        for path, entry in self.entries(name):
            if not isinstance(entry, str):
                self.tree.report(path, f"expected text, found {kind_of(entry)}")
            elif problem := check(entry):
                self.tree.report(path, problem)
            else:
                yield entry

    def child(self, name: str) -> Modifier:
        """The modifier of a field that must be there."""
        if self.has(name):
            return self.tree.modifier(self.value(name), self.path_of(name), self.phases)
        self._mismatch(name, "a modifier")
        return WithoutEffect(name=name, at=self.path)

    def refuse_unknown(self) -> None:
        """Report the keys that nobody asked for. Go ignores them; here they are typing errors."""
        known = {name.lower() for name in self._known}
        for key, (written, _) in self._members.items():
            if key not in known:
                self.tree.report(
                    (*self.path, written), f"unknown key {shown(written)}, {nearest(written, self._known)}"
                )

    def _take(self, key: object, value: object) -> None:
        if not isinstance(key, str):
            self.tree.report(self.path, f"expected keys that are text, found {kind_of(key)}")
        elif key.lower() in self._members:
            other = self._members[key.lower()][0]
            self.tree.report(
                (*self.path, key), f"the key {shown(key)} is there twice, also as {shown(other)}"
            )
        elif not key.startswith(_COMMENT):
            self._members[key.lower()] = (key, value)

    def _text(self, name: str, check: Check) -> str:
        found = self.value(name)
        if not isinstance(found, str):
            self._mismatch(name, "text")
            return ""
        if problem := text_problem(found) or check(found):
            self.report(name, problem)
            return ""
        return found

    def _mismatch(self, name: str, expected: str) -> None:
        found = self.value(name)
        if not self.has(name):
            self.report(name, f"the key {name!r} is missing, expected {expected}")
        elif expected == "text" and isinstance(found, bool | int | float):
            self.report(name, f"expected text, found {kind_of(found)}: put it in quotes")
        else:
            self.report(name, f"expected {expected}, found {kind_of(found)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One of Martian's names: the phases that it knows, and how it is built from its fields."""

    name: str
    phases: Phases = BOTH
    build: Callable[[Fields], Modifier]
