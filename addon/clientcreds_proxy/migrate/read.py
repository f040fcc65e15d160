"""The source file as documents with positions; ConfigError where it can't be read."""

import re
from pathlib import Path

from clientcreds_proxy.config.reading.yaml import Document, YamlError, end_of, parse_all
from clientcreds_proxy.errors import ConfigError, Problem

MAX_BYTES = 16 * 1024 * 1024  # as much as a configuration of ours

# Two escapes that are one character (JSON), which YAML does not know.
_PAIR = re.compile(r"(?<!\\)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


def read(path: Path) -> str:
    """The text of the file at `path`."""
    try:
        if path.is_fifo() or path.is_char_device():  # opening one may wait for ever
            raise _refused(str(path), 1, 1, "can't be read: a pipe or a device; expected a file")
        with path.open("rb") as file:
            return decoded(file.read(MAX_BYTES + 1), str(path))
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or "not a path"
        raise _refused(str(path), 1, 1, f"can't be read: {reason}") from None


def decoded(content: bytes, file: str) -> str:
    """The text that `content` is."""
    if len(content) > MAX_BYTES:
        raise _refused(file, 1, 1, f"is longer than {MAX_BYTES // 1024**2} MiB")
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line, column = end_of(content[: error.start].decode())
        raise _refused(file, line, column, "not UTF-8 text") from None


def documents(text: str, file: str) -> tuple[Document, ...]:
    """The documents of a YAML or JSON text."""
    try:
        found = parse_all(_PAIR.sub(_character, text))
    except YamlError as error:
        raise _refused(file, error.line, error.column, error.message) from None
    faults = [
        Problem(file=file, line=fault.line, column=fault.column, path="", message=fault.message)
        for document in found
        for _, fault in document.faults()
    ]
    if faults:
        raise ConfigError(faults)
    return found


def refuse(file: str, text: str, position: int, message: str) -> ConfigError:
    """The error about what stands at `position`."""
    return _refused(file, *end_of(text[:position]), message)


def _refused(file: str, line: int, column: int, message: str) -> ConfigError:
    return ConfigError([Problem(file=file, line=line, column=column, path="", message=message)])


def _character(found: re.Match[str]) -> str:
    high, low = int(found[1], 16), int(found[2], 16)
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
