"""The user's runtime directory: where a running proxy tells its own user's commands how to reach it.

`$XDG_RUNTIME_DIR/clientcreds`, else `clientcreds-UID` in the system's directory for temporary files. It holds
`PID.json` for each proxy and `token`, what a caller must bring who changes something. Only its owner can
read it, and it is refused where that is not so: whoever may write there could catch the token.
"""

import json
import os
import secrets
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from clientcreds_proxy.errors import ClientcredsError
from clientcreds_proxy.secret import Secret

TOKEN = "token"


class RuntimeFolderError(ClientcredsError):
    """The directory, or a file in it, can't be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A proxy that says that it runs."""

    pid: int
    status: str  # address of its status server, `127.0.0.1:8082`
    listening: tuple[str, ...]  # addresses of the proxy
    config: str  # absolute path

    @property
    def ports(self) -> tuple[int, ...]:
        """That the proxy listens on."""
        return tuple(int(address.rpartition(":")[2]) for address in self.listening)


def place(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the directory is, or would be."""
    given = Path(environ.get("XDG_RUNTIME_DIR", ""))
    if given.is_absolute() and given.is_dir():
        return given / "clientcreds"
    return Path(tempfile.gettempdir()) / f"clientcreds-{os.geteuid()}"


def prepare(folder: Path) -> None:
    """Make the directory, or check that it is ours alone; RuntimeFolderError where it is not."""
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
    except OSError as error:
        raise RuntimeFolderError(f"{folder}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise RuntimeFolderError(f"{folder}: expected a directory of this user")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise RuntimeFolderError(f"{folder}: others have access; expected mode 0700")


def token(folder: Path) -> Secret:
    """The token in the directory; made, where there is none."""
    path = folder / TOKEN
    try:
        with suppress(FileExistsError):
            # Under its name only once it is whole: another proxy may start in this moment, too.
            new = _written(folder, secrets.token_urlsafe(32))
            try:
                os.link(new, path)
            finally:
                new.unlink()
    except OSError as error:
        raise RuntimeFolderError(f"{path}: {error.strerror}") from error
    return read_token(folder)


def read_token(folder: Path) -> Secret:
    """The token; RuntimeFolderError where its file is missing, or not the user's alone."""
    path = folder / TOKEN
    try:
        found = path.lstat()
        value = path.read_text().strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a text"
        raise RuntimeFolderError(f"{path}: {reason}") from error
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise RuntimeFolderError(f"{path}: expected a file of this user, mode 0600")
    if not value:
        raise RuntimeFolderError(f"{path}: empty; remove it, and start the proxy again")
    return Secret(value)


def announce(folder: Path, running: Running) -> None:
    """Say that this proxy runs, or say it anew."""
    try:
        _written(folder, json.dumps(asdict(running))).replace(_file(folder, running.pid))
    except OSError as error:
        raise RuntimeFolderError(f"{folder}: {error.strerror}") from error


def retract(folder: Path, pid: int) -> None:
    """Say it no longer."""
    with suppress(OSError):
        _file(folder, pid).unlink(missing_ok=True)


def announced(folder: Path) -> list[Running]:
    """All that say that they run, by process id. Some may be gone without a word."""
    found = [_read(path) for path in folder.glob("*.json")]
    return sorted((each for each in found if each is not None), key=lambda each: each.pid)


def is_alive(pid: int) -> bool:
    """Whether a process has this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _file(folder: Path, pid: int) -> Path:
    return folder / f"{pid}.json"


def _written(folder: Path, text: str) -> Path:
    """A new file of this text, mode 0600."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".new")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    return Path(name)


def _read(path: Path) -> Running | None:
    try:
        said = json.loads(path.read_text())
        return Running(
            pid=int(said["pid"]),
            status=str(said["status"]),
            listening=tuple(str(each) for each in said["listening"]),
            config=str(said["config"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
