"""An authorization server on loopback: right by default, with fields to spoil. Speaks HTTP by hand."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]  # names in small letters
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The body's parameters."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(slots=True, kw_only=True)
class Reply:
    """An answer written in full, instead of the right one."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False  # the connection ends without an answer
    drip_seconds: float | None = None  # between the bytes of the body


@dataclass(slots=True, kw_only=True)
class AuthorizationServer:
    """Gives token `t1`, `t2`, … for an hour to whoever brings the right credentials."""

    client_id: str = "app"
    client_secret: str = "s3cr3t"
    clients: dict[str, str] = field(default_factory=dict)  # further ids and secrets: tokens `ID-1`, `ID-2`, …
    decodes_basic: bool = True  # False: takes Basic credentials raw, as glewlwyd and Doorkeeper do
    accepts: frozenset[str] = frozenset({"basic", "post"})
    expires_in: object = 3600
    token_prefix: str = "t"
    replies: list[Reply] = field(default_factory=list)  # used up one by one, before the right answers
    documents: dict[str, Reply] = field(default_factory=dict)  # what a GET of a path gives; else 404
    answers: Callable[[Seen], Reply] | None = None  # to token requests, instead of the right answers
    silent: bool = False  # takes requests and never answers
    wait_seconds: float = 0  # before each answer
    seen: list[Seen] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"
    path: str = "/token"
    _server: asyncio.Server | None = None

    def stop(self) -> None:
        """Refuse connections from now on."""
        assert self._server is not None
        self._server.close()

    @property
    def token_url(self) -> str:
        """Where tokens are asked for."""
        return f"{self.scheme}://localhost:{self.port}{self.path}"

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["AuthorizationServer"]:
        """Listens on `port`, or on a free one."""
        self.scheme = "https" if tls else "http"
        server = self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await _read(reader)
                self.seen.append(request)
                if self.silent:
                    await reader.read()
                await asyncio.sleep(self.wait_seconds)
                reply = self.replies.pop(0) if self.replies else self._answer(request)
                if reply.cut:
                    break
                await _write(writer, reply)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            writer.close()

    def _answer(self, request: Seen) -> Reply:
        if request.method == "GET":
            return self.documents.get(request.target, Reply(status=404))
        if self.answers is not None:
            return self.answers(request)
        headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
        given = self._credentials(request)
        if given is None or given not in {(self.client_id, self.client_secret), *self.clients.items()}:
            body = {"error": "invalid_client", "error_description": "who are you?"}
            return Reply(status=401, body=json.dumps(body).encode(), headers=headers)
        prefix = f"{given[0]}-" if given[0] in self.clients else self.token_prefix
        token = {
            "access_token": f"{prefix}{len(self.seen)}",
            "token_type": "Bearer",
            "expires_in": self.expires_in,
        }
        return Reply(body=json.dumps(token).encode(), headers=headers)

    def _credentials(self, request: Seen) -> tuple[str, str] | None:
        authorization = request.headers.get("authorization", "")
        if authorization.startswith("Basic ") and "basic" in self.accepts:
            user, _, password = base64.b64decode(authorization[6:]).decode().partition(":")
            return (unquote(user), unquote(password)) if self.decodes_basic else (user, password)
        if "client_secret" in request.form and "post" in self.accepts:
            return request.form.get("client_id", ""), request.form["client_secret"]
        if "name" in self.accepts and request.form.get("client_id") == self.client_id:
            return self.client_id, self.client_secret  # the connection has proved it
        return None


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method=method, target=target, headers=headers, body=body)


async def _write(writer: asyncio.StreamWriter, reply: Reply) -> None:
    headers = {"Content-Length": str(len(reply.body))} | reply.headers
    lines = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    if reply.drip_seconds is None:
        writer.write(reply.body)
    else:
        for byte in reply.body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(reply.drip_seconds)
    await writer.drain()
