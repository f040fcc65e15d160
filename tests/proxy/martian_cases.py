"""Measured cases of Martian through a real proxy: one rule each, and a parent proxy that sees what leaves.

The hosts are made up. In upstream mode the parent is told each of them, and answers in its place.
"""

import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trustme

from tests.proxy.harness import Proxy, mitmdump
from tests.proxy.lines import Answer, dial
from tests.simulators.api import Api, Request
from tests.simulators.parent_proxy import ParentProxy

Tree = dict[str, Any]
Headers = tuple[tuple[str, str], ...]

NOT_COMPARED = ("host", "content-length", "x-case", "connection", "cache-control", "proxy-status")
TEXT: Headers = (("Content-Type", "text/plain"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A modifier, a request, an answer, and what both became."""

    name: str
    tree: Tree | list[Tree]
    url: str = ""  # empty: http://NAME.example/path
    method: str = "GET"
    headers: Headers = ()
    body: str = ""
    answer: tuple[int, Headers, str] = (200, TEXT, "ok")
    leaves_for: str = ""  # `host:port`; empty: where the URL leads
    loses_tls: bool = False  # an https request leaves over plain http
    target: str = ""  # empty: the URL's own
    host: str = ""  # the Host header; empty: the URL's own
    sent: Headers = ()  # headers of the request that left, in any order
    sent_body: str = ""
    status: int = 200
    got: Headers | None = None  # headers of the answer; None: those of `answer`
    got_body: str | None = None  # None: that of `answer`

    @property
    def asks(self) -> str:
        """The URL."""
        return self.url or f"http://{self.name}.example/path"


@dataclass(slots=True, kw_only=True)
class Outside:
    """A proxy with a rule for each case, and all that lies behind it."""

    proxy: Proxy
    parent: ParentProxy
    tunnelled: list[Request]  # what came out of the tunnels that the parent opened
    cases: dict[str, Case] = field(default_factory=dict)

    async def try_out(self, case: Case) -> None:
        """Send the case's request and compare what left and what came back."""
        before = len(self.parent.seen), len(self.tunnelled)
        got = await self._ask(case)
        plain, inner = self.parent.seen[before[0] :], self.tunnelled[before[1] :]
        left = plain[-1] if plain[-1].method != "CONNECT" else inner[-1]
        there = urlsplit(plain[-1].target if left is plain[-1] else f"//{plain[-1].target}/")
        url = urlsplit(case.asks)
        own = f"{url.hostname}:{url.port or (443 if url.scheme == 'https' else 80)}"

        assert f"{there.hostname}:{there.port or 80}" == (case.leaves_for or own)
        assert _target(left) == (case.target or _path(case.asks))
        assert left.one("host") == (case.host or url.netloc)
        assert left.method == case.method
        assert _alike(left.headers) == _alike(case.sent)
        assert left.body.decode() == case.sent_body
        assert len(left.body) == int(left.one("content-length") or 0)

        _, headers, body = case.answer
        assert got.status == case.status
        assert _alike(got.headers) == _alike(headers if case.got is None else case.got)
        assert got.body.decode() == (body if case.got_body is None else case.got_body)

    async def _ask(self, case: Case) -> Answer:
        url = urlsplit(case.asks)
        head = [f"Host: {url.netloc}", f"X-Case: {case.name}"]
        head += [f"{name}: {value}" for name, value in case.headers]
        head += [f"Content-Length: {len(case.body)}"] if case.body else []
        async with dial(self.proxy.port) as line:
            target = case.asks
            if url.scheme == "https":
                target = _path(case.asks)
                await line.connect(f"{url.hostname}:{url.port or 443}")
                await line.tls(self.proxy.ca, url.hostname)
            return await line.ask(
                "\r\n".join([f"{case.method} {target} HTTP/1.1", *head]) + "\r\n\r\n" + case.body
            )


@asynccontextmanager
async def outside(
    cases: Sequence[Case], *, folder: Path, authority: trustme.CA, trusted: Path
) -> AsyncIterator[Outside]:
    """The proxy of all these cases."""
    by_name = {case.name: case for case in cases}
    assert len(by_name) == len(cases), "two cases of one name"
    secure = [url for url in (urlsplit(case.asks) for case in cases) if url.scheme == "https"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("unused.example", *(str(url.hostname) for url in secure)).configure_cert(context)

    def answer(request: Request) -> bytes:
        return _answer(by_name[request.one("x-case") or ""])

    async with AsyncExitStack() as stack:
        tunnelled: list[Request] = []
        tls_api = await stack.enter_async_context(Api(say=answer, seen=tunnelled).running(context))
        api = await stack.enter_async_context(Api(say=answer, seen=tunnelled).running())
        parent = ParentProxy(say=answer, route_all=tls_api.port)
        parent.routes = {case.leaves_for: api.port for case in cases if case.loses_tls}
        await stack.enter_async_context(parent.running())
        proxy = await stack.enter_async_context(
            mitmdump(
                _config(cases),
                *("--mode", f"upstream:http://127.0.0.1:{parent.port}"),
                *("--set", f"ssl_verify_upstream_trusted_ca={trusted}"),
                folder=folder,
            )
        )
        yield Outside(proxy=proxy, parent=parent, tunnelled=tunnelled, cases=by_name)
        assert "Traceback" not in proxy.output
        assert "has crashed" not in proxy.output


def _config(cases: Sequence[Case]) -> str:
    rules = []
    for case in cases:
        url = urlsplit(case.asks)
        match = {"host": url.hostname, "port": "any"}
        rules.append({"name": case.name, "match": match, "modifiers": case.tree})
    return json.dumps({"version": 1, "log": {"format": "json"}, "rules": rules})


def _answer(case: Case) -> bytes:
    status, headers, body = case.answer
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join([*lines, f"Content-Length: {len(body)}"]) + "\r\n\r\n" + body).encode()


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def _target(request: Request) -> str:
    return _path(request.target) if "://" in request.target else request.target


def _alike(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers without what is not normative: their order, and the case of their names."""
    return sorted((name.lower(), value) for name, value in headers if name.lower() not in NOT_COMPARED)
