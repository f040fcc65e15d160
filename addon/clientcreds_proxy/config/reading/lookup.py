"""Where the value of a reference lies: environment, file, command, keyring, systemd, Kubernetes.

Not in it: how a reference is written (`references.py`). A message says what failed, never what was found, and
never a path or an argument: whoever mixes up the kinds has put the secret itself there.
"""

import importlib
import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MAX_BYTES = 1024 * 1024  # the longest sensible secret, a bundle of certificates, has some 300 KiB
KUBERNETES_VARIABLE = "CLIENTCREDS_K8S_SECRETS"
KUBERNETES_DIRECTORY = "/var/run/secrets/clientcreds"

Keyring = Callable[[str, str], str | None]


class UnresolvedError(ValueError):
    """A reference that gives no value: why, without a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A value, and who besides its owner could read it, if that matters."""

    value: str = field(repr=False)
    exposed: str | None = None


class Lookup:
    """Finds values, and remembers the files and variables it looked at."""

    def __init__(self, environ: Mapping[str, str], *, command_seconds: float, keyring: Keyring) -> None:
        self.files: list[Path] = []
        self.variables: list[str] = []  # of the environment, that were asked for or lead to what was
        self._environ = environ
        self._command_seconds = command_seconds
        self._from_keyring = keyring

    def variable(self, name: str) -> Found:
        """Of the environment."""
        self.variables.append(name)
        if name not in self._environ:
            shown = f"{name} " if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name) else ""
            raise UnresolvedError(f"the environment variable {shown}is not set")
        return Found(value=self._environ[name])

    def file(self, path: Path) -> Found:
        """A file's text, without one trailing newline."""
        self.files.append(path)
        value, mode = _read(path)
        return Found(value=value, exposed=exposed(mode))

    def credential(self, name: str) -> Found:
        """One of those that systemd gives to its service. It lasts as long as the service runs."""
        self.variables.append("CREDENTIALS_DIRECTORY")
        directory = self._environ.get("CREDENTIALS_DIRECTORY")
        if not directory:
            raise UnresolvedError(
                "$CREDENTIALS_DIRECTORY is not set; expected a service with LoadCredential= or its like"
            )
        if "/" in name or name in {".", ".."}:
            raise UnresolvedError("expected the name of a credential, without /")
        # Its mode is systemd's: an access list opens it to the service's user, and looks like access for the
        # group.
        return Found(value=_read(Path(directory) / name)[0])

    def kubernetes(self, name: str, key: str) -> Found:
        """A key of a secret that is mounted as a volume."""
        self.variables.append(KUBERNETES_VARIABLE)
        directory = Path(self._environ.get(KUBERNETES_VARIABLE) or KUBERNETES_DIRECTORY)
        path = directory / name / key
        self.files.append(path)
        try:
            # Its mode is the kubelet's: 0644 unless the volume says otherwise, in a container of one user.
            return Found(value=_read(path)[0])
        except UnresolvedError as error:
            where = f"expected NAME/KEY below ${KUBERNETES_VARIABLE}, which is {directory}"
            raise UnresolvedError(f"{error}; {where}") from None

    def keyring(self, service: str, user: str) -> Found:
        """The password that the user's keyring holds for this service and user."""
        value = self._from_keyring(service, user)
        if value is None:
            raise UnresolvedError("the keyring holds no password for this service and user")
        return Found(value=value)

    def output(self, command: str, directory: Path) -> Found:
        """The first line that a program prints."""
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
            raise UnresolvedError(f"the command can't be started: {_why(error, 'not a command')}") from None
        if done.returncode != 0:
            raise UnresolvedError(f"the command failed with status {done.returncode}")
        return Found(value=_text(done.stdout.partition(b"\n")[0]).removesuffix("\r"))


def exposed(mode: int) -> str | None:
    """What to say about a file of secrets with this mode; None: only its owner can read it."""
    if os.name != "posix" or not stat.S_ISREG(mode) or not mode & 0o044:
        return None
    reader = "everybody on this machine" if mode & 0o004 else "its group"
    return f"{reader} can read the file; expected chmod 600"


def mode_of(path: Path) -> int:
    """A file's mode; 0 where there is none."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):  # ValueError: a null byte in the path
        return 0


def system_keyring(service: str, user: str) -> str | None:
    """What the library keyring finds. It comes as an extra and brings many others, so it is loaded here."""
    try:
        library = importlib.import_module("keyring")
    except ImportError:
        raise UnresolvedError(
            f"the library keyring is missing; install it with {sys.executable} -m pip install keyring"
        ) from None
    try:
        value: str | None = library.get_password(service, user)
    except Exception as error:  # noqa: BLE001 - each of its backends has errors of its own
        raise UnresolvedError(f"the keyring can't be read: {type(error).__name__}") from None
    return value


def _read(path: Path) -> tuple[str, int]:
    """A file's text, without one trailing newline, and its mode."""
    if stat.S_ISFIFO(mode_of(path)):
        raise UnresolvedError("the file can't be read: it is a pipe, which could wait for ever")
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise UnresolvedError(f"the file can't be read: {_why(error, 'not a path')}") from None
    if len(content) > MAX_BYTES:
        raise UnresolvedError("the file is longer than 1 MiB")
    return _text(content).removesuffix("\n").removesuffix("\r"), mode


def _why(error: Exception, otherwise: str) -> str:
    return getattr(error, "strerror", None) or otherwise


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise UnresolvedError("what it gives is not UTF-8 text") from None
