"""What is wrong with a tree, and where in it."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from clientcreds_proxy.errors import ClientcredsError

Path = tuple[str | int, ...]  # keys and indexes from the tree's root, keys as they are written there
Problem = tuple[Path, str]


class ModifierError(ClientcredsError):
    """A tree that can't be used; `problems` holds everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{_dotted(path)}: {message}" for path, message in self.problems))


def _dotted(path: Path) -> str:
    return ".".join(str(key) for key in path) or "modifiers"


def shown(name: str) -> str:
    """A name as a message quotes it: on one line, and not longer than that."""
    return repr(name if len(name) <= 60 else f"{name[:57]}...")


def nearest(name: str, valid: Iterable[str], *, likeness: float = 0.6) -> str:
    """The end of a message about an unknown name: the valid one that is meant, or all of them."""
    names = sorted(valid)
    by_key = {candidate.lower(): candidate for candidate in names}
    close = get_close_matches(name[:60].lower(), by_key, n=1, cutoff=likeness)
    return f"did you mean {by_key[close[0]]!r}?" if close else f"expected one of {', '.join(names)}"


def kind_of(value: object) -> str:  # noqa: PLR0911 - a table in words
    """What a value is, in the words of YAML; never what it holds."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "a mapping"
        case _:
            return f"a {type(value).__name__}"
