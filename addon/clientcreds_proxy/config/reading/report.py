"""The problems and warnings of one file: where each of them is, and which are only echoes of another."""

import re
from collections.abc import Iterable, Mapping

from clientcreds_proxy.config.reading.yaml import Document, Keys
from clientcreds_proxy.errors import Problem

_SHOWABLE = re.compile(r"[A-Za-z0-9_$./*-]{1,64}")  # a key with other characters may be a mistyped secret


class Report:
    """Collects what is wrong with one file."""

    def __init__(self, file: str, document: Document | None = None) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._document = document
        self._referenced: frozenset[Keys] = frozenset()
        self._unreadable: Mapping[Keys, str] = {}

    def remember(self, *, referenced: Iterable[Keys], unreadable: Mapping[Keys, str]) -> None:
        """Where references gave a value, which no message may show; and where one gave none.

        What else is said about a value that was not to be had is an echo, and dropped.
        """
        self._referenced = frozenset(referenced)
        self._unreadable = unreadable

    def is_reference(self, path: Keys) -> bool:
        """Whether the value at `path` comes from a reference."""
        return path in self._referenced or path in self._unreadable

    def holds_reference(self, path: Keys) -> bool:
        """Whether a value at or below `path` comes from a reference."""
        return any(place[: len(path)] == path for place in self._referenced)

    def unreadable(self, path: Keys) -> str | None:
        """Why a reference at or below `path` gives no value; None: all of them do."""
        return next((why for place, why in self._unreadable.items() if place[: len(path)] == path), None)

    def problem(self, path: Keys, message: str) -> None:
        """Note what is wrong at `path`, which may end in a key that is missing."""
        known, line, column = self._find(path)
        if not any(known[: len(place)] == place for place in self._unreadable):
            self.problems.append(
                self._at(path if self._is_missing_key(known, path) else known, line, column, message)
            )

    def foreign(self, path: Keys, message: str) -> None:
        """Note a problem whose words may quote the value: they stay away where a reference gave it."""
        if self.holds_reference(self._find(path)[0]):
            message = "what the reference gives can't be used here"
        self.problem(path, message)

    def warn(self, path: Keys, message: str) -> None:
        """Note what works and should still be looked at."""
        known, line, column = self._find(path)
        self.warnings.append(self._at(known, line, column, message))

    def place(self, path: Keys, line: int, column: int, message: str) -> None:
        """Note a problem whose position is known."""
        self.problems.append(self._at(path, line, column, message))

    def _find(self, path: Keys) -> tuple[Keys, int, int]:
        return self._document.find(path) if self._document else ((), 1, 1)

    def _is_missing_key(self, known: Keys, path: Keys) -> bool:
        return len(path) == len(known) + 1 and isinstance(path[-1], str)

    def _at(self, path: Keys, line: int, column: int, message: str) -> Problem:
        return Problem(file=self.file, line=line, column=column, path=shown(path), message=message)


def shown(path: Keys) -> str:
    """`path` as messages write it: `rules[2].match.host`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += f".{key if _SHOWABLE.fullmatch(key) else '…'}"
    return text.removeprefix(".")
