"""Section 3.1 in regular mode: only the connection's destination chooses a rule, and all names must agree."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.proxy.harness import Proxy, mitmdump
from tests.proxy.lines import Line, dial
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer
from tests.simulators.http2_api import Http2Api

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One proxy and three APIs. `localhost` is ruled on all their ports, `127.0.0.1` on none."""

    proxy: Proxy
    plain: Api
    tls: Api
    http2: Http2Api

    def forget(self) -> None:
        """Forget the requests of the test before."""
        for api in (self.plain, self.tls, self.http2):
            api.seen.clear()


@pytest.fixture(scope="module")
async def shared(
    authority: trustme.CA, trusted: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """What all tests of this module use."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(tls)
    tls2 = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls2)
    folder = tmp_path_factory.mktemp("destination") / "proxy"
    folder.mkdir()
    async with (
        AuthorizationServer().running() as idp,
        Api().running() as plain,
        Api().running(tls) as tls_api,
        Http2Api().running(tls2) as http2,
        mitmdump(
            f"""
version: 1
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - name: api
    match: {{host: localhost, port: [{plain.port}, {tls_api.port}, {http2.port}]}}
    token_source: idp
""",
            *("--set", f"ssl_verify_upstream_trusted_ca={trusted}"),
            folder=folder,
        ) as proxy,
    ):
        yield World(proxy=proxy, plain=plain, tls=tls_api, http2=http2)


@pytest.fixture
def world(shared: World) -> World:
    """With no request seen yet."""
    shared.forget()
    return shared


async def tunnel(line: Line, world: World, port: int, name: str | None, *protocols: str) -> None:
    """CONNECT to localhost and this port, and TLS with this server name."""
    assert (await line.connect(f"localhost:{port}")).status == 200
    await line.tls(world.proxy.ca, name, protocols=protocols)


async def test_plain_request_gets_a_token_when_all_names_agree(world: World) -> None:
    here = f"localhost:{world.plain.port}"

    async with dial(world.proxy.port) as line:
        answers = [
            await line.get(f"http://{here}/a", host)
            for host in (here, here.upper(), f"localhost.:{world.plain.port}")
        ]

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert world.plain.tokens == ["Bearer t1"] * 3


async def test_plain_request_gets_a_token_when_it_has_no_host_header(world: World) -> None:
    async with dial(world.proxy.port) as line:
        answer = await line.ask(f"GET http://localhost:{world.plain.port}/a HTTP/1.0\r\n\r\n")

    assert answer.status == 200
    assert world.plain.tokens == ["Bearer t1"]


@pytest.mark.parametrize("host", ["evil.test", "localhost", "localhost:1", "[::1", "a b", "", "localhost:x"])
async def test_plain_request_is_refused_when_its_host_header_differs(world: World, host: str) -> None:
    """D05."""
    async with dial(world.proxy.port) as line:
        answer = await line.get(f"http://localhost:{world.plain.port}/a", host)

    assert (answer.status, answer.reason) in [(421, "destination_mismatch"), (400, None)]
    assert world.plain.seen == []


async def test_plain_request_is_refused_when_it_names_two_hosts(world: World) -> None:
    here = f"localhost:{world.plain.port}"

    async with dial(world.proxy.port) as line:
        answer = await line.get(f"http://{here}/a", here, "Host: evil.test")

    assert answer.status in (400, 421)
    assert world.plain.seen == []


async def test_plain_request_goes_on_unchanged_when_only_its_header_names_a_ruled_host(world: World) -> None:
    """D05."""
    target, host = f"http://127.0.0.1:{world.plain.port}/a//b?c", f"localhost:{world.plain.port}"

    async with dial(world.proxy.port) as line:
        answer = await line.get(target, host, "X-Odd:  1 ", "authorization: Basic own")

    assert answer.status == 200
    head = world.plain.seen[0].head
    assert head.startswith(b"GET /a//b?c HTTP/1.1\r\n")
    assert b"\r\nauthorization: Basic own\r\n" in head
    assert f"Host: {host}\r\n".encode() in head


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", None])
async def test_tls_request_gets_a_token_when_all_names_agree(world: World, name: str | None) -> None:
    async with dial(world.proxy.port) as line:
        await tunnel(line, world, world.tls.port, name)
        answer = await line.get("/a", f"localhost:{world.tls.port}")

    assert answer.status == 200
    assert world.tls.tokens == ["Bearer t1"]


async def test_tls_request_is_refused_when_the_server_name_differs(world: World) -> None:
    """D05."""
    async with dial(world.proxy.port) as line:
        await tunnel(line, world, world.tls.port, "evil.test")
        answer = await line.get("/a", f"localhost:{world.tls.port}")

    assert (answer.status, answer.reason) == (421, "destination_mismatch")
    assert world.tls.seen == []


@pytest.mark.parametrize("host", ["evil.test", "localhost", "localhost:443"])
async def test_tls_request_is_refused_when_its_host_header_differs(world: World, host: str) -> None:
    """D05."""
    async with dial(world.proxy.port) as line:
        await tunnel(line, world, world.tls.port, "localhost")
        answer = await line.get("/a", host)

    assert (answer.status, answer.reason) == (421, "destination_mismatch")
    assert world.tls.seen == []


@pytest.mark.parametrize("inner", ["https://evil.test/a", "http://evil.test/a", "https://localhost:1/a"])
async def test_tls_request_is_refused_when_its_absolute_target_differs(world: World, inner: str) -> None:
    async with dial(world.proxy.port) as line:
        await tunnel(line, world, world.tls.port, "localhost")
        answer = await line.get(inner, f"localhost:{world.tls.port}")

    assert (answer.status, answer.reason) == (421, "destination_mismatch")
    assert world.tls.seen == []


async def test_plain_request_in_a_tunnel_gets_a_token_when_all_names_agree(world: World) -> None:
    """D16."""
    here = f"localhost:{world.plain.port}"

    async with dial(world.proxy.port) as line:
        await line.connect(here)
        answer = await line.get("/a", here)

    assert answer.status == 200
    assert world.plain.tokens == ["Bearer t1"]


@pytest.mark.parametrize("target", ["/a", "http://evil.test/a"])
async def test_plain_request_in_a_tunnel_is_refused_when_it_names_another_host(
    world: World, target: str
) -> None:
    async with dial(world.proxy.port) as line:
        await line.connect(f"localhost:{world.plain.port}")
        answer = await line.get(target, "evil.test")

    assert (answer.status, answer.reason) == (421, "destination_mismatch")
    assert world.plain.seen == []


async def test_tunnel_elsewhere_gets_no_token_when_headers_inside_name_a_ruled_host(world: World) -> None:
    """D05."""
    here = f"localhost:{world.plain.port}"

    async with dial(world.proxy.port) as line:
        await line.connect(f"127.0.0.1:{world.plain.port}")
        answers = [await line.get("/a", here), await line.get(f"http://{here}/a", here)]

    assert [answer.status for answer in answers] == [200, 200]
    assert world.plain.tokens == [None, None]


async def test_http2_request_gets_a_token_from_an_http2_api(world: World) -> None:
    """D16."""
    async with dial(world.proxy.port) as line:
        await tunnel(line, world, world.http2.port, "localhost", "h2")
        answer = await line.ask_http2(*fields(f"localhost:{world.http2.port}"))

    assert answer.status == 200
    assert world.http2.all("authorization") == ["Bearer t1"]


async def test_http2_request_gets_a_token_from_an_http1_api(world: World) -> None:
    """D16."""
    async with dial(world.proxy.port) as line:
        await tunnel(line, world, world.tls.port, "localhost", "h2", "http/1.1")
        answer = await line.get("/a", f"localhost:{world.tls.port}")  # mitmproxy mirrors the API's ALPN

    assert answer.status == 200
    assert world.tls.tokens == ["Bearer t1"]


@pytest.mark.parametrize("name", ["evil.test", "localhost", "localhost:1"])
async def test_http2_request_is_refused_when_its_authority_differs(world: World, name: str) -> None:
    """D05."""
    async with dial(world.proxy.port) as line:
        await tunnel(line, world, world.http2.port, "localhost", "h2")
        answer = await line.ask_http2(*fields(name))

    assert (answer.status, answer.reason) == (421, "destination_mismatch")
    assert world.http2.seen == []


async def test_http2_request_is_refused_when_the_server_name_differs(world: World) -> None:
    """D05."""
    async with dial(world.proxy.port) as line:
        await tunnel(line, world, world.http2.port, "evil.test", "h2")
        answer = await line.ask_http2(*fields(f"localhost:{world.http2.port}"))

    assert (answer.status, answer.reason) == (421, "destination_mismatch")
    assert world.http2.seen == []


async def test_http2_request_without_authority_is_refused_when_its_host_differs(world: World) -> None:
    async with dial(world.proxy.port) as line:
        await tunnel(line, world, world.http2.port, "localhost", "h2")
        answer = await line.ask_http2(
            (":method", "GET"), (":scheme", "https"), (":path", "/a"), ("host", "evil.test")
        )

    assert (answer.status, answer.reason) == (421, "destination_mismatch")
    assert world.http2.seen == []


async def test_http2_request_is_refused_when_its_method_holds_a_path(world: World) -> None:
    _, *rest = fields(f"localhost:{world.http2.port}")

    async with dial(world.proxy.port) as line:
        await tunnel(line, world, world.http2.port, "localhost", "h2")
        answer = await line.ask_http2((":method", "GET /admin"), *rest)

    assert (answer.status, answer.reason) == (405, "method_refused")
    assert world.http2.seen == []


async def test_server_name_of_the_proxy_is_not_compared(world: World) -> None:
    plain, secure = f"localhost:{world.plain.port}", f"localhost:{world.tls.port}"

    async with dial(world.proxy.port) as line:
        await line.tls(world.proxy.ca, "proxy.test")
        answers = [await line.get(f"http://{plain}/a", plain), await line.get(f"https://{secure}/a", secure)]
    async with dial(world.proxy.port) as line:
        await line.tls(world.proxy.ca, "proxy.test")
        await line.connect(plain)
        answers.append(await line.get("/a", plain))

    assert [answer.status for answer in answers] == [200] * 3
    assert world.plain.tokens + world.tls.tokens == ["Bearer t1"] * 3


async def test_server_name_of_the_proxy_does_not_make_a_tunnel_ruled(world: World) -> None:
    here = f"localhost:{world.plain.port}"

    async with dial(world.proxy.port) as line:
        await line.tls(world.proxy.ca, "localhost")
        await line.connect(f"127.0.0.1:{world.plain.port}")
        answer = await line.get("/a", here)

    assert answer.status == 200
    assert world.plain.tokens == [None]


def fields(authority: str, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """A GET in HTTP/2."""
    return ((":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", "/a"), *more)
