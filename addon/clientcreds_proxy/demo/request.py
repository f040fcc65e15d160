"""One request of the demo, as a command that one can type, and its answer. Without curl Python sends it."""

import asyncio
import os
import shlex
import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from http.client import HTTPResponse

SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A GET."""

    url: str
    proxy: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def command(self) -> str:
        """As curl has it."""
        return shlex.join(["curl", *self.arguments])

    @property
    def arguments(self) -> list[str]:
        """What curl is called with."""
        proxy = ["--proxy", self.proxy] if self.proxy else []
        headers = [part for name, value in self.headers for part in ("-H", f"{name}: {value}")]
        return ["-i", *proxy, *headers, self.url]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    status_line: str
    headers: Message
    body: str


class NoAnswerError(Exception):
    """The request could not be sent, or nothing came back."""


async def send(request: Request) -> Answer:
    """The answer, without the proxy settings that this shell may have."""
    if shutil.which("curl"):
        return await _send_with_curl(request)
    return await asyncio.to_thread(_send_with_python, request)


async def _send_with_curl(request: Request) -> Answer:
    process = await asyncio.create_subprocess_exec(
        *("curl", "--disable", "--silent", "--show-error", "--max-time", str(SECONDS), *request.arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    if process.returncode:
        raise NoAnswerError(errors.decode(errors="replace").strip())
    head, _, body = output.decode(errors="replace").partition("\r\n\r\n")
    status_line, _, fields = head.partition("\r\n")
    return Answer(
        status=int(status_line.split()[1]),
        status_line=status_line,
        headers=Parser().parsestr(fields, headersonly=True),
        body=body,
    )


def _send_with_python(request: Request) -> Answer:
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"http": request.proxy} if request.proxy else {}), _EveryStatus()
    )
    asked = urllib.request.Request(request.url, headers={"Accept": "*/*", **dict(request.headers)})  # noqa: S310 - our own servers
    try:
        with opener.open(asked, timeout=SECONDS) as response:
            return Answer(
                status=response.status,
                status_line=f"HTTP/1.1 {response.status} {response.reason}",
                headers=response.headers,
                body=response.read().decode(),
            )
    except OSError as error:
        raise NoAnswerError(str(error)) from error


class _EveryStatus(urllib.request.HTTPErrorProcessor):
    """A 401 is an answer like any other."""

    def http_response(self, request: urllib.request.Request, response: HTTPResponse) -> HTTPResponse:  # noqa: ARG002 - urllib's signature
        return response
