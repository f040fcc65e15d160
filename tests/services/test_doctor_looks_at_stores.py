"""`doctor` and a real Redis."""

from pathlib import Path

import pytest

from clientcreds_proxy.cli.doctor.finding import Finding
from clientcreds_proxy.cli.doctor.stores import look_at_stores
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import RedisSpec, SourceSpec, StoreSpec
from tests.services.redis_server import redis_cluster, redis_server
from tests.services.redis_store import PASSWORD, at

pytestmark = pytest.mark.anyio


async def findings(redis: RedisSpec) -> list[Finding]:
    """About a store that two sources share."""
    store = StoreSpec(name="shared", redis=redis, secrets=(Secret("0123456789abcdef"),))
    sources = [
        SourceSpec(name=name, client_id="app", client_secrets=(), store=store) for name in ("one", "two")
    ]
    return [finding async for finding in look_at_stores(sources)]


async def test_store_that_can_be_used_is_ok(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as server:
        await server.say("acl", "setuser", "limited", "on", f">{PASSWORD}", "~clientcreds:*", "+get", "+set")
        await server.say("acl", "setuser", "limited", "+del", "+pttl", "+eval")

        found = await findings(at(server, username="limited", password=Secret(PASSWORD)))

        assert [(each.check, each.state) for each in found] == [("store", "ok")]
        assert await server.keys() == []


async def test_store_that_is_a_cluster_is_ok(tmp_path: Path) -> None:
    async with redis_cluster(tmp_path) as nodes:
        found = [await findings(at(*nodes, cluster=True)) for _ in range(5)]  # names in several nodes

    assert [each.state for (each,) in found] == ["ok"] * 5


async def test_store_that_can_not_be_used_is_told_with_the_reason(tmp_path: Path) -> None:
    async with redis_server(tmp_path) as server:
        await server.say("acl", "setuser", "reader", "on", f">{PASSWORD}", "~clientcreds:*", "+get", "+pttl")

        (reader,) = await findings(at(server, username="reader", password=Secret(PASSWORD)))
        (stranger,) = await findings(at(server, username="nobody", password=Secret(PASSWORD)))
        there = at(server)
    (gone,) = await findings(there)

    assert [each.state for each in (reader, stranger, gone)] == ["fail"] * 3
    assert "may not do what is needed" in reader.what
    assert "refuses username and password" in stranger.what
    assert gone.what == f"shared at 127.0.0.1:{server.port} can't be used: no connection: refused"
    assert gone.mend is not None
    assert gone.mend.startswith("correct store shared")
