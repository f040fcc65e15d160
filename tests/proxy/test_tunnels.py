"""Section 3.8: hosts without a rule are left alone, or blocked."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from tests.proxy.harness import PATIENCE, mitmdump
from tests.proxy.lines import dial
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio


def rules(idp: AuthorizationServer, port: int, head: str = "") -> str:
    """`localhost` is ruled on this port, below `/ruled`; `127.0.0.1` is not."""
    return f"""
version: 1
log: {{format: json}}
{head}
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - name: api
    match: {{host: localhost, port: {port}, path: /ruled/**}}
    token_source: idp
"""


@asynccontextmanager
async def greeter() -> AsyncIterator[int]:
    """A server that is no HTTP server: it speaks first, and then says everything twice."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        while received := await reader.read(1024):
            writer.write(received * 2)
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_tunnel_elsewhere_carries_any_protocol(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    async with greeter() as port, mitmdump(rules(idp, api.port), folder=folder) as proxy:
        async with dial(proxy.port) as line, asyncio.timeout(PATIENCE):
            await line.connect(f"127.0.0.1:{port}")
            greeting = await line.reader.readexactly(11)
            line.writer.write(b"\x00\xffodd")
            said = await line.reader.readexactly(10)
        async with dial(proxy.port) as line, asyncio.timeout(PATIENCE):
            await line.connect(f"localhost:{port}")  # a port that no rule names
            other_port = await line.reader.readexactly(11)

    assert (greeting, said) == (b"220 hello\r\n", b"\x00\xffodd\x00\xffodd")
    assert other_port == b"220 hello\r\n"


async def test_tunnel_elsewhere_is_not_seen(
    idp: AuthorizationServer, tls_api: Api, folder: Path, authority: trustme.CA
) -> None:
    theirs = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())

    async with mitmdump(rules(idp, tls_api.port), folder=folder) as proxy:
        async with dial(proxy.port) as line:
            await line.connect(f"127.0.0.1:{tls_api.port}")
            tls = await line.tls(theirs, "anything.test")
            answer = await line.get("/ruled/hidden", "localhost", "X-Hidden: yes")
            certificate = tls.getpeercert()
        async with proxy.client() as client:
            await client.get(f"http://127.0.0.1:{idp.port}/seen?not-printed")

    assert certificate
    assert answer.status == 200
    assert tls_api.seen[0].head == (b"GET /ruled/hidden HTTP/1.1\r\nHost: localhost\r\nX-Hidden: yes\r\n\r\n")
    assert [request.target for request in idp.seen] == ["/seen?not-printed"]
    assert "hidden" not in proxy.output
    assert "not-printed" not in proxy.output
    assert proxy.access() == []


async def test_everything_is_decrypted_when_the_configuration_says_so(
    idp: AuthorizationServer, tls_api: Api, trusted: Path, folder: Path
) -> None:
    option = f"ssl_verify_upstream_trusted_ca={trusted}"
    text = rules(idp, tls_api.port, "intercept: all")

    async with mitmdump(text, "--set", option, folder=folder) as proxy, dial(proxy.port) as line:
        await line.connect(f"127.0.0.1:{tls_api.port}")
        await line.tls(proxy.ca, None)
        answer = await line.get("/ruled/a", f"localhost:{tls_api.port}", "Authorization: Basic own")

    assert answer.status == 200
    assert tls_api.tokens == ["Basic own"]


async def test_everything_without_a_rule_is_blocked_when_the_configuration_says_so(
    idp: AuthorizationServer, tls_api: Api, trusted: Path, folder: Path
) -> None:
    option = f"ssl_verify_upstream_trusted_ca={trusted}"
    text = rules(idp, tls_api.port, "unmatched: block")
    here = f"localhost:{tls_api.port}"

    async with mitmdump(text, "--set", option, folder=folder) as proxy:
        async with dial(proxy.port) as line:
            plain = await line.get(f"http://127.0.0.1:{tls_api.port}/ruled/a", here)
            connect = await line.connect(f"127.0.0.1:{tls_api.port}")
            assert (await line.connect(here)).status == 200  # the line is still good
            await line.tls(proxy.ca, "localhost")
            unruled = await line.get("/a", here)
            ruled = await line.get("/ruled/a", here)
        lines = await proxy.logged(4)

    assert (plain.status, plain.reason) == (403, "no_rule")
    assert (connect.status, connect.phrase) == (403, "clientcreds: no_rule")
    assert connect.problem["reason"] == "no_rule"
    assert (unruled.status, unruled.reason) == (403, "no_rule")
    assert ruled.status == 200
    assert [request.target for request in tls_api.seen] == ["/ruled/a"]
    assert [(line["method"], line["reason"]) for line in lines] == [
        ("GET", "no_rule"),
        ("CONNECT", "no_rule"),
        ("GET", "no_rule"),
        ("GET", "-"),
    ]


async def test_request_that_no_rule_wins_goes_on_as_it_is(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    here = f"localhost:{api.port}"

    async with mitmdump(rules(idp, api.port), folder=folder) as proxy, dial(proxy.port) as line:
        answer = await line.get(f"http://{here}/other", here, "Authorization: Basic own", "X-A: 1", "x-a: 2")

    assert answer.status == 200
    assert (
        api.seen[0].head
        == (
            f"GET /other HTTP/1.1\r\nHost: {here}\r\nAuthorization: Basic own\r\nX-A: 1\r\nx-a: 2\r\n\r\n"
        ).encode()
    )
    assert idp.seen == []
