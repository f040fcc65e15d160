"""Section 3.4: what may not go on to a ruled host, and bytes that go on as they came."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.proxy.harness import Proxy, mitmdump
from tests.proxy.lines import dial
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One proxy and one API, ruled as `localhost`."""

    proxy: Proxy
    api: Api

    @property
    def here(self) -> str:
        """The API's host and port."""
        return f"localhost:{self.api.port}"


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """What all tests of this module use."""
    folder = tmp_path_factory.mktemp("paths") / "proxy"
    folder.mkdir()
    async with (
        AuthorizationServer().running() as idp,
        Api().running() as api,
        mitmdump(RULES.format(token_url=idp.token_url, port=api.port), folder=folder) as proxy,
    ):
        yield World(proxy=proxy, api=api)


RULES = """
version: 1
token_sources:
  idp: {{token_url: "{token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - name: slash
    match: {{host: localhost, port: {port}, path: "/slash/*"}}
    token_source: idp
    allow_encoded_slash: true
  - name: empty
    match: {{host: localhost, port: {port}, path: "/empty/**"}}
    token_source: idp
    allow_empty_segments: true
  - name: admin
    match: {{host: localhost, port: {port}, path: "/admin/**"}}
    token_source: idp
"""


@pytest.fixture
def world(shared: World) -> World:
    """With no request seen yet."""
    shared.api.seen.clear()
    return shared


@pytest.mark.parametrize(
    "path",
    [
        "/admin/../x",
        "/admin/./x",
        "/admin/..",
        "/x/%2e%2E/admin",
        "/admin/.%2e/x",
        "/admin//x",
        "//admin",
        "/admin/a%2fb",
        "/admin/a%5Cb",
        "/admin/a\\b",
        "/admin/%00",
        "/admin/%0d%0aX",
        "/admin/..;/x",
        "/other/%2e/x",
        "/slash/a%2f%2e%2e",
        "/slash/a//b",
        "/slash/a%5cb",
        "/empty/a%2fb",
        "/empty//..",
    ],
)
async def test_ambiguous_path_is_refused(world: World, path: str) -> None:
    async with dial(world.proxy.port) as line:
        absolute = await line.get(f"http://{world.here}{path}", world.here)
    async with dial(world.proxy.port) as line:
        await line.connect(world.here)
        inside = await line.get(path, world.here)

    assert [(each.status, each.reason) for each in (absolute, inside)] == [(400, "ambiguous_path")] * 2
    assert world.api.seen == []


@pytest.mark.parametrize(
    "target",
    [
        "/admin/%41%2d%7Eb;v=1/?a=%2f/../b&c//d",
        "/admin/%C3%BC%3f/",
        "/slash/group%2Fproject",
        "/slash/%2f",
        "/empty//a///",
        "/admin?..",
        "/%61dmin/x",
    ],
)
async def test_path_goes_on_as_it_came(world: World, target: str) -> None:
    async with dial(world.proxy.port) as line:
        answer = await line.get(f"http://{world.here}{target}", world.here)

    assert answer.status == 200
    assert [request.target for request in world.api.seen] == [target]
    assert world.api.tokens == ["Bearer t1"]


async def test_path_outside_ascii_goes_on_as_it_came(world: World) -> None:
    request = f"GET /admin/ü HTTP/1.1\r\nHost: {world.here}\r\n\r\n".encode()

    async with dial(world.proxy.port) as line:  # mitmproxy takes it in origin form only
        await line.connect(world.here)
        answer = await line.ask(request)

    assert answer.status == 200
    assert world.api.seen[0].head.startswith("GET /admin/ü HTTP/1.1\r\n".encode())
    assert world.api.tokens == ["Bearer t1"]


@pytest.mark.parametrize("method", ["TRACE", "trace", "Trace"])
async def test_trace_is_refused(world: World, method: str) -> None:
    async with dial(world.proxy.port) as line:
        answers = [
            await line.ask(f"{method} http://{world.here}{path} HTTP/1.1\r\nHost: {world.here}\r\n\r\n")
            for path in ("/admin/x", "/other")
        ]

    assert [(answer.status, answer.reason) for answer in answers] == [(405, "method_refused")] * 2
    assert world.api.seen == []


async def test_host_without_a_rule_gets_every_path_and_method(world: World) -> None:
    elsewhere = f"127.0.0.1:{world.api.port}"

    async with dial(world.proxy.port) as line:
        for path in ("/a/../b", "//", "/%2f%5c"):
            await line.get(f"http://{elsewhere}{path}", elsewhere)
        await line.ask(f"TRACE http://{elsewhere}/t HTTP/1.1\r\nHost: {elsewhere}\r\n\r\n")

    assert [request.target for request in world.api.seen] == ["/a/../b", "//", "/%2f%5c", "/t"]
