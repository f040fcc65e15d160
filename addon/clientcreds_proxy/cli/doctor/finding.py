"""What a check found: a line for people, an object for programs."""

from dataclasses import dataclass
from typing import Literal

State = Literal[
    "ok",
    "fail",
    "left out",  # it depends on something that failed, or there is nothing to be looked at
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line."""

    check: str  # what was looked at, in a word: `token`
    state: State
    what: str
    mend: str | None = None  # the command or the edit; only where it failed


def good(check: str, what: str) -> Finding:
    """All is well."""
    return Finding(check=check, state="ok", what=what)


def bad(check: str, what: str, mend: str) -> Finding:
    """Something is to be done."""
    return Finding(check=check, state="fail", what=what, mend=mend)


def left_out(check: str, why: str) -> Finding:
    """Not looked at."""
    return Finding(check=check, state="left out", what=why)
