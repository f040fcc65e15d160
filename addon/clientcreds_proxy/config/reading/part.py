"""One file of the configuration: read, parsed, its references resolved. What it says is not looked at yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clientcreds_proxy.config.building.pem import PemFiles
from clientcreds_proxy.config.building.place import Place
from clientcreds_proxy.config.exposed import exposed_files
from clientcreds_proxy.config.literal import literal_secrets
from clientcreds_proxy.config.reading.references import References, resolve_all
from clientcreds_proxy.config.reading.report import Report
from clientcreds_proxy.config.reading.yaml import Document, YamlError, end_of, parse
from clientcreds_proxy.martian.problem import kind_of

MAX_BYTES = 16 * 1024 * 1024  # 50,000 rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file's values as plain mappings, lists and scalars; empty where it could not be read."""

    path: Path
    content: bytes
    values: Mapping[str, object]
    place: Place

    @property
    def report(self) -> Report:
        """What is wrong with this file."""
        return self.place.report


def read_part(path: Path, references: References) -> Part:
    """The file at `path`, its problems in its report."""
    report = Report(str(path))
    content = b""
    values: object = {}
    try:
        content = _content(path)
        document = parse(_decoded(content))
    except YamlError as error:
        report.place((), error.line, error.column, error.message)
    else:
        report = Report(str(path), document)
        values = _values(document, report, references, path.parent)
    files = PemFiles(directory=path.parent, references=references)
    place = Place(path=(), report=report, files=files)
    return Part(path=path, content=content, values=values if isinstance(values, dict) else {}, place=place)


def read_document(path: Path) -> Document:
    """A file as YAML; YamlError where it is none, or can't be read."""
    return parse(_decoded(_content(path)))


def _content(path: Path) -> bytes:
    try:
        if path.is_fifo() or path.is_char_device():  # opening one may wait for ever
            raise YamlError(1, 1, "can't be read: a pipe or a device; expected a file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or "not a path"
        raise YamlError(1, 1, f"can't be read: {reason}") from None
    if len(content) > MAX_BYTES:
        raise YamlError(1, 1, f"is longer than {MAX_BYTES // 1024**2} MiB")
    return content


def _decoded(content: bytes) -> str:
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise YamlError(*end_of(content[: error.start].decode()), "not UTF-8 text") from None


def _values(document: Document, report: Report, references: References, directory: Path) -> object:
    for path, fault in document.faults():
        report.place(path, fault.line, fault.column, fault.message)
    tree = resolve_all(document.value(), references, directory)
    values = tree.value
    for path, message in tree.wrong.items():
        report.problem(path, message)
    report.remember(referenced=tree.referenced, unreadable=tree.wrong)
    for path, message in exposed_files(values, tree.exposed, directory):
        report.warn(path, message)
    for path, message in literal_secrets(values, {*tree.referenced, *tree.wrong}):
        report.warn(path, message)
    if values is None:
        report.problem((), "the file is empty; expected version: 1 and rules")
    elif not isinstance(values, dict):
        report.problem((), f"expected a mapping with version and rules, found {kind_of(values)}")
    return values
