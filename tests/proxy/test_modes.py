"""Section 3.1 in the other modes: socks5, reverse, upstream behind TLS."""

import ssl
from pathlib import Path

import pytest
import trustme

from tests.proxy.harness import mitmdump
from tests.proxy.lines import dial
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer
from tests.simulators.http2_api import Http2Api

pytestmark = pytest.mark.anyio


def rules(idp: AuthorizationServer, *ports: int, head: str = "") -> str:
    """`localhost` is ruled on these ports; `127.0.0.1` is not."""
    return f"""
version: 1
log: {{format: json}}
{head}
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - name: api
    match: {{host: localhost, port: {list(ports)}, path: [/a, /b/**]}}
    token_source: idp
"""


async def test_socks_connection_gets_a_token_when_all_names_agree(
    idp: AuthorizationServer, api: Api, tls_api: Api, *, trusted: Path, folder: Path
) -> None:
    options = ("--mode", "socks5", "--set", f"ssl_verify_upstream_trusted_ca={trusted}")

    async with mitmdump(rules(idp, api.port, tls_api.port), *options, folder=folder) as proxy:
        async with dial(proxy.port) as line:
            reply = await line.socks("localhost", api.port)
            plain = await line.get("/a", f"localhost:{api.port}")
        async with dial(proxy.port) as line:
            await line.socks("localhost", tls_api.port)
            await line.tls(proxy.ca, "localhost")
            secure = await line.get("/a", f"LOCALHOST.:{tls_api.port}")

    assert reply == 0
    assert (plain.status, secure.status) == (200, 200)
    assert api.tokens + tls_api.tokens == ["Bearer t1"] * 2


async def test_socks_connection_gets_no_token_when_names_differ(
    idp: AuthorizationServer, api: Api, tls_api: Api, *, trusted: Path, folder: Path, authority: trustme.CA
) -> None:
    theirs = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    options = ("--mode", "socks5", "--set", f"ssl_verify_upstream_trusted_ca={trusted}")
    here, secure = f"localhost:{api.port}", f"localhost:{tls_api.port}"

    async with mitmdump(rules(idp, api.port, tls_api.port), *options, folder=folder) as proxy:
        async with dial(proxy.port) as line:
            await line.socks("127.0.0.1", api.port)
            elsewhere = [await line.get("/a", here), await line.get(f"http://{here}/a", here)]
        async with dial(proxy.port) as line:
            await line.socks("127.0.0.1", tls_api.port)
            await line.tls(theirs, "localhost")
            elsewhere.append(await line.get("/a", secure))
        async with dial(proxy.port) as line:
            await line.socks("localhost", api.port)
            refused = [await line.get("/a", "evil.test"), await line.get("http://evil.test/a", "evil.test")]
        async with dial(proxy.port) as line:
            await line.socks("localhost", tls_api.port)
            await line.tls(proxy.ca, "evil.test")
            refused.append(await line.get("/a", secure))

    assert [answer.status for answer in elsewhere] == [200] * 3
    assert api.tokens + tls_api.tokens == [None] * 3
    assert [(answer.status, answer.reason) for answer in refused] == [(421, "destination_mismatch")] * 3


async def test_socks_connection_elsewhere_is_refused_under_block(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    text = rules(idp, api.port, head="unmatched: block")
    other = f"127.0.0.1:{api.port}"

    async with mitmdump(text, "--mode", "socks5", folder=folder) as proxy:
        async with dial(proxy.port) as line:
            reply = await line.socks("127.0.0.1", api.port)
        async with dial(proxy.port) as line:
            ruled = await line.socks("localhost", api.port)
            unruled_path = await line.get("/other", f"localhost:{api.port}")
            spoofed = await line.get("/a", other)

    assert reply != 0
    assert ruled == 0
    assert (unruled_path.status, unruled_path.reason) == (403, "no_rule")
    assert (spoofed.status, spoofed.reason) == (421, "destination_mismatch")
    assert api.seen == []


async def test_socks_connection_is_refused_also_when_mitmproxy_connects_late(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    text = rules(idp, api.port, head='unmatched: block\nallowed_clients: ["10.0.0.0/8"]')
    options = ("--mode", "socks5", "--set", "connection_strategy=lazy")

    async with mitmdump(text, *options, folder=folder) as proxy:
        for host in ("127.0.0.1", "localhost"):
            async with dial(proxy.port) as line:
                if await line.socks(host, api.port) == 0:
                    line.writer.write(f"GET /a HTTP/1.1\r\nHost: {host}:{api.port}\r\n\r\n".encode())
                    assert await line.reader.readline() in (b"", b"HTTP/1.1 403 Forbidden\r\n")

    assert api.seen == []
    assert api.connections == 0


async def test_reverse_proxy_takes_its_target_for_the_destination(
    idp: AuthorizationServer, tls_api: Api, trusted: Path, folder: Path
) -> None:
    target = f"localhost:{tls_api.port}"
    options = ("--mode", f"reverse:https://{target}", "--set", f"ssl_verify_upstream_trusted_ca={trusted}")

    async with mitmdump(rules(idp, tls_api.port), *options, folder=folder) as proxy:
        async with dial(proxy.port) as line:
            plain = await line.get("/a?b=c", f"127.0.0.1:{proxy.port}", "Authorization: Basic own")
            spoofed = await line.get("/a", "evil.test")
            unruled = await line.get("/other", "127.0.0.1", "Authorization: Basic own")
            absolute = await line.get("https://evil.test/a", "evil.test")
        async with dial(proxy.port) as line:
            await line.tls(proxy.ca, "the-proxy.test")
            secure = await line.get("/a", "the-proxy.test")

    assert [answer.status for answer in (plain, spoofed, unruled, secure)] == [200] * 4
    assert absolute.status in (200, 400, 421)
    for request in tls_api.seen:
        assert request.one("host") == target
        assert request.target.startswith("/")
    tokens = {request.target: request.one("authorization") for request in tls_api.seen}
    assert tokens == {"/a?b=c": "Bearer t1", "/a": "Bearer t1", "/other": "Basic own"}


async def test_reverse_proxy_gets_no_token_where_the_target_is_unruled(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    mode = f"reverse:http://127.0.0.1:{api.port}"

    async with (
        mitmdump(rules(idp, api.port), "--mode", mode, folder=folder) as proxy,
        dial(proxy.port) as line,
    ):
        answer = await line.get("/a", f"localhost:{api.port}")

    assert answer.status == 200
    assert api.tokens == [None]


async def test_reverse_proxy_verifies_its_target(
    idp: AuthorizationServer, authority: trustme.CA, trusted: Path, folder: Path
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.test").configure_cert(tls)

    async with Api().running(tls) as other:
        options = ("--set", f"ssl_verify_upstream_trusted_ca={trusted}")
        mode = ("--mode", f"reverse:https://localhost:{other.port}")
        async with mitmdump(rules(idp, other.port), *mode, *options, folder=folder) as proxy:
            async with dial(proxy.port) as line:
                plain = await line.get("/a", "x")
            async with dial(proxy.port) as line:
                await line.tls(proxy.ca, "other.test")
                secure = await line.get("/a", "other.test")

    assert [(answer.status, answer.reason) for answer in (plain, secure)] == [(502, None)] * 2
    assert other.seen == []


async def test_reverse_proxy_speaks_http2_both_ways(
    idp: AuthorizationServer, authority: trustme.CA, trusted: Path, folder: Path
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)

    async with Http2Api().running(tls) as api:
        options = ("--set", f"ssl_verify_upstream_trusted_ca={trusted}")
        mode = ("--mode", f"reverse:https://localhost:{api.port}")
        async with (
            mitmdump(rules(idp, api.port), *mode, *options, folder=folder) as proxy,
            dial(proxy.port) as line,
        ):
            await line.tls(proxy.ca, "the-proxy.test", protocols=("h2",))
            answer = await line.ask_http2(
                (":method", "GET"), (":scheme", "https"), (":authority", "the-proxy.test"), (":path", "/a")
            )

    assert answer.status == 200
    assert api.all("authorization") == ["Bearer t1"]
    assert api.all(":authority") == [f"localhost:{api.port}"]


@pytest.mark.parametrize(
    ("option", "value"), [("keep_host_header", "true"), ("upstream_auth", "user:password")]
)
async def test_reverse_proxy_to_a_ruled_target_does_not_start_with_options_that_would_break_it(
    idp: AuthorizationServer, api: Api, folder: Path, *, option: str, value: str
) -> None:
    mode = ("--mode", f"reverse:http://localhost:{api.port}")
    elsewhere = ("--mode", f"reverse:http://127.0.0.1:{api.port}")

    with pytest.raises(AssertionError, match=f"ended with 1:\n.*\nclientcreds: {option} can't be used.*$"):
        async with mitmdump(rules(idp, api.port), *mode, "--set", f"{option}={value}", folder=folder):
            pass
    async with (
        mitmdump(rules(idp, api.port), *elsewhere, "--set", f"{option}={value}", folder=folder) as proxy,
        dial(proxy.port) as line,
    ):
        answer = await line.get("/a", "x")

    assert answer.status == 200


async def test_upstream_proxy_elsewhere_gets_no_token_for_what_is_loopback_there(
    idp: AuthorizationServer, folder: Path
) -> None:
    mode = ("--mode", "upstream:http://parent.invalid:3128")
    async with mitmdump(rules(idp, 80), *mode, folder=folder) as proxy, dial(proxy.port) as line:
        answer = await line.get("http://localhost/a", "localhost")

    assert (answer.status, answer.reason) == (403, "plaintext_refused")
    assert idp.seen == []
