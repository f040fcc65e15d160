"""The status server: HTTP on loopback, for whoever runs the proxy.

    GET  /healthz      200 as long as the process serves
    GET  /readyz       200 when a configuration is in force and the proxy listens, else 503
    GET  /api/status   how things are (`status.py`)
    POST /api/reload   read the configuration again                         with the token of `runtime.py`
    POST /api/purge    drop tokens and remembered failures: all, or one source's          likewise

Any program of this machine can reach it, and through a browser any web page tries to: a Host that is not
loopback (DNS rebinding) and requests of other sites are refused, nothing is shared across origins, and there
is no secret in any answer.
"""

import hmac
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, Protocol

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from clientcreds_proxy.rules.host import is_loopback, split_host_port
from clientcreds_proxy.secret import Secret

MAX_BODY_BYTES = 64 * 1024
IDLE_SECONDS = 30.0
BODY_SECONDS = 10.0

Answer = tuple[int, Mapping[str, object]]  # a status, and what the JSON holds


class Proxy(Protocol):
    """Whom the server asks."""

    def is_ready(self) -> bool:
        """Whether requests are served."""
        ...

    def status(self) -> Mapping[str, object]:
        """Everything about it."""
        ...

    async def reload(self) -> tuple[str, ...]:
        """Read the configuration again; the problems that kept the old one in force."""
        ...

    def purge(self, source: str | None) -> tuple[str, ...]:
        """Drop what is known of one source, or of all; the names of those. KeyError: no such source."""
        ...

    def sources(self) -> tuple[str, ...]:
        """Their names."""
        ...

    def token(self) -> Secret | None:
        """What a caller that changes something must bring; None: nobody can."""
        ...

    def is_foreign(self, peer: tuple[str, int]) -> bool:
        """Whether this connection came through the proxy, from a client on another machine."""
        ...

    def report(self, error: BaseException) -> None:
        """Log a bug of ours."""
        ...


def listen(proxy: Proxy, host: str, port: int) -> tuple[HTTPServer, int]:
    """A server that listens, and its port; OSError where it can't. Port 0 takes a free one."""
    application = Application(
        [
            (r"/healthz", Health, {"proxy": proxy}),
            (r"/readyz", Ready, {"proxy": proxy}),
            (r"/api/status", Status, {"proxy": proxy}),
            (r"/api/reload", Reload, {"proxy": proxy}),
            (r"/api/purge", Purge, {"proxy": proxy}),
        ],
        default_handler_class=Handler,
        default_handler_args={"proxy": proxy},
        log_function=lambda _: None,
    )
    sockets = bind_sockets(port, host)
    server = HTTPServer(
        application,
        max_body_size=MAX_BODY_BYTES,
        idle_connection_timeout=IDLE_SECONDS,
        body_timeout=BODY_SECONDS,
    )
    server.add_sockets(sockets)
    return server, int(sockets[0].getsockname()[1])


class Handler(RequestHandler):
    """What all answers have in common; by itself, the answer to a path that there is not."""

    ways: Mapping[str, Callable[["Handler"], Answer]] = {}

    def initialize(self, proxy: Proxy) -> None:
        """Take the proxy."""
        self.proxy = proxy

    def set_default_headers(self) -> None:
        """Let nobody keep or guess anything."""
        self.clear_header("Server")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")

    def prepare(self) -> None:
        """Refuse what comes from another machine, or from a web page of another site."""
        connection: Any = self.request.connection  # it alone knows the port
        if self.proxy.is_foreign(connection.context.address[:2]):
            raise HTTPError(403, "the status server is for this machine only")
        refuse_foreign(self.request.headers.get_list("Host"), self.request.headers)
        if type(self) is Handler:
            raise HTTPError(404, "there is /healthz, /readyz, /api/status, /api/reload and /api/purge")

    def answer(self, body: Mapping[str, object], status: int = 200) -> None:
        """End the request with JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(body, ensure_ascii=False) + "\n")

    def problem(self, status: int, detail: str, more: Mapping[str, object] | None = None) -> None:
        """End the request with a problem (RFC 9457)."""
        phrase = HTTPStatus(status).phrase
        said = {"type": "about:blank", "title": phrase, "status": status, "detail": detail, **(more or {})}
        self.set_status(status)
        self.set_header("Content-Type", "application/problem+json")
        self.finish(json.dumps(said, ensure_ascii=False) + "\n")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """A problem for what tornado refuses, too."""
        if status_code == 405:
            allowed = [method for method in ("GET", "HEAD", "POST") if _has(self, method)]
            self.set_header("Allow", ", ".join(allowed))
        if status_code == 401:
            self.set_header("WWW-Authenticate", "Bearer")
        error = kwargs.get("exc_info", (None, None, None))[1]
        detail = error.log_message if isinstance(error, HTTPError) else None
        self.problem(status_code, detail or HTTPStatus(status_code).description)

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log what is a bug."""
        del typ, tb
        if value is not None and not isinstance(value, HTTPError):
            self.proxy.report(value)

    def check_token(self) -> None:
        """Refuse whoever does not bring the token."""
        scheme, _, brought = self.request.headers.get("Authorization", "").partition(" ")
        wanted = self.proxy.token()
        if wanted is None:
            raise HTTPError(403, "there is no token: the proxy could not write its file, see its log")
        is_right = hmac.compare_digest(brought.strip().encode(), wanted.reveal().encode())
        if scheme.lower() != "bearer" or not is_right:
            raise HTTPError(401, "expected `Authorization: Bearer` with the token of the runtime directory")


class Health(Handler):
    """`/healthz`."""

    def get(self) -> None:
        """The process serves."""
        self.answer({"status": "ok"})

    head = get


class Ready(Handler):
    """`/readyz`."""

    def get(self) -> None:
        """Whether requests are served."""
        if self.proxy.is_ready():
            self.answer({"status": "ready"})
        else:
            self.problem(503, "the proxy does not listen yet, or is shutting down")

    head = get


class Status(Handler):
    """`/api/status`."""

    def get(self) -> None:
        """Everything about the proxy."""
        self.answer(self.proxy.status())

    head = get


class Reload(Handler):
    """`/api/reload`."""

    async def post(self) -> None:
        """Read the configuration again; 422 with its problems where the old one stays in force."""
        self.check_token()
        problems = await self.proxy.reload()
        if problems:
            what = "the configuration was not changed: the old rules stay in force"
            self.problem(422, what, {"problems": list(problems)})
        else:
            self.answer({"status": "reloaded"})


class Purge(Handler):
    """`/api/purge`."""

    def post(self) -> None:
        """Drop tokens and remembered failures; 404 with the known names where there is no such source."""
        self.check_token()
        source = self._source()
        try:
            self.answer({"purged": list(self.proxy.purge(source))})
        except KeyError:
            self.problem(404, "there is no such token source", {"token_sources": list(self.proxy.sources())})

    def _source(self) -> str | None:
        if not self.request.body.strip():
            return None
        try:
            asked = json.loads(self.request.body)
        except (ValueError, RecursionError):
            asked = None
        if (
            not isinstance(asked, dict)
            or not isinstance(asked.get("source", ""), str)
            or asked.keys() - {"source"}
        ):
            raise HTTPError(400, 'expected nothing, or {"source": NAME} as JSON')
        return asked.get("source")


def refuse_foreign(hosts: list[str], headers: Mapping[str, str]) -> None:
    """HTTPError for a request that a web page may have sent."""
    host = hosts[0] if len(hosts) == 1 else ""
    if not _names_loopback(host):
        raise HTTPError(403, "the Host header must name this machine: localhost, 127.0.0.1 or [::1]")
    origin = headers.get("Origin")
    site = headers.get("Sec-Fetch-Site", "none")
    if site not in ("none", "same-origin") or (origin is not None and origin != f"http://{host}"):
        raise HTTPError(403, "requests of other sites are refused")


def _names_loopback(authority: str) -> bool:
    try:
        return is_loopback(split_host_port(authority)[0])
    except ValueError:
        return False


def _has(handler: Handler, method: str) -> bool:
    return getattr(type(handler), method.lower()) is not getattr(RequestHandler, method.lower())
