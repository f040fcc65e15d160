"""`static.Modifier`: files of a folder in place of the API's answers. The proxy reads them (`ReadFile`)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath, PurePosixPath
from urllib.parse import unquote_to_bytes

from clientcreds_proxy.martian.fields import Fields, Kind
from clientcreds_proxy.martian.message import Request, Response
from clientcreds_proxy.martian.modifier import Leaf, Modifier
from clientcreds_proxy.martian.problem import Path
from clientcreds_proxy.martian.ranges import with_content

Steps = tuple[str, ...]  # from a folder down to a file: no `.`, no `..`, nothing empty

# What a browser needs to know; the system's own table differs from machine to machine.
_TYPES: Mapping[str, str] = {
    ".avif": "image/avif",
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".gif": "image/gif",
    ".gz": "application/gzip",
    ".htm": "text/html; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
    ".xml": "text/xml; charset=utf-8",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zip": "application/zip",
}
_UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeFiles(Leaf):
    """`static.Modifier`: no request is sent, and the response is the file that the URL's path names."""

    folder: str
    explicit: Mapping[Steps, Steps]  # files that go by another path
    at: Path  # of the folder

    def change_request(self, request: Request) -> Request:
        """The request as one that is not sent."""
        return replace(request, answered_here=True)

    def change_response(self, response: Response, request: Request) -> Response:
        """The response with the file or a part of it, or a 404; `ModifierFailed` where it can't be read."""
        asked = steps(
            unquote_to_bytes(request.path.encode(errors="surrogateescape")).decode(errors="replace")
        )
        path = self.explicit.get(asked, asked)
        found = request.read_file(self.folder, path) if path else None
        if found is None:
            return replace(response, status=404)
        kind = _TYPES.get(PurePosixPath(path[-1]).suffix.lower(), _UNKNOWN_TYPE)
        return with_content(response, request, found, kind)


def steps(path: str) -> Steps:
    """The steps of a path; `..` takes one back and leads nowhere at the top, as in Go's `path.Clean`."""
    found: list[str] = []
    for step in path.split("/"):
        if step == "..":
            del found[-1:]
        elif step not in ("", "."):
            found.append(step)
    return tuple(found)


def _modifier(fields: Fields) -> Modifier:
    folder = fields.checked("rootPath", _folder_problem)
    explicit: dict[Steps, Steps] = {}
    for path, asked, file in fields.pairs("explicitPaths"):
        if problem := _file_problem(file):
            fields.tree.report(path, problem)
        explicit[steps(asked)] = steps(file)
    return ServeFiles(
        phases=fields.phases,
        folder=str(PurePath(fields.tree.folder, folder)),
        explicit=explicit,
        at=fields.path_of("rootPath"),
    )


def _folder_problem(folder: str) -> str | None:
    return None if folder and "\0" not in folder else "expected the path of a folder"


def _file_problem(file: str) -> str | None:
    """Why this leads to no file below the folder."""
    if ".." in file.split("/"):
        return "leads out of rootPath: expected a path below it, without '..'"
    return None if steps(file) else "expected the path of a file below rootPath"


KINDS = (Kind(name="static.Modifier", build=_modifier),)
