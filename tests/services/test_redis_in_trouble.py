"""A real Redis that is not there, not there any more, or not what it should be: what is said, and paid."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import ClientTls, RedisSpec, SentinelSpec
from tests.services.redis_server import redis_server
from tests.services.redis_store import PASSWORD, SECRET, at, two

pytestmark = pytest.mark.anyio


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


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"database": 99}, "it has no database of this number"),
        ({"sentinel": SentinelSpec(master_set="main")}, "it is no sentinel"),
        ({"cluster": True}, "it is no cluster"),
    ],
)
async def test_redis_of_another_kind_than_configured_is_said(given: Any, why: str, tmp_path: Path) -> None:
    async with redis_server(tmp_path) as server, two(at(server, **given)) as (process, _, _):
        await process.token()

        assert [event.why for event in process.events] == [why]


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        (("maxmemory", "1"), "its memory is full (maxmemory)"),
        (("maxclients", "1"), "it has as many clients as it takes (maxclients)"),
        (("min-replicas-to-write", "3"), "it answers with an error, NOREPLICAS"),
    ],
)
async def test_redis_that_can_take_no_more_is_said(
    setting: tuple[str, str], why: str, tmp_path: Path
) -> None:
    async with redis_server(tmp_path) as server, two(at(server)) as (process, other, _):
        await other.token("before")  # which is one client
        await server.say("config", "set", *setting)

        await process.token()

        assert [event.why for event in process.events] == [why]


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


@pytest.mark.parametrize(
    "reply", [b":1\r\n", b"*1\r\n:1\r\n", b"$3\r\nabc\r\n"], ids=["number", "list", "text"]
)
async def test_answers_of_another_kind_are_said(reply: bytes) -> None:
    """A proxy between is at fault, say. With two secrets a record is read before there is a lock."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(2**16):
            writer.write(reply)

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        spec = RedisSpec(endpoints=((host, port),))
        async with two(spec, SECRET, Secret("an older one that is long")) as (process, _, _):
            assert await process.token() == "token-1"

            (event,) = process.events
            assert event.why == "it answers a command with something else than the command gives"


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
