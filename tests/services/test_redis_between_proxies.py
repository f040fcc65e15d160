"""Eight proxies and one Redis: one token request for all of them, also when one of them dies over it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from tests.proxy.harness import PATIENCE, Proxy, mitmdump
from tests.services.redis_server import RedisServer, redis_server
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio
PROXIES = 8
TIMEOUT_SECONDS = 2  # of a token request: its lock lasts a second longer
CLIENT_ID, CLIENT_SECRET, TOKEN = "client-of-this-test", "secret-of-this-test", "token-of-this-test-"
STORE_SECRET = "store-secret-of-this-test"
NAMES = ("cold", "dies", "rejected", "fails")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The path /NAME of the API wants a token of the source NAME."""

    redis: RedisServer
    api: Api
    idps: dict[str, AuthorizationServer]
    proxies: list[Proxy]  # those that live

    async def connections(self) -> set[str]:
        """The numbers that Redis gave to those it has, redis-cli's own among them."""
        return set(re.findall(r"^id=(\d+)", await self.redis.say("client", "list"), re.MULTILINE))

    async def get(self, proxy: Proxy, name: str) -> int:
        async with proxy.client() as client:
            return (await client.get(f"http://localhost:{self.api.port}/{name}")).status_code

    def tokens(self, name: str) -> set[str | None]:
        """That the API has seen."""
        return {seen.one("authorization") for seen in self.api.seen if seen.target == f"/{name}"}


@pytest.fixture(scope="module")
async def fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(redis_server(folder))
        api = await stack.enter_async_context(Api().running())
        idps = {}
        for name in NAMES:
            idp = AuthorizationServer(
                client_id=CLIENT_ID, client_secret=CLIENT_SECRET, token_prefix=f"{TOKEN}{name}-"
            )
            idps[name] = await stack.enter_async_context(idp.running())
        rules = _rules(redis, api, idps)
        proxies = []
        for number in range(PROXIES):
            own = folder / f"proxy-{number}"
            own.mkdir()
            environ = {"STORE_SECRET": STORE_SECRET, "CLIENT_SECRET": CLIENT_SECRET}
            proxies.append(await stack.enter_async_context(mitmdump(rules, folder=own, environ=environ)))
        yield Fleet(redis=redis, api=api, idps=idps, proxies=proxies)
    for word in ("Traceback", "Unclosed", "never retrieved", "was destroyed"):
        assert not any(word in proxy.output for proxy in proxies), word


def _rules(redis: RedisServer, api: Api, idps: dict[str, AuthorizationServer]) -> str:
    sources, rules = "", ""
    for name, idp in idps.items():
        client = f"client: {{timeout_seconds: {TIMEOUT_SECONDS}, max_retries: 0}}"
        own = f'token_url: "{idp.token_url}", client_id: {CLIENT_ID}, client_secret: "${{env:CLIENT_SECRET}}"'
        sources += f"  {name}: {{{own}, store: shared, {client}}}\n"
        match = f"{{host: localhost, port: {api.port}, path: /{name}}}"
        rules += f"  - {{name: {name}, match: {match}, token_source: {name}}}\n"
    store = f'{{redis: {{endpoints: ["{redis.address}"]}}, secret: "${{env:STORE_SECRET}}"}}'
    return (
        "version: 1\nlog: {format: json, level: debug}\nstatus: null\n"
        f"stores: {{shared: {store}}}\ntoken_sources:\n{sources}rules:\n{rules}"
    )


async def test_cold_proxies_make_one_token_request(fleet: Fleet) -> None:
    fleet.idps["cold"].wait_seconds = 0.5

    statuses = await asyncio.gather(*(fleet.get(proxy, "cold") for proxy in fleet.proxies))

    assert statuses == [200] * len(fleet.proxies)
    assert len(fleet.idps["cold"].seen) == 1
    assert fleet.tokens("cold") == {f"Bearer {TOKEN}cold-1"}


async def test_redis_shows_no_token_no_client_and_no_secret(fleet: Fleet) -> None:
    await fleet.get(fleet.proxies[0], "cold")

    names = await fleet.redis.keys()
    shown = "\n".join([*names, *[await fleet.redis.say("get", name) for name in names]])

    assert names
    assert all(name.startswith("clientcreds:{") for name in names)
    for word in (CLIENT_ID, CLIENT_SECRET, TOKEN, STORE_SECRET, "localhost", "cold"):
        assert word not in shown


async def test_configuration_that_leaves_the_store_as_it_is_leaves_its_connections(fleet: Fleet) -> None:
    proxy = fleet.proxies[0]
    path = proxy.confdir.parent / "proxy-0" / "rules.yaml"
    before = await fleet.connections()

    path.write_text(path.read_text() + "unmatched: block\n")
    await proxy.said("the rules are those of", times=2)
    await fleet.get(proxy, "cold")

    assert len(before - await fleet.connections()) <= 1, "but that of redis-cli"
    assert len(before) > len(fleet.proxies)
    assert len(fleet.idps["cold"].seen) == 1


async def test_log_says_who_fetched_and_who_took(fleet: Fleet) -> None:
    await fleet.get(fleet.proxies[0], "cold")

    said = [line for proxy in fleet.proxies for line in proxy.lines if '"token_source": "cold"' in line]

    assert sum('"token fetched"' in line for line in said) <= 1
    assert not any(STORE_SECRET in proxy.output or TOKEN in proxy.output for proxy in fleet.proxies)


async def test_token_that_one_api_call_shows_to_be_dead_is_replaced_for_all(fleet: Fleet) -> None:
    first, *others = fleet.proxies
    await asyncio.gather(*(fleet.get(proxy, "rejected") for proxy in fleet.proxies))
    fleet.api.unauthorized.add(f"Bearer {TOKEN}rejected-1")

    assert await fleet.get(first, "rejected") == 200
    assert await asyncio.gather(*(fleet.get(proxy, "rejected") for proxy in others)) == [200] * len(others)

    assert len(fleet.idps["rejected"].seen) == 2


async def test_refusal_reaches_all_proxies_within_the_time_of_one_request(fleet: Fleet) -> None:
    """Those that waited for the one that asked do not wait for each other."""
    fleet.idps["fails"].silent = True
    begin = asyncio.get_running_loop().time()

    statuses = await asyncio.gather(*(fleet.get(proxy, "fails") for proxy in fleet.proxies))

    assert statuses == [504] * len(fleet.proxies)
    assert asyncio.get_running_loop().time() - begin < 3 * TIMEOUT_SECONDS + 2


async def test_proxy_that_dies_over_its_token_request_is_succeeded_by_one(fleet: Fleet) -> None:
    first, others = fleet.proxies.pop(), fleet.proxies
    idp = fleet.idps["dies"]
    idp.wait_seconds = 60
    dying = asyncio.ensure_future(fleet.get(first, "dies"))
    async with asyncio.timeout(PATIENCE):
        while not idp.seen:  # noqa: ASYNC110 - the simulator tells nobody
            await asyncio.sleep(0.01)
    idp.wait_seconds = 0

    first.process.kill()
    statuses = await asyncio.gather(*(fleet.get(proxy, "dies") for proxy in others))
    await asyncio.wait((dying,))

    assert dying.exception() is not None
    assert statuses == [200] * len(others)
    assert len(idp.seen) == 2
    assert fleet.tokens("dies") == {f"Bearer {TOKEN}dies-2"}
