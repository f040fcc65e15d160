"""The store on a real Redis: alone, as a cluster, behind a sentinel; with users, with TLS."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import ClientTls, RedisSpec, SentinelSpec
from tests.services.redis_server import TlsFiles, redis_cluster, redis_server, watched_redis
from tests.services.redis_store import PASSWORD, at, two

pytestmark = pytest.mark.anyio
RIGHTS = "resetkeys ~clientcreds:* -@all +get +set +del +pttl +eval"
SENTINEL_RIGHTS = "-@all +sentinel|masters"
CLUSTER_RIGHTS = "+cluster|slots +command"


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
