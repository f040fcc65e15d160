"""Sources of two processes that share a store: their caches stay in front of it."""

import asyncio
from dataclasses import dataclass, field

import pytest

from clientcreds_proxy.errors import TokenFailure
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.keeping.cache import TokenCache
from clientcreds_proxy.tokens.model import Obtained, RedisSpec, SourceEvent, SourceSpec, StoreSpec
from clientcreds_proxy.tokens.proof.client_auth import Attempt, Granted, attempts
from clientcreds_proxy.tokens.proof.prover import Prover
from clientcreds_proxy.tokens.source import TokenSource
from clientcreds_proxy.tokens.stores.store import StoreEvent, TokenStore
from tests.unit.tokens.making import FakeClock, a_spec, a_token, refused, settle
from tests.unit.tokens.shelf import Shelf

pytestmark = pytest.mark.anyio
STORE = StoreSpec(
    name="shared", redis=RedisSpec(endpoints=(("a", 1),)), secrets=(Secret("made up, 16 or more"),)
)


@dataclass
class World:
    """A clock, a store, and an authorization server that gives t1, t2, … for the right secret."""

    clock: FakeClock = field(default_factory=FakeClock)
    secret: str = "s3cr3t"
    requests: int = 0
    open: asyncio.Event | None = None

    def __post_init__(self) -> None:
        self.shelf = Shelf(self.clock)

    async def fetch(self, spec: SourceSpec, worked: Attempt | None) -> Granted:
        self.requests += 1
        number = self.requests
        if self.open is not None:
            await self.open.wait()
        attempt = attempts(spec, worked)[0]
        if attempt.secret.reveal() != self.secret:
            raise refused()
        return Granted(token=a_token(f"t{number}", requested=self.clock.now()), attempt=attempt)


class Process:
    """One process: a cache, a source, and what was told."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.events: list[SourceEvent] = []
        self.told: list[StoreEvent] = []
        self.cache = TokenCache(clock=world.clock, observer=self.events.append, chance=lambda: 0)
        self.store = TokenStore(
            STORE, world.shelf, clock=world.clock, tell=self.told.append, sleep=self.sleep, pause=self.pause
        )
        self.source = TokenSource(
            a_spec(store=STORE),
            cache=self.cache,
            fetch=world.fetch,
            prover=Prover(clock=world.clock),
            reread=self.reread,
            store=self.store,
        )

    async def sleep(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        await settle()

    async def pause(self, _: float) -> None:
        await asyncio.Event().wait()

    async def reread(self) -> SourceSpec | None:
        return a_spec(store=STORE, client_secrets=(Secret(self.world.secret),))

    async def token(self) -> str:
        return (await self.obtained()).token.value.reveal()

    async def obtained(self) -> Obtained:
        return await self.source.token()


@pytest.fixture
def world() -> World:
    return World()


async def test_memory_is_in_front_of_the_store(world: World) -> None:
    process = Process(world)
    await process.token()
    world.shelf.commands.clear()

    assert [await process.token() for _ in range(3)] == ["t1"] * 3
    assert world.shelf.commands == []


async def test_second_process_makes_no_token_request(world: World) -> None:
    assert [await Process(world).token(), await Process(world).token()] == ["t1", "t1"]
    assert world.requests == 1


async def test_event_says_that_a_token_was_taken(world: World) -> None:
    first, second = Process(world), Process(world)
    await first.token()
    await second.token()

    assert [event.taken for event in first.events + second.events] == [False, True]


async def test_one_process_renews_for_all(world: World) -> None:
    first, second = Process(world), Process(world)
    await first.token()
    await second.token()

    world.clock.advance(3400)
    for process in (first, second):
        await process.token()
        await settle()

    assert [await first.token(), await second.token()] == ["t2", "t2"]
    assert world.requests == 2


async def test_token_that_the_api_rejects_is_rejected_for_all(world: World) -> None:
    first, second = Process(world), Process(world)
    old, same = await first.obtained(), await second.obtained()

    assert first.source.reject(old)
    assert await first.token() == "t2"
    assert second.source.reject(same)
    assert await second.token() == "t2"
    assert world.requests == 2


async def test_rejected_token_leaves_the_store_before_anybody_asks_again(world: World) -> None:
    process = Process(world)
    process.source.reject(await process.obtained())
    await settle()

    assert world.shelf.records == {}


async def test_many_rejections_of_one_token_are_one_command(world: World) -> None:
    process = Process(world)
    obtained = await process.obtained()
    world.shelf.commands.clear()

    for _ in range(100):
        process.source.reject(obtained)
    await settle()

    assert world.shelf.commands == ["drop"]


async def test_purged_token_is_gone_for_all(world: World) -> None:
    process = Process(world)
    await process.token()

    process.source.purge()

    assert await process.token() == "t2"
    assert await Process(world).token() == "t2"


async def test_forgotten_token_is_there_for_the_others(world: World) -> None:
    """As where one process has too many callers to remember them all."""
    process = Process(world)
    await process.token()

    process.source.forget()

    assert await process.token() == "t1"


async def test_secret_that_changed_while_another_process_asked_is_read_again(world: World) -> None:
    """The deadline of the token request counts from its beginning, not from that of the waiting."""
    world.open, world.secret = asyncio.Event(), "new"
    first, second = Process(world), Process(world)
    asking = [asyncio.ensure_future(process.token()) for process in (first, second)]
    await settle()

    world.open.set()

    assert len(set(await asyncio.gather(*asking))) == 1
    assert len(world.shelf.records) == 1


async def test_failures_are_remembered_as_ever(world: World) -> None:
    process = Process(world)
    world.secret, process.world.open = "new", None
    process.source = TokenSource(
        a_spec(store=STORE),
        cache=process.cache,
        fetch=world.fetch,
        prover=Prover(clock=world.clock),
        store=process.store,
    )

    for _ in range(3):
        with pytest.raises(TokenFailure):
            await process.token()

    assert world.requests == 1
