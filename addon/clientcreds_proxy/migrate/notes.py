"""What an import has to say: what it left behind, and what is different here. No message holds a value."""

import re
from collections.abc import Iterator
from typing import Literal

from clientcreds_proxy.config.reading.yaml import Document, Keys
from clientcreds_proxy.errors import Problem

# lost: the source file asks for it and the new one does not do it (`--strict` fails). note: it is done, but
# somebody should know how.
Kind = Literal["lost", "note"]

_PLAIN = re.compile(r"[A-Za-z0-9_$@-]{1,64}")
_QUOTABLE = re.compile(r"[A-Za-z0-9_$@./#{}*-]{1,64}")  # other characters may be those of a mistyped secret


class Notes:
    """Collects findings about one source file, each once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: dict[tuple[Kind, Problem], None] = {}

    def add(self, kind: Kind, problem: Problem) -> None:
        """Remember one."""
        self._found[kind, problem] = None

    def of(self, kind: Kind) -> tuple[Problem, ...]:
        """All of one kind, from the file's top to its bottom."""
        chosen = [problem for each, problem in self._found if each == kind]
        return tuple(sorted(chosen, key=lambda problem: (problem.line, problem.column)))


class Page:
    """One document of the source file, and what its paths begin with where there are several."""

    def __init__(self, notes: Notes, document: Document, label: str = "") -> None:
        self.notes = notes
        self.label = label
        self._document = document

    def add(self, kind: Kind, path: Keys, message: str) -> None:
        """Remember a finding about the value at `path`, which may end in a key that is missing."""
        _, line, column = self._document.find(path)
        at = ".".join(filter(None, (self.label, shown(path))))
        problem = Problem(file=self.notes.file, line=line, column=column, path=at, message=message)
        self.notes.add(kind, problem)

    def where(self, path: Keys) -> str:
        """`path` as findings show it."""
        return ".".join(filter(None, (self.label, shown(path))))


def shown(path: Keys) -> str:
    """`path` as people write it: `endpoints[2].backend[0].extra_config."modifier/martian"`."""
    return "".join(_parts(path)).removeprefix(".")


def _parts(path: Keys) -> Iterator[str]:
    for key in path:
        if isinstance(key, int):
            yield f"[{key}]"
        elif _PLAIN.fullmatch(key):
            yield f".{key}"
        else:
            yield f'."{key}"' if _QUOTABLE.fullmatch(key) else '."…"'
