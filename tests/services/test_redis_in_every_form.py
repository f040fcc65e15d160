"""The store on a real Redis: alone, a cluster, behind a sentinel, with users, with TLS; and its failures."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.clock import SystemClock
from clientcreds_proxy.tokens.model import ClientTls, RedisSpec, SentinelSpec, StoreSpec, Token
from clientcreds_proxy.tokens.record import Seal
from clientcreds_proxy.tokens.redis import RedisBackend
from clientcreds_proxy.tokens.store import StoreEvent, TokenStore, Wanted
from tests.services.conftest import PATIENCE
from tests.services.redis_server import RedisServer, TlsFiles, redis_cluster, redis_server, watched_redis

pytestmark = pytest.mark.anyio
SECRET = Secret("made up, 16 or more")
PASSWORD = "made-up-for-redis"
RIGHTS = "resetkeys ~clientcreds:* -@all +get +set +del +pttl +eval"
SENTINEL_RIGHTS = "-@all +sentinel|masters"
CLUSTER_RIGHTS = "+cluster|slots +command"


@dataclass
class Tokens:
    """An authorization server behind the fetch port."""

    requests: int = 0
    lifetime: float | None = 3600

    async def fetch(self) -> Token:
        self.requests += 1
        value = Secret(f"token-{self.requests}")
        return Token(value=value, lifetime=self.lifetime, requested=SystemClock().now())


@dataclass
class Process:
    """What one process has of a store."""

    spec: RedisSpec
    tokens: Tokens
    secrets: tuple[Secret, ...] = (SECRET,)
    events: list[StoreEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        spec = StoreSpec(name="shared", redis=self.spec, secrets=self.secrets)
        self.store = TokenStore(spec, RedisBackend(self.spec), clock=SystemClock(), tell=self.events.append)

    async def token(self, key: str = "k", replacing: Token | None = None) -> str:
        return (await self.obtained(key, replacing)).value.reveal()

    async def obtained(self, key: str = "k", replacing: Token | None = None) -> Token:
        wanted = Wanted(key=key, skew_seconds=10, timeout_seconds=2, replacing=replacing)
        return await self.store.token(wanted, self.tokens.fetch)

    async def told(self, *changes: str) -> None:
        """Wait until these changes, and no others, have been told."""
        async with asyncio.timeout(PATIENCE):
            while [event.change for event in self.events] != list(changes):  # noqa: ASYNC110 - it tells the log
                await asyncio.sleep(0.01)


@asynccontextmanager
async def two(spec: RedisSpec, *secrets: Secret) -> AsyncIterator[tuple[Process, Process, Tokens]]:
    tokens = Tokens()
    first, second = (Process(spec, tokens, secrets or (SECRET,)) for _ in range(2))
    try:
        yield first, second, tokens
    finally:
        await first.store.aclose()
        await second.store.aclose()


def at(*servers: RedisServer, **more: Any) -> RedisSpec:
    return RedisSpec(endpoints=tuple(("127.0.0.1", server.port) for server in servers), **more)


async def share(spec: RedisSpec) -> None:
    """Assert that two processes do, in all they ask of a store."""
    async with two(spec) as (first, second, tokens):
        for number in range(20):  # over all nodes of a cluster
            await first.token(f"k{number}")
            await second.token(f"k{number}")
        assert first.events == second.events == []
        assert tokens.requests == 20
        old = await first.obtained("k0")
        assert await first.token("k0", replacing=old) == await second.token("k0", replacing=old)
        new = await second.obtained("k0")
        first.store.drop("k0", old)
        assert (await first.obtained("k0")).value == new.value
        first.store.forget("k0")
        assert (await first.obtained("k0")).value != new.value
        assert first.events == second.events == []


async def test_redis_alone(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as server:
        await share(at(server))


async def test_redis_with_a_database(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as server:
        await share(at(server, database=5))

        assert len((await server.say("-n", "5", "--scan")).split()) == 20
        assert await server.keys() == []


async def test_redis_with_a_user_who_may_do_what_the_manual_says_and_no_more(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as server:
        await server.say("acl", "setuser", "clientcreds", "on", f">{PASSWORD}", *RIGHTS.split())

        await share(at(server, username="clientcreds", password=Secret(PASSWORD)))


async def test_redis_with_a_password_alone(tmp_path: Path) -> None:
    cli = ("-a", PASSWORD, "--no-auth-warning")
    async with redis_server(tmp_path, "--requirepass", PASSWORD, cli=cli) as server:
        await share(at(server, password=Secret(PASSWORD)))


async def test_redis_cluster(tmp_path: Path) -> None:
    async with redis_cluster(tmp_path) as nodes:
        for node in nodes:
            rights = (*RIGHTS.split(), *CLUSTER_RIGHTS.split())
            await node.say("acl", "setuser", "clientcreds", "on", f">{PASSWORD}", *rights)
        spec = at(*nodes[:2], cluster=True, username="clientcreds", password=Secret(PASSWORD))

        await share(dataclasses.replace(spec, endpoints=(("127.0.0.1", 1), *spec.endpoints)))

        assert all([await node.keys() for node in nodes]), "each node has some of the tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """Certificates of one authority: the servers' as files, ours as text."""

    files: TlsFiles
    ours: ClientTls


@pytest.fixture
def secured(tmp_path: Path) -> Secured:
    authority = trustme.CA()
    own, ours = authority.issue_cert("127.0.0.1"), authority.issue_cert("proxy@example.com")
    files = TlsFiles(**{name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key")})
    authority.cert_pem.write_to_path(files.ca)
    own.cert_chain_pems[0].write_to_path(files.cert)
    own.private_key_pem.write_to_path(files.key)
    return Secured(
        files=files,
        ours=ClientTls(
            ca=authority.cert_pem.bytes().decode(),
            cert=ours.cert_chain_pems[0].bytes().decode(),
            key=Secret(ours.private_key_pem.bytes().decode()),
        ),
    )


async def test_redis_over_tls_with_a_client_certificate(secured: Secured, tmp_path: Path) -> None:
    async with redis_server(tmp_path, tls=secured.files) as server:
        await share(at(server, tls=secured.ours))


async def test_redis_over_tls_is_verified(secured: Secured, tmp_path: Path) -> None:
    wary = dataclasses.replace(secured.ours, ca=None)
    async with (
        redis_server(tmp_path, tls=secured.files) as server,
        two(at(server, tls=wary)) as (first, _, _),
    ):
        assert await first.token() == "token-1"

        (event,) = first.events
        assert event.why is not None
        assert event.why.startswith("no connection: its certificate is not trusted, ")


async def test_redis_over_tls_can_be_left_unverified(secured: Secured, tmp_path: Path) -> None:
    blind = dataclasses.replace(secured.ours, ca=None, insecure_skip_verify=True)
    async with redis_server(tmp_path, tls=secured.files) as server:
        await share(at(server, tls=blind))


async def test_redis_cluster_over_tls(secured: Secured, tmp_path: Path) -> None:
    async with redis_cluster(tmp_path, tls=secured.files) as nodes:
        await share(at(nodes[0], cluster=True, tls=secured.ours))


async def test_sentinel_over_tls(secured: Secured, tmp_path: Path) -> None:
    async with watched_redis(tmp_path, password=PASSWORD, tls=secured.files) as redis:
        named = SentinelSpec(master_set="main", password=Secret(PASSWORD))
        await share(at(redis.sentinel, password=Secret(PASSWORD), sentinel=named, tls=secured.ours))


async def test_sentinel_leads_to_the_new_master(tmp_path: Path) -> None:
    async with watched_redis(tmp_path, password=PASSWORD) as redis:
        await redis.sentinel.say("acl", "setuser", "proxy", "on", f">{PASSWORD}", *SENTINEL_RIGHTS.split())
        named = SentinelSpec(master_set="main", username="proxy", password=Secret(PASSWORD))
        spec = at(redis.sentinel, password=Secret(PASSWORD), sentinel=named)
        await share(spec)
        async with two(spec) as (first, second, tokens):
            await first.token("before")

            await redis.master.kill()
            assert await first.token("while it is gone") == "token-2"
            await first.told("down", "up")

            assert await first.token("after") == await second.token("after") == "token-3"
            assert tokens.requests == 3


async def test_sentinel_that_knows_no_such_master_is_said(tmp_path: Path) -> None:
    async with watched_redis(tmp_path, password=PASSWORD) as redis:
        named = SentinelSpec(master_set="mian", password=Secret(PASSWORD))
        async with two(at(redis.sentinel, sentinel=named)) as (process, _, _):
            await process.token()

            assert process.events[0].why == "no sentinel answers that knows a master of this name"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "it refuses username and password"),
        ({"username": "clientcreds", "password": Secret("wrong")}, "it refuses username and password"),
        (
            {"username": "reader", "password": Secret(PASSWORD)},
            "its user may not do what is needed; docs/stores.md names the rights",
        ),
    ],
)
async def test_credentials_that_do_not_do_are_said(given: Any, why: str, tmp_path: Path) -> None:
    async with redis_server(tmp_path) as server:
        await server.say("acl", "setuser", "reader", "on", f">{PASSWORD}", "~*", "-@all", "+get")
        await server.say("acl", "setuser", "default", "off")
        async with two(at(server, **given)) as (process, _, tokens):
            assert await process.token() == "token-1"

            assert [(event.change, event.why) for event in process.events] == [("down", why)]
            assert tokens.requests == 1


async def test_tls_to_a_port_without_it_is_said(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as server, two(at(server, tls=ClientTls())) as (process, _, _):
        await process.token()

        (event,) = process.events
        assert event.why is not None
        assert event.why.startswith(("no connection: TLS failed", "no answer"))


async def test_name_that_can_not_be_resolved_is_said() -> None:
    spec = RedisSpec(endpoints=(("nowhere.invalid", 6379),))
    async with two(spec) as (process, _, _):
        await process.token()

        (event,) = process.events
        assert event.why in ("no connection: the name can't be resolved", "no answer within 200 ms")


async def test_server_that_is_not_redis_is_said() -> None:
    def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with two(RedisSpec(endpoints=((host, port),))) as (process, _, _):
            await process.token()

            assert [event.why for event in process.events] == ["what answers there is not Redis"]


async def test_redis_that_is_not_there_costs_nothing_and_is_used_once_it_is(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as server, two(at(server)) as (first, second, tokens):
        await server.kill()
        begin = asyncio.get_running_loop().time()
        assert await first.token() == "token-1"
        assert asyncio.get_running_loop().time() - begin < 1
        assert [event.why for event in first.events] == ["no connection: refused"]

        await server.start()
        await first.told("down", "up")

        assert await first.token() == await second.token() == "token-2"
        assert tokens.requests == 2


async def test_redis_that_falls_silent_costs_one_short_wait(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as server, two(at(server)) as (first, second, _):
        await first.token()
        server.silence()
        begin = asyncio.get_running_loop().time()
        for number in range(10):
            await first.token(f"k{number}")
        assert asyncio.get_running_loop().time() - begin < 1
        assert [event.why for event in first.events] == ["no answer within 200 ms"]

        server.speak()
        await first.told("down", "up")

        assert await first.token("after") == await second.token("after")


async def test_many_keys_at_once_are_no_failure(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as server, two(at(server)) as (first, second, tokens):
        keys = [f"k{number}" for number in range(200)]

        await asyncio.gather(*(process.token(key) for process in (first, second) for key in keys))

        assert first.events == second.events == []
        assert tokens.requests == 200


async def test_record_elsewhere_or_changed_or_foreign_is_a_miss(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as server, two(at(server)) as (first, second, tokens):
        seal = Seal(SECRET, prefix="clientcreds")
        await first.token("k")
        await server.say("copy", seal.name("k"), seal.name("moved"))
        await server.say("copy", seal.name("k"), seal.name("flipped"))
        await server.say("setbit", seal.name("flipped"), "400", "1")
        await server.say("setbit", seal.name("flipped"), "401", "0")
        await server.say("set", seal.name("foreign"), "token-1")
        await server.say("set", seal.name("empty"), "")
        await server.say("rpush", seal.name("list"), "token-1")

        for key in ("moved", "flipped", "foreign", "empty", "list"):
            before = tokens.requests
            assert await second.token(key) == f"token-{before + 1}", key
            assert await first.token(key) == f"token-{before + 1}", key  # and is written over


async def test_another_secret_finds_nothing(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as server, two(at(server)) as (first, _, _):
        await first.token()
        async with two(at(server), Secret("another, 16 or more")) as (stranger, _, tokens):
            await stranger.token()

            assert tokens.requests == 1
            assert stranger.events == []


async def test_exchanging_the_secret_needs_no_token_request(tmp_path: Path) -> None:
    new = Secret("another, 16 or more")
    async with redis_server(tmp_path) as server, two(at(server)) as (first, _, tokens):
        await first.token()
        async with two(at(server), new, SECRET) as (step_two, _, _):
            assert await step_two.token() == "token-1"
        assert tokens.requests == 1


async def test_lock_of_a_dead_holder_ends(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as server, two(at(server)) as (first, second, tokens):
        name = Seal(SECRET, prefix="clientcreds").name("k")
        await server.say("set", f"{name}:lock", "dead", "px", "500")

        assert set(await asyncio.gather(first.token(), second.token())) == {"token-1"}
        assert tokens.requests == 1
        assert await server.keys() == [name]


async def test_holder_that_was_stopped_can_not_overwrite_a_newer_token(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as server, two(at(server)) as (first, second, tokens):
        name = Seal(SECRET, prefix="clientcreds").name("k")
        stopped = asyncio.Event()

        async def late() -> Token:
            await stopped.wait()
            return dataclasses.replace(await Tokens().fetch(), value=Secret("late"))

        wanted = Wanted(key="k", skew_seconds=10, timeout_seconds=2, replacing=None)
        waiting = asyncio.ensure_future(first.store.token(wanted, late))
        async with asyncio.timeout(PATIENCE):
            while not await server.keys():
                pass
        await server.say("del", f"{name}:lock")  # as if its time were over
        assert await second.token() == "token-1"

        stopped.set()

        assert (await waiting).value.reveal() == "late"
        assert await second.token() == "token-1"
        assert tokens.requests == 1


async def test_record_goes_with_its_token(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as server, two(at(server)) as (first, _, tokens):
        await first.token("hour")
        tokens.lifetime = None
        await first.token("endless")

        seal = Seal(SECRET, prefix="clientcreds")
        assert 3590 < int(await server.say("ttl", seal.name("hour"))) <= 3600
        assert 86_390 < int(await server.say("ttl", seal.name("endless"))) <= 86_400
