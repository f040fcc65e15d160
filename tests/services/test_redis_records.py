"""Records and locks in a real Redis: what is taken, what is a miss, and what may be written."""

import asyncio
import dataclasses
from pathlib import Path

import pytest

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import Token
from clientcreds_proxy.tokens.stores.record import Seal
from clientcreds_proxy.tokens.stores.wanted import Wanted
from tests.services.conftest import PATIENCE
from tests.services.redis_server import redis_server
from tests.services.redis_store import SECRET, Tokens, at, two

pytestmark = pytest.mark.anyio


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
