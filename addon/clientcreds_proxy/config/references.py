"""`${env:NAME}`, `${file:PATH}` and `${cmd:PROGRAM ARG …}` in the texts of a configuration.

A message says what failed, never what a reference gave, and never a path or an argument: whoever mixes up
the kinds has put the secret itself there.
"""

import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from clientcreds_proxy.config.yaml import Keys

MAX_BYTES = 1024 * 1024  # the longest sensible secret, a bundle of certificates, has some 300 KiB

_PIECE = re.compile(r"\$\$\{|\$\{(?P<kind>[A-Za-z0-9_-]*)(?P<colon>:?)(?P<rest>[^{}]*)(?P<end>\}?)")
_LATER = ("keyring", "systemd")
_LATER_URN = "urn:k8s:secret:"
_KINDS = "expected ${env:NAME}, ${file:PATH} or ${cmd:PROGRAM ARG}, or $${ for the characters ${ themselves"


class UnresolvedError(ValueError):
    """A reference that gives no value: why, without a value."""


class References:
    """Resolves each reference once, however often it is used, and remembers the files it read."""

    def __init__(self, environ: Mapping[str, str], *, command_seconds: float = 10) -> None:
        self.files: list[Path] = []
        self._environ = environ
        self._command_seconds = command_seconds
        self._known: dict[tuple[str, str, Path], str | UnresolvedError] = {}

    def resolve(self, text: str, directory: Path) -> tuple[str, bool]:
        """`text` with its references replaced, and whether there were any. UnresolvedError for a bad one.

        Relative paths and programs count from `directory`.
        """
        if text.startswith(_LATER_URN):
            raise UnresolvedError(f"{_LATER_URN}… is not supported by this version")
        found = False
        parts: list[str] = []
        end = 0
        for piece in _PIECE.finditer(text):
            parts.append(text[end : piece.start()])
            end = piece.end()
            if piece.group() == "$${":
                parts.append("${")
            else:
                found = True
                parts.append(self._value(piece, directory))
        return "".join([*parts, text[end:]]), found

    def read(self, path: Path) -> str:
        """A file's text, without one trailing newline. UnresolvedError where there is none."""
        self.files.append(path)
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:  # ValueError: a null byte in the path
            reason = getattr(error, "strerror", None) or "not a path"
            raise UnresolvedError(f"the file can't be read: {reason}") from None
        if len(content) > MAX_BYTES:
            raise UnresolvedError("the file is longer than 1 MiB")
        return _text(content).removesuffix("\n").removesuffix("\r")

    def _value(self, piece: re.Match[str], directory: Path) -> str:
        kind, rest = piece["kind"], piece["rest"]
        if not piece["end"]:
            raise UnresolvedError(
                "a reference is not closed, or holds another one; expected } before the next {"
            )
        if kind in _LATER and piece["colon"]:
            raise UnresolvedError(f"${{{kind}:…}} is not supported by this version")
        if kind not in ("env", "file", "cmd") or not rest.strip():
            raise UnresolvedError(f"this is no reference; {_KINDS}")
        key = (kind, rest, directory)
        if key not in self._known:
            self._known[key] = self._outcome(kind, rest, directory)
        value = self._known[key]
        if isinstance(value, UnresolvedError):
            raise value
        return value

    def _outcome(self, kind: str, rest: str, directory: Path) -> str | UnresolvedError:
        try:
            if kind == "env":
                return self._variable(rest)
            if kind == "file":
                return self.read(directory / rest)
            return self._output(rest, directory)
        except UnresolvedError as error:
            return error

    def _variable(self, name: str) -> str:
        if name not in self._environ:
            shown = f"{name} " if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name) else ""
            raise UnresolvedError(f"the environment variable {shown}is not set")
        return self._environ[name]

    def _output(self, command: str, directory: Path) -> str:
        try:
            words = shlex.split(command)
        except ValueError:
            raise UnresolvedError("the command can't be split into words; expected closed quotes") from None
        try:
            done = subprocess.run(  # noqa: S603  running it is what the user asks for; there is no shell
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # it may quote the secret
                env=dict(self._environ),
                cwd=directory,
                timeout=self._command_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UnresolvedError(f"the command took longer than {self._command_seconds:g} s") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a command"
            raise UnresolvedError(f"the command can't be started: {reason}") from None
        if done.returncode != 0:
            raise UnresolvedError(f"the command failed with status {done.returncode}")
        return _text(done.stdout.partition(b"\n")[0]).removesuffix("\r")


def resolve_all(
    value: object, references: References, directory: Path
) -> tuple[object, set[Keys], dict[Keys, str]]:
    """`value` with every reference in its texts resolved.

    Besides: where references stood, and what is wrong with those that can't be resolved and stay as they are.
    """
    resolved: set[Keys] = set()
    wrong: dict[Keys, str] = {}

    def walk(value: object, path: Keys) -> object:
        if isinstance(value, dict):
            return {key: walk(member, (*path, key)) for key, member in value.items()}
        if isinstance(value, list):
            return [walk(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, str) or ("${" not in value and not value.startswith(_LATER_URN)):
            return value
        try:
            text, found = references.resolve(value, directory)
        except UnresolvedError as error:
            wrong[path] = str(error)
            return value
        if found:
            resolved.add(path)
        return text

    return walk(value, ()), resolved, wrong


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise UnresolvedError("what it gives is not UTF-8 text") from None
