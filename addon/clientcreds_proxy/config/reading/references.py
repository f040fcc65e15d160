"""References to secrets in the texts of a configuration: `${env:NAME}` and its like, and Kubernetes' URNs.

Not in it: where a value lies (`lookup.py`). No message quotes a reference.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from clientcreds_proxy.config.reading.lookup import Found, Keyring, Lookup, UnresolvedError, system_keyring
from clientcreds_proxy.config.reading.yaml import Keys
from clientcreds_proxy.secret import Secret

_PIECE = re.compile(r"\$\$\{|\$\{(?P<kind>[A-Za-z0-9_-]*)(?P<colon>:?)(?P<rest>[^{}]*)(?P<end>\}?)")
_KINDS = {
    "env": "${env:NAME}",
    "file": "${file:PATH}",
    "cmd": "${cmd:PROGRAM ARG}",
    "keyring": "${keyring:SERVICE/USER}",
    "systemd": "${systemd:NAME}",
}
_EXPECTED = f"expected {', '.join(_KINDS.values())}, or $${{ for the characters ${{ themselves"

# Traefik's way to name a secret: names as Kubernetes has them, so that none leads out of the directory.
_URN = re.compile(
    r"urn:k8s:secret:(?P<name>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?):(?P<key>(?!\.\.)[\w.-]+)", re.ASCII
)
_URN_START = re.compile(r"\s*urn:k8s:", re.IGNORECASE)
_URN_EXPECTED = "expected urn:k8s:secret:NAME:KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A text with its references replaced."""

    text: str = field(repr=False)
    is_reference: bool = False  # whether there were any
    exposed: str | None = None  # who besides the owner could read a file that one of them names


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """All values of a file, their references resolved."""

    value: object = field(repr=False)
    referenced: frozenset[Keys]  # where references gave a value
    wrong: Mapping[Keys, str]  # what is wrong with those that gave none and stay as they are
    exposed: Mapping[Keys, str]  # what is to be said about the files that they name


class References:
    """Resolves each reference once, however often it is used, and remembers the files it read."""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        command_seconds: float = 10,
        keyring: Keyring = system_keyring,
    ) -> None:
        self._lookup = Lookup(environ, command_seconds=command_seconds, keyring=keyring)
        self._known: dict[tuple[str, Path], Found | UnresolvedError] = {}

    @property
    def files(self) -> list[Path]:
        """Those that gave a value, or should have."""
        return self._lookup.files

    @property
    def values(self) -> tuple[Secret, ...]:
        """What they gave."""
        found = (known.value for known in self._known.values() if isinstance(known, Found))
        return tuple(Secret(value) for value in dict.fromkeys(found) if value)

    @property
    def variables(self) -> tuple[str, ...]:
        """Of the environment, that references name."""
        return tuple(dict.fromkeys(self._lookup.variables))

    def resolve(self, text: str, directory: Path) -> Resolved:
        """`text` with its references replaced; UnresolvedError for a bad one.

        Relative paths and programs count from `directory`.
        """
        if _URN_START.match(text):
            found = self._once(text, directory)
            return Resolved(text=found.value, is_reference=True, exposed=found.exposed)
        parts: list[str] = []
        values: list[Found] = []
        end = 0
        for piece in _PIECE.finditer(text):
            parts.append(text[end : piece.start()])
            end = piece.end()
            if piece.group() == "$${":
                parts.append("${")
            else:
                _check(piece)
                values.append(self._once(piece.group(), directory))
                parts.append(values[-1].value)
        exposed = next((value.exposed for value in values if value.exposed), None)
        return Resolved(text="".join([*parts, text[end:]]), is_reference=bool(values), exposed=exposed)

    def read(self, path: Path) -> str:
        """A file's text, without one trailing newline. UnresolvedError where there is none."""
        return self._lookup.file(path).value

    def _once(self, reference: str, directory: Path) -> Found:
        key = (reference, directory)
        if key not in self._known:
            try:
                self._known[key] = self._value(reference, directory)
            except UnresolvedError as error:
                self._known[key] = error
        value = self._known[key]
        if isinstance(value, UnresolvedError):
            raise value
        return value

    def _value(self, reference: str, directory: Path) -> Found:
        if not reference.startswith("${"):
            urn = _URN.fullmatch(reference)
            if urn is None:
                raise UnresolvedError(f"no such secret of Kubernetes can be; {_URN_EXPECTED}")
            return self._lookup.kubernetes(urn["name"], urn["key"])
        kind, _, rest = reference[2:-1].partition(":")
        match kind:
            case "env":
                return self._lookup.variable(rest)
            case "file":
                return self._lookup.file(directory / rest)
            case "cmd":
                return self._lookup.output(rest, directory)
            case "systemd":
                return self._lookup.credential(rest)
            case _:
                service, _, user = rest.rpartition("/")
                if not service or not user:
                    raise UnresolvedError(f"expected {_KINDS['keyring']}")
                return self._lookup.keyring(service, user)


def resolve_all(value: object, references: References, directory: Path) -> Tree:
    """`value` with every reference in its texts resolved."""
    referenced: set[Keys] = set()
    wrong: dict[Keys, str] = {}
    exposed: dict[Keys, str] = {}

    def walk(value: object, path: Keys) -> object:
        if isinstance(value, dict):
            return {key: walk(member, (*path, key)) for key, member in value.items()}
        if isinstance(value, list):
            return [walk(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, str) or ("${" not in value and not _URN_START.match(value)):
            return value
        try:
            resolved = references.resolve(value, directory)
        except UnresolvedError as error:
            wrong[path] = str(error)
            return value
        if resolved.is_reference:
            referenced.add(path)
        if resolved.exposed:
            exposed[path] = resolved.exposed
        return resolved.text

    return Tree(value=walk(value, ()), referenced=frozenset(referenced), wrong=wrong, exposed=exposed)


def _check(piece: re.Match[str]) -> None:
    kind, rest = piece["kind"], piece["rest"]
    if not piece["end"]:
        raise UnresolvedError("a reference is not closed, or holds another one; expected } before the next {")
    if kind.lower() == "urn":
        raise UnresolvedError(f"this is no reference; {_URN_EXPECTED}, as the whole value and without ${{}}")
    if kind not in _KINDS or not rest.strip():
        close = get_close_matches(kind.lower(), _KINDS, n=1)
        meant = f"did you mean {_KINDS[close[0]]}? " if close else ""
        raise UnresolvedError(f"this is no reference; {meant}{_EXPECTED}")
