"""Every client of docs/clients.md, under `clientcreds run`, with nothing set but what `run` sets."""

import asyncio
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import batched
from pathlib import Path

import pytest
import trustme

from tests.proxy.harness import PATIENCE
from tests.services.conftest import HERE, OIDC_PROVIDER, install_from_npm, program
from tests.simulators.api import Api, Request
from tests.simulators.authorization_server import AuthorizationServer
from tests.simulators.parent_proxy import ParentProxy

pytestmark = pytest.mark.anyio

PROGRAMS = HERE / "clients"
NODE20 = HERE / "node20"
CASES = {
    "https, ruled": "https://api.test/{}",
    "http, upgraded": "http://up.test/{}",
    "https, no rule": "https://other.test/{}",
}
CONFIG = """
version: 1
token_sources:
  idp: {{token_url: "{token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - {{name: ruled, match: {{host: api.test}}, token_source: idp}}
  - {{name: upgraded, match: {{host: up.test}}, token_source: idp, upgrade_to_https: true}}
"""


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[str]]:
    """The commands that get the URLs that follow; each says nothing about a proxy or a CA."""
    install_from_npm(OIDC_PROVIDER)
    install_from_npm(NODE20)
    node20, node24 = (str(folder / "node_modules" / ".bin" / "node") for folder in (NODE20, OIDC_PROVIDER))
    java = [program("java", "default-jre-headless"), str(PROGRAMS / "Call.java")]
    javascript, python = str(PROGRAMS / "call.mjs"), [sys.executable, str(PROGRAMS / "call.py")]
    for name in ("curl", "wget", "git"):
        program(name, name)
    return {
        "curl": _shell("curl -sSf -o /dev/null $url"),
        "wget": _shell("wget -q -O /dev/null $url"),
        "git": _shell("git ls-remote -q $url"),
        "Go": [str(_built(tmp_path_factory.mktemp("go")))],
        **{f"Python {name}": [*python, name] for name in ("urllib", "requests", "httpx", "aiohttp")},
        "Node.js 20 fetch": [node20, javascript, "fetch"],
        "Node.js 20 https.get": [node20, javascript, "get"],
        "Node.js 24 fetch": [node24, javascript, "fetch"],
        "Node.js 24 https.get": [node24, javascript, "get"],
        "Java HttpURLConnection": [*java, "URLConnection"],
        "Java HttpClient": [*java, "HttpClient"],
    }


def _shell(command: str) -> list[str]:
    return ["sh", "-c", f"for url; do {command} || exit; done", "sh"]


def _built(folder: Path) -> Path:
    """The Go program, without a C compiler where there is none."""
    path = folder / "call"
    cgo = "1" if shutil.which("gcc") else "0"
    environ = {**os.environ, "CGO_ENABLED": cgo, "GO111MODULE": "off"}
    command = [program("go", "golang-go"), "build", "-o", str(path), str(PROGRAMS / "call.go")]
    subprocess.run(command, env=environ, check=True, timeout=240)
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Servers that only the proxy behind ours finds, and a user who calls them."""

    home: Path
    parent: ParentProxy
    ruled: Api  # its certificate is of a CA that the proxy trusts
    other: Api  # of one that the user's SSL_CERT_FILE names

    async def run(self, *words: str) -> tuple[int, str]:
        """Exit code and all output of `clientcreds run`."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "clientcreds_proxy.cli", "run"),
            *("--set", f"mode=upstream:http://127.0.0.1:{self.parent.port}"),
            *("--set", "ssl_verify_upstream_trusted_ca=ruled.pem", "--", *words),
            cwd=self.home,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "XDG_RUNTIME_DIR": str(self.home),
                "SSL_CERT_FILE": str(self.home / "other.pem"),
            },
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
        )
        async with asyncio.timeout(3 * PATIENCE):
            output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()


@asynccontextmanager
async def world(home: Path) -> AsyncIterator[World]:
    """With a rule for api.test, one for http://up.test/, and none for other.test."""
    apis = []
    async with AsyncExitStack() as stack:
        for name, hosts in (("ruled", ("api.test", "up.test")), ("other", ("other.test",))):
            authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(*hosts).configure_cert(context)
            authority.cert_pem.write_to_path(home / f"{name}.pem")
            apis.append(await stack.enter_async_context(Api(answer=_answer).running(context)))
        idp = await stack.enter_async_context(AuthorizationServer().running())
        parent = await stack.enter_async_context(ParentProxy().running())
        ruled, other = apis
        parent.routes |= {"api.test:443": ruled.port, "up.test:443": ruled.port, "other.test:443": other.port}
        (home / "clientcreds.yaml").write_text(CONFIG.format(token_url=idp.token_url))
        yield World(home=home, parent=parent, ruled=ruled, other=other)


async def _answer(request: Request, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What git takes for a repository, and others for an answer."""
    body = b"" if request.target.endswith("/HEAD") else b"%s\trefs/heads/main\n" % (b"0123456789" * 4)
    writer.write(
        b"HTTP/1.1 200 X\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )


async def test_every_client_gets_through(
    clients: Mapping[str, list[str]], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Each under `run`, four of them at most under the same one: a proxy takes a second to start."""
    async with world(tmp_path) as on:
        calls = [
            shlex.join([*command, *(url.format(number) for url in CASES.values())])
            + f" || echo FAILED: {name}"
            for number, (name, command) in enumerate(clients.items())
        ]
        ended = [await on.run("sh", "-c", "\n".join(some)) for some in batched(calls, 4)]
        seen = [_seen(on, number) for number in range(len(clients))]

    lines = [_line("client", list(CASES))]
    lines += [_line(name, row) for name, row in zip(clients, seen, strict=True)]
    record_property("table", "\n".join(lines))
    assert [(code, output) for code, output in ended if code or "FAILED" in output] == []
    assert seen == [["200, token", "200, token", "200, no token"]] * len(clients)


WITHOUT_TRUST = """
unset SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO NODE_EXTRA_CA_CERTS WGETRC
export JAVA_TOOL_OPTIONS="${JAVA_TOOL_OPTIONS%% -Djavax*}"
"""
NAMED = {
    "curl": r"curl/\S+ does not trust .* api\.test: set CURL_CA_BUNDLE",
    "wget": r"Wget/\S+ seems not to trust .* api\.test: set WGETRC",
    "git": r"git/\S+ seems not to trust .* api\.test: set GIT_SSL_CAINFO",
    "Go": r"Go-http-client/\S+ does not trust .* api\.test: set SSL_CERT_FILE",
    "Python urllib": r"a client \(Python\?\) does not trust .* REQUESTS_CA_BUNDLE",
    "Python httpx": r"a client \(Python's httpx\?\) does not trust .* SSL_CERT_FILE",
    "Python aiohttp": r"Python/\S+ aiohttp/\S+ seems not to trust .* SSL_CERT_FILE",
    "Node.js 20 fetch": r"node/20\S+ seems not to trust .* NODE_EXTRA_CA_CERTS",
    "Node.js 24 fetch": r"a client \(Node\.js\?\) seems not to trust .* NODE_EXTRA_CA_CERTS",
    "Java HttpURLConnection": r"Java/\S+ does not trust .*trustStore",
    "Java HttpClient": r"a client \(Java\?\) seems not to trust .*trustStore",
}


async def test_every_client_that_refuses_the_ca_is_named(
    clients: Mapping[str, list[str]], tmp_path: Path
) -> None:
    calls = [shlex.join([*clients[name], CASES["https, ruled"].format("x")]) for name in NAMED]
    async with world(tmp_path) as on:
        code, output = await on.run("sh", "-c", "\n".join([WITHOUT_TRUST, *calls, "exit 0"]))

    assert code == 0, output
    assert [name for name, said in NAMED.items() if not re.search(said, output)] == [], output


def _seen(on: World, number: int) -> list[str]:
    """What the APIs saw of a client's three requests."""
    row = []
    for host, api in (("api.test", on.ruled), ("up.test", on.ruled), ("other.test", on.other)):
        mine = [request for request in api.seen if request.target.split("/")[1] == str(number)]
        tokens = {request.one("authorization") for request in mine if request.one("host") == host}
        with_token = tokens and all((token or "").startswith("Bearer t") for token in tokens)
        row.append("200, token" if with_token else "200, no token" if tokens == {None} else "failed")
    return row


def _line(name: str, cells: list[str]) -> str:
    return f"{name:24}" + "".join(f"{cell:16}" for cell in cells)
