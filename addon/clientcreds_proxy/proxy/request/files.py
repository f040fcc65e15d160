"""Files for `static.Modifier`: the port `ReadFile`. Nothing outside the folder is ever opened."""

import errno
import os
import stat
from pathlib import Path

from clientcreds_proxy.errors import ModifierFailed

# A name longer than any file's, a socket: nothing that could be mended.
_NO_FILE = frozenset({errno.ENAMETOOLONG, errno.ENXIO})

LARGEST = 64 * 1024 * 1024  # bytes; a file is read whole, while nothing else happens in the proxy


def read_file(folder: str, path: tuple[str, ...]) -> bytes | None:
    """The file at this path below `folder`, links inside of it followed; None where there is none.

    A link that leads out of the folder, a folder, a pipe, a socket or a device is none.
    """
    try:
        root = Path(folder).resolve(strict=True)
        file = root.joinpath(*path).resolve(strict=True)
        if not file.is_relative_to(root):
            return None
        return _content(file)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the path
        return None
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        if isinstance(error, OSError) and error.errno in _NO_FILE:
            return None
        raise ModifierFailed("static.Modifier can't read this file") from error


def _content(file: Path) -> bytes | None:
    # O_NOFOLLOW: all links are resolved; O_NONBLOCK: a pipe without a writer would wait for one
    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return None
        if found.st_size > LARGEST:
            raise ModifierFailed(f"static.Modifier: this file is larger than {LARGEST} bytes")
        with os.fdopen(descriptor, "rb", closefd=False) as opened:
            return opened.read()
    finally:
        os.close(descriptor)
