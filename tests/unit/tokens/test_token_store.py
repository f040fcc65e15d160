"""One token for several processes: who fetches it, who waits for how long, and what may be written."""

import asyncio
import dataclasses
from dataclasses import dataclass, field
from typing import Any

import pytest

from clientcreds_proxy.errors import TokenUnavailable
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import RedisSpec, StoreSpec, Token
from clientcreds_proxy.tokens.stores.record import Seal
from clientcreds_proxy.tokens.stores.store import StoreEvent, TokenStore
from clientcreds_proxy.tokens.stores.wanted import Wanted
from tests.unit.tokens.making import Endpoint, FakeClock, a_token, settle
from tests.unit.tokens.shelf import Shelf

pytestmark = pytest.mark.anyio
NEW, OLD = Secret("made up, 16 or more"), Secret("another, 16 or more")


def a_store_spec(*secrets: Secret) -> StoreSpec:
    redis = RedisSpec(endpoints=(("127.0.0.1", 6379),))
    return StoreSpec(name="shared", redis=redis, secrets=secrets or (NEW,))


def wanted(replacing: Token | None = None, **changes: Any) -> Wanted:
    values: dict[str, Any] = {"key": "k", "skew_seconds": 10, "timeout_seconds": 5, "replacing": replacing}
    return Wanted(**(values | changes))


@dataclass
class Process:
    """One process with its memory of the store, and the authorization server as it sees it."""

    clock: FakeClock
    shelf: Shelf
    endpoint: Endpoint
    secrets: tuple[Secret, ...] = (NEW,)
    events: list[StoreEvent] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    resumes: asyncio.Event = field(default_factory=asyncio.Event)  # its look at a store that is down

    def __post_init__(self) -> None:
        self.store = TokenStore(
            a_store_spec(*self.secrets),
            self.shelf,
            clock=self.clock,
            tell=self.events.append,
            chance=lambda: 1.0,
            sleep=self.sleep,
            pause=self.pause,
        )

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)
        await settle()

    async def pause(self, _: float) -> None:
        await self.resumes.wait()
        self.resumes.clear()

    async def token(self, replacing: Token | None = None, **changes: Any) -> str:
        token = await self.store.token(wanted(replacing, **changes), self.endpoint.fetch)
        return token.value.reveal()


@dataclass
class Fleet:
    """Processes that share a store and an authorization server."""

    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.shelf = Shelf(self.clock)
        self.endpoint = Endpoint(self.clock)

    def process(self, *secrets: Secret) -> Process:
        return Process(self.clock, self.shelf, self.endpoint, secrets or (NEW,))

    @property
    def record(self) -> bytes:
        ((record, _),) = self.shelf.records.values()
        return record


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


async def test_second_process_takes_the_first_ones_token(fleet: Fleet) -> None:
    first, second = fleet.process(), fleet.process()

    assert await first.token() == "t1"
    assert await second.token() == "t1"
    assert fleet.endpoint.requests == 1
    assert fleet.shelf.locks == {}


async def test_token_of_another_process_is_marked_so(fleet: Fleet) -> None:
    await fleet.process().token()

    token = await fleet.process().store.token(wanted(), fleet.endpoint.fetch)

    assert token == dataclasses.replace(a_token("t1"), taken=True)


async def test_many_cold_processes_make_one_token_request(fleet: Fleet) -> None:
    fleet.endpoint.open = asyncio.Event()
    waiting = [asyncio.ensure_future(fleet.process().token()) for _ in range(8)]
    await settle()

    fleet.endpoint.open.set()

    assert await asyncio.gather(*waiting) == ["t1"] * 8
    assert fleet.endpoint.requests == 1


async def test_record_lasts_as_long_as_its_token(fleet: Fleet) -> None:
    await fleet.process().token()
    ((_, ends),) = fleet.shelf.records.values()

    assert ends - fleet.clock.boot == 3600


async def test_token_without_end_stays_for_a_day(fleet: Fleet) -> None:
    fleet.endpoint.lifetime = None
    await fleet.process().token()
    ((_, ends),) = fleet.shelf.records.values()

    assert ends - fleet.clock.boot == 86_400
    assert await fleet.process().token() == "t1"


async def test_token_that_may_not_be_cached_is_not_shared(fleet: Fleet) -> None:
    fleet.endpoint.lifetime = 0
    process = fleet.process()

    assert [await process.token(), await process.token()] == ["t1", "t2"]
    assert (fleet.shelf.records, fleet.shelf.locks) == ({}, {})


async def test_renewal_takes_what_another_process_renewed(fleet: Fleet) -> None:
    first, second = fleet.process(), fleet.process()
    old = await first.store.token(wanted(), fleet.endpoint.fetch)
    fleet.clock.advance(3400)
    await second.token(old)

    assert await first.token(old) == "t2"
    assert fleet.endpoint.requests == 2


async def test_renewal_does_not_take_an_older_token(fleet: Fleet) -> None:
    process = fleet.process()
    await process.token()
    fleet.clock.advance(100)
    newer = a_token("own", requested=fleet.clock.now())

    assert await process.token(newer) == "t2"


async def test_rejected_token_without_end_is_replaced_by_another(fleet: Fleet) -> None:
    fleet.endpoint.lifetime = None
    first, second = fleet.process(), fleet.process()
    rejected = await first.store.token(wanted(), fleet.endpoint.fetch)
    await first.token(rejected)

    assert await second.token(rejected) == "t2"
    assert fleet.endpoint.requests == 2


async def test_token_in_its_last_seconds_is_not_taken(fleet: Fleet) -> None:
    await fleet.process().token()
    fleet.clock.advance(3591)

    assert await fleet.process().token() == "t2"


async def test_holder_that_died_is_succeeded_once_its_lock_has_ended(fleet: Fleet) -> None:
    fleet.endpoint.open = asyncio.Event()
    dead = asyncio.ensure_future(fleet.process().token())
    await settle()
    fleet.endpoint.open = None
    others = [fleet.process() for _ in range(3)]

    tokens = await asyncio.gather(*(other.token() for other in others))

    assert set(tokens) == {"t2"}
    assert fleet.endpoint.requests == 2
    dead.cancel()


async def test_holder_that_was_stopped_can_not_overwrite_a_newer_token(fleet: Fleet) -> None:
    fleet.endpoint.open = stopped = asyncio.Event()
    late = asyncio.ensure_future(fleet.process().token())
    await settle()
    fleet.endpoint.open = None
    fleet.clock.advance(7)
    assert await fleet.process().token() == "t2"

    stopped.set()

    assert await late == "t1"
    assert await fleet.process().token() == "t2"


async def test_failure_gives_the_lock_back_and_others_ask_themselves(fleet: Fleet) -> None:
    fleet.endpoint.open, fleet.endpoint.failure = asyncio.Event(), TokenUnavailable("no answer")
    waiting = [asyncio.ensure_future(fleet.process().token()) for _ in range(4)]
    await settle()

    fleet.endpoint.open.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    assert [str(outcome) for outcome in outcomes] == ["no answer"] * 4
    assert fleet.endpoint.requests == 4
    assert fleet.shelf.locks == {}


async def test_cancelled_fetch_gives_the_lock_back(fleet: Fleet) -> None:
    fleet.endpoint.open = asyncio.Event()
    ending = asyncio.ensure_future(fleet.process().token())
    await settle()

    ending.cancel()
    await asyncio.wait((ending,))

    assert fleet.shelf.locks == {}


async def test_lock_without_end_is_waited_for_as_long_as_ones_own_would_last(fleet: Fleet) -> None:
    process = fleet.process()
    name = Seal(NEW, prefix="clientcreds").name("k")
    fleet.shelf.locks[name] = ("foreign", float("inf"))

    assert await process.token() == "t1"
    assert 12 <= sum(process.slept) <= 12.5
    assert process.slept[:6] == [0.02, 0.04, 0.08, 0.16, 0.3, 0.3]
    assert fleet.shelf.records == {}


async def test_lock_whose_end_nobody_knows_is_waited_for_no_longer(fleet: Fleet) -> None:
    process = fleet.process()
    fleet.shelf.locks[Seal(NEW, prefix="clientcreds").name("k")] = ("foreign", float("inf"))
    fleet.shelf.endless = True

    assert await process.token() == "t1"
    assert 12 <= sum(process.slept) <= 12.5


async def test_token_that_an_api_rejected_is_removed(fleet: Fleet) -> None:
    process = fleet.process()
    token = await process.store.token(wanted(), fleet.endpoint.fetch)

    process.store.drop("k", token)
    await settle()

    assert fleet.shelf.records == {}


async def test_token_that_took_the_rejected_ones_place_stays(fleet: Fleet) -> None:
    process = fleet.process()
    rejected = await process.store.token(wanted(), fleet.endpoint.fetch)
    await process.token(rejected)

    process.store.drop("k", rejected)
    await settle()

    assert await fleet.process().token() == "t2"


async def test_forgotten_token_is_not_taken_again(fleet: Fleet) -> None:
    process = fleet.process()
    token = await process.store.token(wanted(), fleet.endpoint.fetch)

    process.store.drop("k", token)
    process.store.forget("k")

    assert await process.token() == "t2"


async def test_record_that_was_changed_is_a_miss_and_told_once(fleet: Fleet) -> None:
    await fleet.process().token()
    ((name, (record, ends)),) = fleet.shelf.records.items()
    fleet.shelf.records[name] = (record[:-1] + bytes([record[-1] ^ 1]), ends)
    reader = fleet.process()

    assert await reader.token() == "t2"
    fleet.shelf.records[name] = (record[:40], ends)
    await reader.token()
    fleet.shelf.records[name] = (record[:40], ends)
    fleet.endpoint.lifetime = 0  # nothing of use is written any more
    await reader.token()
    await reader.token()

    assert [event.change for event in reader.events] == ["unreadable"] * 3
    assert all("t1" not in str(event) for event in reader.events)


async def test_store_that_gives_what_is_not_wanted_is_no_endless_loop(fleet: Fleet) -> None:
    process = fleet.process()
    token = await process.store.token(wanted(), fleet.endpoint.fetch)
    fleet.shelf.stubborn = True

    assert await process.token(token) == "t2"


async def test_older_secret_still_opens(fleet: Fleet) -> None:
    await fleet.process(OLD).token()

    assert await fleet.process(NEW, OLD).token() == "t1"


async def test_first_secret_writes(fleet: Fleet) -> None:
    both = fleet.process(NEW, OLD)
    await both.token()

    assert await fleet.process(NEW).token() == "t1"
    assert await fleet.process(OLD).token() == "t2"


async def test_token_under_an_older_secret_that_is_to_be_replaced_is_not_taken(fleet: Fleet) -> None:
    old = await fleet.process(OLD).store.token(wanted(), fleet.endpoint.fetch)

    assert await fleet.process(NEW, OLD).token(old) == "t2"


async def test_rejected_token_is_removed_under_every_secret(fleet: Fleet) -> None:
    token = await fleet.process(OLD).store.token(wanted(), fleet.endpoint.fetch)
    process = fleet.process(NEW, OLD)

    process.store.drop("k", token)
    await settle()

    assert fleet.shelf.records == {}


async def test_store_that_is_down_is_asked_once_and_told_once(fleet: Fleet) -> None:
    process = fleet.process()
    fleet.shelf.down = "refused"

    assert [await process.token(), await process.token()] == ["t1", "t2"]
    process.store.drop("k", a_token())
    await settle()
    assert fleet.shelf.commands == ["claim"]
    assert process.events == [StoreEvent(store="shared", change="down", why="refused")]
    assert process.store.why_down == "refused"


async def test_store_that_answers_again_is_used_and_told(fleet: Fleet) -> None:
    process = fleet.process()
    fleet.shelf.down = "refused"
    await process.token()

    fleet.shelf.down = None
    process.resumes.set()
    await settle()

    assert [event.change for event in process.events] == ["down", "up"]
    await process.token()
    assert len(fleet.shelf.records) == 1


async def test_store_that_dies_during_the_fetch_costs_no_token(fleet: Fleet) -> None:
    process = fleet.process()
    fleet.endpoint.open = asyncio.Event()
    waiting = asyncio.ensure_future(process.token())
    await settle()

    fleet.shelf.down = "refused"
    fleet.endpoint.open.set()

    assert await waiting == "t1"


async def test_closing_ends_what_is_under_way(fleet: Fleet) -> None:
    process = fleet.process()
    process.store.warm_up()
    fleet.shelf.silent = True
    process.store.drop("k", a_token())

    await process.store.aclose()

    assert fleet.shelf.closed
    assert await process.token() == "t1"
    assert process.store.spec == a_store_spec()


async def test_closing_one_that_nobody_used_closes_its_connections(fleet: Fleet) -> None:
    await fleet.process().store.aclose()

    assert fleet.shelf.closed
    assert fleet.shelf.commands == []
