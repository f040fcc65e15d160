"""A value of the source file with its place. `finish` reports what nobody read: nothing is skipped silently.

A reader that meets a value of the wrong kind reports it and gives back nothing, so that reading goes on.
"""

import re
from collections.abc import Collection, Iterator

from clientcreds_proxy.config.reading.yaml import Keys
from clientcreds_proxy.martian.problem import kind_of
from clientcreds_proxy.migrate.notes import Page

_DURATION = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,9})?)(?P<unit>ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class At:
    """One value; null counts as missing, as it does for Go and Lua."""

    def __init__(self, page: Page, value: object, path: Keys = ()) -> None:
        self.page = page
        self.value = value
        self.path = path
        self._read: dict[str, At] = {}

    @property
    def given(self) -> bool:
        """Whether there is anything here."""
        return self.value is not None

    @property
    def where(self) -> str:
        """The path, as findings show it."""
        return self.page.where(self.path)

    def lost(self, message: str) -> None:
        """Report that what is here was not carried over."""
        self.page.add("lost", self.path, message)

    def note(self, message: str) -> None:
        """Report how what is here was carried over."""
        self.page.add("note", self.path, message)

    def at(self, *keys: str) -> "At":
        """A member, and its members; with no value where it is missing."""
        found = self
        for key in keys:
            found = found._member(key)
        return found

    def either(self, *keys: str) -> "At":
        """The first member of these that is there, or the first name's missing one."""
        found = [self._member(key) for key in keys]
        return next((each for each in found if each.given), found[0])

    def items(self) -> list["At"]:
        """The entries of a list."""
        if not isinstance(self.value, list):
            if self.given:
                self._mismatch("a list")
            return []
        return [At(self.page, item, (*self.path, index)) for index, item in enumerate(self.value)]

    def members(self) -> Iterator[tuple[str, "At"]]:
        """Every member of a mapping, with its key."""
        return ((key, self._member(key)) for key in self.mapping())

    def mapping(self) -> dict[str, object]:
        """The mapping that is here."""
        if isinstance(self.value, dict):
            return self.value
        if self.given:
            self._mismatch("a mapping")
        return {}

    def text(self) -> str:
        """The text that is here; empty where there is none."""
        if isinstance(self.value, str):
            return self.value
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return str(self.value)
        if self.given:
            self._mismatch("text")
        return ""

    def texts(self) -> list[str]:
        """The texts of a list; a single text counts as a list of it."""
        single = isinstance(self.value, str | int) and not isinstance(self.value, bool)
        return [self.text()] if single else [text for item in self.items() if (text := item.text())]

    def flag(self) -> bool:
        """True or false; false where it is missing."""
        if isinstance(self.value, bool):
            return self.value
        if self.given:
            self._mismatch("true or false")
        return False

    def number(self) -> float | None:
        """A number."""
        if isinstance(self.value, int | float) and not isinstance(self.value, bool):
            return self.value
        if self.given:
            self._mismatch("a number")
        return None

    def seconds(self) -> float | None:
        """A duration like 5s or 500ms, in seconds."""
        found = _DURATION.fullmatch(self.value) if isinstance(self.value, str) else None
        if found:
            return float(found["number"]) * _SECONDS[found["unit"]]
        if self.given:
            self._mismatch("a duration like 5s")
        return None

    def finish(
        self, meaningless: Collection[str] = (), *, starts: tuple[str, ...] = (), comments: str = ""
    ) -> None:
        """Report each member that nobody asked for and that means something.

        Keys that begin with one of `starts` mean nothing either; with one of `comments`, they are comments.
        """
        for key, value in self.mapping().items():
            known = key in self._read or key in meaningless or key.startswith(starts)
            if known or key[:1] in {*comments} or value is None:
                continue
            self._member(key).lost("not known to this importer")

    def _member(self, key: str) -> "At":
        if key not in self._read:
            self._read[key] = At(self.page, self.mapping().get(key), (*self.path, key))
        return self._read[key]

    def _mismatch(self, expected: str) -> None:
        self.lost(f"expected {expected}, found {kind_of(self.value)}")
