"""Sections 3.1 to 3.3 for hosts that are not loopback: a parent proxy knows where they are."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.proxy.harness import Proxy, mitmdump
from tests.proxy.lines import dial
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer
from tests.simulators.parent_proxy import ParentProxy

pytestmark = pytest.mark.anyio

NAMES = ("api.test", "up.test", "xn--p-dha.test", "deep.wild.test", "xn--bcher-kva.test", "unruled.test")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One proxy behind another, and two APIs, with certificates for all `NAMES` and for `other.test`."""

    proxy: Proxy
    parent: ParentProxy
    api: Api
    other: Api

    def forget(self) -> None:
        """Forget the requests of the test before."""
        for server in (self.parent, self.api, self.other):
            server.seen.clear()


@pytest.fixture(scope="module")
async def shared(
    authority: trustme.CA, trusted: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """What all tests of this module use."""
    tls, wrong = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*NAMES).configure_cert(tls)
    authority.issue_cert("other.test").configure_cert(wrong)
    folder = tmp_path_factory.mktemp("named") / "proxy"
    folder.mkdir()
    async with (
        AuthorizationServer().running() as idp,
        Api().running(tls) as api,
        Api().running(wrong) as other,
        ParentProxy().running() as parent,
        mitmdump(
            RULES.format(token_url=idp.token_url),
            *("--mode", f"upstream:http://127.0.0.1:{parent.port}"),
            *("--set", f"ssl_verify_upstream_trusted_ca={trusted}"),
            folder=folder,
        ) as proxy,
    ):
        parent.routes |= {f"{name}:443": api.port for name in (*NAMES, "API.TEST.")}
        parent.routes |= {f"{name}:443": other.port for name in ("wrong.test", "up-wrong.test")}
        parent.routes |= {"up.test:8443": api.port}
        yield World(proxy=proxy, parent=parent, api=api, other=other)


RULES = """
version: 1
token_sources:
  idp: {{token_url: "{token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - name: api
    match: {{host: [api.test, wrong.test, bücher.test, "*.wild.test"], port: [443, 80]}}
    token_source: idp
  - name: upgraded
    match: {{host: [up.test, üp.test, up-wrong.test, "up.test:8443"]}}
    token_source: idp
    upgrade_to_https: true
  - name: plain
    match: {{host: plain.test, port: any}}
    token_source: idp
    allow_plain_http: true
"""


@pytest.fixture
def world(shared: World) -> World:
    """With no request seen yet."""
    shared.forget()
    return shared


@pytest.mark.parametrize(
    ("target", "name", "host"),
    [
        ("api.test:443", "api.test", "api.test"),
        ("api.test:443", "API.test", "Api.Test:443"),
        ("API.TEST.:443", "api.test", "api.test."),
        ("API.TEST.:443", "api.test", "api.test"),
        ("xn--bcher-kva.test:443", "xn--bcher-kva.test", "xn--bcher-kva.test"),
        ("xn--bcher-kva.test:443", "xn--bcher-kva.test", "BÜCHER.test"),
        ("deep.wild.test:443", "deep.wild.test", "deep.wild.test"),
    ],
)
async def test_host_is_one_however_it_is_written(world: World, target: str, name: str, host: str) -> None:
    async with dial(world.proxy.port) as line:
        await line.connect(target)
        await line.tls(world.proxy.ca, name)
        answer = await line.get("/a", host)

    assert answer.status == 200
    assert world.api.tokens == ["Bearer t1"]
    assert world.api.seen[0].one("host") == host.encode().decode("latin-1")


async def test_parent_proxy_sees_no_token_and_no_path_of_a_tunnel(world: World) -> None:
    async with dial(world.proxy.port) as line:
        await line.connect("api.test:443")
        await line.tls(world.proxy.ca, "api.test")
        await line.get("/a", "api.test")

    (request,) = world.parent.seen
    assert (request.method, request.target) == ("CONNECT", "api.test:443")
    assert [name for name, _ in request.headers] == ["Host"]


@pytest.mark.parametrize("name", ["other.test", "wrong.test", None])
async def test_certificate_is_verified_against_the_destination(world: World, name: str | None) -> None:
    async with dial(world.proxy.port) as line:
        await line.connect("wrong.test:443")
        await line.tls(world.proxy.ca, name)
        answer = await line.get("/a", "wrong.test")

    assert (answer.status, answer.reason) in [(502, None), (421, "destination_mismatch")]
    assert world.other.seen == []


async def test_host_without_a_rule_keeps_its_own_certificate(world: World, authority: trustme.CA) -> None:
    theirs = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())

    async with dial(world.proxy.port) as line:
        await line.connect("unruled.test:443")
        await line.tls(theirs, "unruled.test")
        answer = await line.get("/a", "api.test")

    assert answer.status == 200
    assert world.api.tokens == [None]


async def test_plain_http_gets_no_token(world: World) -> None:
    """D04."""
    async with dial(world.proxy.port) as line:
        answer = await line.get("http://api.test/a", "api.test")
    async with dial(world.proxy.port) as line:
        await line.connect("api.test:80")
        inside = await line.get("/a", "api.test")
    async with dial(world.proxy.port) as line:
        await line.connect("api.test:443")
        on_443 = await line.get("/a", "api.test:443")

    assert [each.reason for each in (answer, inside, on_443)] == ["plaintext_refused"] * 3
    assert {each.status for each in (answer, inside, on_443)} == {403}
    assert not any(request.all("authorization") for request in world.parent.seen)
    assert world.api.seen == []


async def test_plain_http_gets_a_token_when_the_rule_allows_it(world: World) -> None:
    async with dial(world.proxy.port) as line:
        answer = await line.get("http://plain.test:81/a?b", "plain.test:81", "Authorization: Basic own")

    assert answer.status == 200
    assert [request.target for request in world.parent.seen] == ["http://plain.test:81/a?b"]
    assert world.parent.seen[0].all("authorization") == ["Bearer t1"]


@pytest.mark.parametrize(
    ("target", "host", "wire"),
    [
        ("http://up.test/a?b", "up.test", "up.test"),
        ("http://up.test:80/a?b", "up.test:80", "up.test"),
        ("http://up.test:8443/a?b", "up.test:8443", "up.test:8443"),
        ("http://xn--p-dha.test/a?b", "xn--p-dha.test", "xn--p-dha.test"),
    ],
)
async def test_plain_request_is_upgraded_to_tls(world: World, target: str, host: str, wire: str) -> None:
    async with dial(world.proxy.port) as line:
        answer = await line.get(target, host)

    assert answer.status == 200
    assert world.api.seen[0].target == "/a?b"
    assert world.api.tokens == ["Bearer t1"]
    assert world.api.seen[0].one("host") == wire


async def test_plain_request_in_a_tunnel_is_upgraded_to_tls(world: World) -> None:
    async with dial(world.proxy.port) as line:
        await line.connect("up.test:80")
        answer = await line.get("/a", "up.test")

    assert answer.status == 200
    assert world.api.tokens == ["Bearer t1"]


async def test_upgraded_request_is_not_sent_when_the_certificate_is_wrong(world: World) -> None:
    async with dial(world.proxy.port) as line:
        answer = await line.get("http://up-wrong.test/a", "up-wrong.test")

    assert (answer.status, answer.reason) == (502, None)
    assert world.other.seen == []


async def test_upgraded_request_is_refused_when_its_host_header_differs(world: World) -> None:
    async with dial(world.proxy.port) as line:
        answers = [
            await line.get("http://up.test/a", host) for host in ("evil.test", "up.test:443", "api.test")
        ]

    assert [answer.reason for answer in answers] == ["destination_mismatch"] * 3
    assert world.api.seen == []


async def test_https_request_in_absolute_form_is_no_way_around(world: World) -> None:
    async with dial(world.proxy.port) as line:
        answers = [
            await line.get("https://api.test/a", host) for host in ("api.test", "evil.test", "api.test:80")
        ]

    assert [(answer.status, answer.reason) for answer in answers] == [
        (200, None),
        (421, "destination_mismatch"),
        (421, "destination_mismatch"),
    ]
    assert world.api.tokens == ["Bearer t1"]


@pytest.mark.parametrize("option", ["ssl_insecure=true", "validate_inbound_headers=false"])
async def test_token_is_refused_when_nothing_upstream_is_verified(
    tls_api: Api, idp: AuthorizationServer, trusted: Path, folder: Path, *, option: str
) -> None:
    rules = f"""
version: 1
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - name: far
    match: {{host: nowhere.invalid}}
    token_source: idp
  - name: far-upgraded
    match: {{host: up.invalid}}
    token_source: idp
    upgrade_to_https: true
  - name: near
    match: {{host: localhost, port: {tls_api.port}}}
    token_source: idp
"""
    options = ("--set", option, "--set", f"ssl_verify_upstream_trusted_ca={trusted}")
    async with mitmdump(rules, *options, folder=folder) as proxy:
        async with dial(proxy.port) as line:
            tunnel = await line.connect("nowhere.invalid:443")
            assert tunnel.status == 200
            await line.tls(proxy.ca, "nowhere.invalid")
            far = await line.get("/a", "nowhere.invalid")
        async with dial(proxy.port) as line:
            upgraded = await line.get("http://up.invalid/a", "up.invalid")
        async with dial(proxy.port) as line:
            await line.connect(f"localhost:{tls_api.port}")
            await line.tls(proxy.ca, "localhost")
            near = await line.get("/a", f"localhost:{tls_api.port}")

    assert (far.status, far.reason) == (502, "upstream_not_verified")
    assert (upgraded.status, upgraded.reason) == (502, "upstream_not_verified")
    assert near.status == 200
    assert tls_api.tokens == ["Bearer t1"]
    assert len(idp.seen) == 1
