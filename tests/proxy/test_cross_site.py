"""Section 3.9: a page of another site must not use the proxy's authority."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.proxy.harness import Proxy, mitmdump
from tests.proxy.lines import Answer, dial
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio

CROSS = "Sec-Fetch-Site: cross-site"
ORIGIN = "Origin: https://page.test"


def rules(idp: AuthorizationServer, plain: int, tls: int) -> str:
    """Rules with and without `allow_cross_site`, and one that upgrades."""
    return f"""
version: 1
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - name: strict
    match: {{host: localhost, port: {plain}, path: /strict}}
    token_source: idp
  - name: denied
    match: {{host: localhost, port: {plain}, path: /denied}}
    token_source: idp
    allowed_clients: [10.0.0.0/8]
  - name: open
    match: {{host: localhost, port: {plain}, path: /open, methods: [PUT, GET]}}
    token_source: idp
    attach: {{when_present: refuse}}
    allow_cross_site: true
  - name: upgraded
    match: {{host: localhost, port: {tls}, path: /up}}
    token_source: idp
    upgrade_to_https: true
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One proxy and two APIs."""

    proxy: Proxy
    api: Api
    tls_api: Api


@pytest.fixture(scope="module")
async def shared(
    authority: trustme.CA, trusted: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """What all tests of this module use."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    folder = tmp_path_factory.mktemp("cross-site") / "proxy"
    folder.mkdir()
    option = f"ssl_verify_upstream_trusted_ca={trusted}"
    async with (
        AuthorizationServer().running() as idp,
        Api(unauthorized={"own"}).running() as api,
        Api().running(tls) as tls_api,
        mitmdump(rules(idp, api.port, tls_api.port), "--set", option, folder=folder) as proxy,
    ):
        yield World(proxy=proxy, api=api, tls_api=tls_api)


@pytest.fixture
def world(shared: World) -> World:
    """With no request seen yet."""
    shared.api.seen.clear()
    shared.tls_api.seen.clear()
    return shared


async def test_cross_site_request_is_refused_before_any_other_check(world: World) -> None:
    here = f"localhost:{world.api.port}"
    trace = f"TRACE http://{here}/strict HTTP/1.1\r\nHost: {here}\r\n{CROSS}\r\n\r\n"

    async with dial(world.proxy.port) as line:
        answers = [
            await line.get(f"http://{here}{target}", here, CROSS)
            for target in ("/strict", "/other", "/denied", "/strict/../x")
        ]
        answers += [
            await line.get(f"http://{here}/strict", "evil.test", CROSS),
            await line.get(f"http://{here}/strict", here, "sec-fetch-site:Cross-Site"),
            await line.ask(trace),
        ]

    assert [(answer.status, answer.reason) for answer in answers] == [(403, "cross_site")] * 7
    assert all("allow_cross_site" in str(answer.problem["detail"]) for answer in answers)
    assert answers[0].problem["rule"] == "strict"
    assert world.api.seen == []


async def test_request_that_is_not_cross_site_passes(world: World) -> None:
    here, elsewhere = f"localhost:{world.api.port}", f"127.0.0.1:{world.api.port}"

    async with dial(world.proxy.port) as line:
        answers = [
            await line.get(f"http://{here}/strict", here, f"Sec-Fetch-Site: {site}", ORIGIN)
            for site in ("same-origin", "same-site", "none")
        ]
        answers += [
            await line.get(f"http://{elsewhere}/strict", elsewhere, CROSS),
            await line.get(f"http://{here}/open", here, CROSS, ORIGIN),
        ]

    assert [answer.status for answer in answers] == [200] * 5
    assert world.api.tokens == ["Bearer t1"] * 3 + [None, "Bearer t1"]


async def test_preflight_is_matched_by_the_method_it_asks_for(world: World) -> None:
    here = f"localhost:{world.api.port}"

    async def preflight(path: str, method: str, *headers: str) -> Answer:
        lines = [f"OPTIONS http://{here}{path} HTTP/1.1", f"Host: {here}", CROSS, ORIGIN]
        lines += [f"Access-Control-Request-Method: {method}", *headers]
        return await line.ask("\r\n".join(lines) + "\r\n\r\n")

    async with dial(world.proxy.port) as line:
        allowed = await preflight("/open", "PUT", "Authorization: another")
        other_method = await preflight("/open", "DELETE")
        strict = await preflight("/strict", "GET")

    assert allowed.status == 200
    assert [(each.status, each.reason) for each in (other_method, strict)] == [(403, "cross_site")] * 2
    assert [(request.method, request.target) for request in world.api.seen] == [("OPTIONS", "/open")]
    assert world.api.tokens == ["another"]


async def test_401_to_a_preflight_is_passed_on(world: World) -> None:
    here = f"localhost:{world.api.port}"

    async with dial(world.proxy.port) as line:
        answer = await line.ask(
            f"OPTIONS http://{here}/open HTTP/1.1\r\nHost: {here}\r\n{ORIGIN}\r\nAuthorization: own\r\n"
            "Access-Control-Request-Method: GET\r\n\r\n"
        )

    assert answer.status == 401
    assert len(world.api.seen) == 1


async def test_foreign_origin_is_refused_where_a_request_is_upgraded(world: World) -> None:
    here = f"localhost:{world.tls_api.port}"

    async with dial(world.proxy.port) as line:
        foreign = [
            await line.get(f"http://{here}/up", here, f"Origin: {origin}")
            for origin in ("https://page.test", "http://127.0.0.1", "null", "")
        ]
        own = [
            await line.get(f"http://{here}/up", here, *headers)
            for headers in ((f"Origin: http://{here}",), ("Origin: https://LOCALHOST",), ())
        ]

    assert [(answer.status, answer.reason) for answer in foreign] == [(403, "cross_site")] * 4
    assert [answer.status for answer in own] == [200] * 3
    assert world.tls_api.tokens == ["Bearer t1"] * 3
