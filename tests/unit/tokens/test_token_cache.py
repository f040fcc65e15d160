import asyncio
import contextvars
import gc
from typing import Any

import pytest

from clientcreds_proxy.errors import (
    InternalError,
    ShuttingDown,
    TokenBackoff,
    TokenMalformed,
    TokenRejected,
    TokenUnavailable,
)
from tests.unit.tokens.making import World, refused, settle

pytestmark = pytest.mark.anyio


async def test_cache_keeps_a_token_for_the_next_request() -> None:
    world = World()

    assert [await world.get(), await world.get(), world.cached()] == ["t1", "t1", "t1"]
    assert world.endpoint.requests == 1


async def test_cache_has_nothing_before_the_first_fetch() -> None:
    assert World().cached() is None


async def test_cache_fetches_again_when_the_token_is_past() -> None:
    world = World()
    await world.get()
    world.clock.advance(3590)

    assert world.cached() is None
    assert await world.get() == "t2"


async def test_fresh_token_starts_no_task() -> None:
    world = World()
    await world.get()
    tasks = asyncio.all_tasks()

    world.cached()

    assert asyncio.all_tasks() == tasks


async def test_renewal_runs_once_while_the_old_token_serves() -> None:
    world = World()
    await world.get()
    world.clock.advance(3300)

    assert [world.cached() for _ in range(100)] == ["t1"] * 100
    await settle()

    assert world.cached() == "t2"
    assert world.endpoint.requests == 2


async def test_renewal_does_not_happen_when_nobody_asks() -> None:
    world = World()
    await world.get()
    world.clock.advance(3500)
    await settle()

    assert world.endpoint.requests == 1


async def test_failed_renewal_is_tried_again_after_1_s_doubling() -> None:
    world = World()
    world.endpoint.lifetime = 36_000
    await world.get()
    world.endpoint.failure = TokenUnavailable("500")
    world.clock.advance(35_700)

    tried: list[int] = []
    for second in range(16):
        assert world.cached() == "t1"
        await settle()
        if world.endpoint.requests > len(tried) + 1:
            tried.append(second)
        world.clock.advance(1)

    assert tried == [0, 1, 3, 7, 15]


async def test_failed_renewals_are_a_minute_apart_at_most() -> None:
    world = World()
    world.endpoint.lifetime = 36_000
    await world.get()
    world.endpoint.failure = TokenUnavailable("500")
    world.clock.advance(35_700)
    for _ in range(12):
        world.cached()
        await settle()
        world.clock.advance(20)

    seen = world.endpoint.requests
    world.clock.advance(40)
    world.cached()
    await settle()

    assert world.endpoint.requests == seen + 1


async def test_stale_token_is_never_served_past_its_end() -> None:
    world = World()
    await world.get()
    world.endpoint.failure = TokenUnavailable("500")
    world.clock.advance(3590)

    assert isinstance(await world.failure(), TokenUnavailable)


async def test_token_without_lifetime_serves_those_who_wait_and_is_not_kept() -> None:
    world = World()
    world.endpoint.lifetime = 0

    first = await asyncio.gather(*[world.get() for _ in range(50)])

    assert first == ["t1"] * 50
    assert world.cached() is None
    assert await world.get() == "t2"


async def test_renewal_that_brings_a_token_without_lifetime_leaves_the_old_one_in_peace() -> None:
    world = World()
    await world.get()
    world.clock.advance(3300)
    world.endpoint.lifetime = -1
    for _ in range(5):
        assert world.cached() == "t1"
        await settle()

    assert world.endpoint.requests == 2


async def test_waiters_share_one_flight_and_its_failure() -> None:
    world = World()
    world.endpoint.failure = TokenUnavailable("500")

    failures = await asyncio.gather(*[world.failure() for _ in range(100)])

    assert world.endpoint.requests == 1
    assert {failure.detail for failure in failures} == {"500"}
    assert len({id(failure) for failure in failures}) == 100


async def test_remembered_refusal_answers_with_backoff_that_repeats_it() -> None:
    world = World()
    await world.fail(refused("invalid_scope"))
    world.clock.advance(10)

    backoff = await world.failure()

    assert isinstance(backoff, TokenBackoff)
    assert (backoff.error, backoff.retry_after, backoff.detail) == (
        "invalid_scope",
        20,
        "idp refused: invalid_scope",
    )
    assert world.endpoint.requests == 1
    world.clock.advance(20)
    assert await world.get() == "t2"


async def test_pardon_lets_the_next_request_ask() -> None:
    world = World()
    await world.fail(refused())
    assert isinstance(await world.failure(), TokenBackoff)

    world.cache.pardon()

    assert await world.get() == "t2"


async def test_pardon_keeps_the_tokens() -> None:
    world = World()
    await world.get()

    world.cache.pardon()

    assert world.cached() == "t1"


async def test_open_circuit_lets_exactly_one_fetch_probe() -> None:
    world = World()
    await world.fail(*[TokenUnavailable("500")] * 5)
    assert isinstance(await world.failure(), TokenBackoff)
    world.clock.advance(30)
    world.endpoint.failure = TokenUnavailable("still 500")

    probes = await asyncio.gather(*[world.failure() for _ in range(20)])

    assert world.endpoint.requests == 6
    assert {type(probe) for probe in probes} == {TokenUnavailable}
    assert isinstance(await world.failure(), TokenBackoff)


async def test_rejected_token_is_dropped_and_fetched_anew() -> None:
    world = World()
    token = await world.cache.get(world.demand)

    assert world.cache.reject("k", token)

    assert world.cached() is None
    assert await world.get() == "t2"


async def test_rejected_token_of_the_past_does_not_cost_the_new_one() -> None:
    world = World()
    old = await world.cache.get(world.demand)
    world.cache.reject("k", old)
    await world.get()

    assert world.cache.reject("k", old)

    assert world.cached() == "t2"


async def test_rejection_drops_one_token_in_five_seconds_at_most() -> None:
    world = World()
    world.cache.reject("k", await world.cache.get(world.demand))
    second = await world.cache.get(world.demand)

    world.clock.advance(4.9)
    assert not world.cache.reject("k", second)
    assert world.cached() == "t2"
    world.clock.advance(0.1)
    assert world.cache.reject("k", second)


async def test_rejection_of_a_token_that_was_never_kept_asks_for_another() -> None:
    world = World()
    world.endpoint.lifetime = 0
    token = await world.cache.get(world.demand)

    assert world.cache.reject("k", token)
    assert world.cache.reject("unknown", token)


@pytest.mark.parametrize("how", ["forget", "purge", "keep_only"])
async def test_forgotten_key_is_fetched_anew_and_remembers_no_failure(how: str) -> None:
    world = World()
    await world.fail(refused())

    match how:
        case "forget":
            world.cache.forget("k")
        case "purge":
            world.cache.purge()
        case _:
            world.cache.keep_only({"another"})

    assert await world.get() == "t2"


async def test_keys_in_use_survive_a_new_configuration() -> None:
    world = World()
    await world.get()

    world.cache.keep_only({"k"})

    assert world.cached() == "t1"


async def test_flight_of_a_purged_key_serves_its_waiters_and_nobody_else() -> None:
    world = World()
    world.endpoint.open = asyncio.Event()
    waiting = asyncio.create_task(world.get())
    await settle()

    world.cache.purge()
    world.endpoint.open.set()

    assert await waiting == "t1"
    assert world.cached() is None
    assert world.events == []


async def test_flight_does_not_see_the_request_that_started_it() -> None:
    world = World()
    variable = contextvars.ContextVar("request", default="nobody's")
    variable.set("somebody's")
    seen: list[str] = []
    fetch = world.endpoint.fetch

    async def look() -> Any:
        seen.append(variable.get())
        return await fetch()

    await world.cache.get(type(world.demand)(key="k", source="billing", skew_seconds=10, fetch=look))

    assert seen == ["nobody's"]


async def test_events_tell_each_change_of_state_once() -> None:
    world = World()
    await world.get()
    world.cache.reject("k", await world.cache.get(world.demand))
    await world.get()
    world.clock.advance(5000)
    await world.fail(*[TokenUnavailable("500")] * 5)
    world.clock.advance(30)
    await world.get()
    world.clock.advance(5000)
    await world.fail(TokenMalformed("html"))
    world.clock.advance(1)
    await world.get()

    assert [(event.change, event.news) for event in world.events] == [
        ("fetched", True),
        ("fetched", False),
        ("failed", True),
        ("failed", False),
        ("failed", False),
        ("failed", False),
        ("circuit_opened", True),
        ("circuit_closed", True),
        ("failed", True),
        ("recovered", True),
    ]


async def test_events_name_the_source_and_hold_no_token() -> None:
    world = World()

    await world.get()
    world.clock.advance(5000)
    await world.fail(refused())

    fetched, failed = world.events
    assert (fetched.source, fetched.lifetime, fetched.fingerprint) == ("billing", 3600, "628b49d9")
    assert isinstance(failed.failure, TokenRejected)
    assert failed.next_try_seconds == 30
    assert "t1" not in repr(fetched)


async def test_bug_in_a_fetch_ends_in_a_refusal_for_all_who_wait() -> None:
    world = World()
    world.endpoint.failure = ZeroDivisionError("bug")

    with pytest.raises(InternalError) as raised:
        await world.get()

    assert isinstance(raised.value.__cause__, ZeroDivisionError)


async def test_bug_in_a_renewal_is_told_to_the_loop_and_not_repeated_at_every_use() -> None:
    world = World()
    await world.get()
    world.clock.advance(3300)
    world.endpoint.failure = ZeroDivisionError("bug")
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    for _ in range(3):
        assert world.cached() == "t1"
        await settle()

    assert [type(context["exception"]) for context in told] == [InternalError]
    assert world.endpoint.requests == 2


async def test_fetch_that_is_cancelled_from_elsewhere_leaves_nobody_waiting() -> None:
    world = World()
    world.endpoint.open = asyncio.Event()
    waiting = asyncio.create_task(world.get())
    await settle()

    (flight,) = world.cache._flights
    flight.cancel()

    with pytest.raises(InternalError):
        await waiting


async def test_waiter_may_go_away_in_the_very_moment_the_token_comes() -> None:
    for turns in range(8):
        world = World()
        world.endpoint.open = asyncio.Event()
        waiters = [asyncio.create_task(world.get()) for _ in range(2)]
        await settle()

        world.endpoint.open.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        waiters[0].cancel()

        assert await waiters[1] == "t1"


async def test_closing_ends_flights_and_tells_who_waits_without_warnings() -> None:
    world = World()
    world.endpoint.open = asyncio.Event()
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    waiting = [asyncio.create_task(world.get()) for _ in range(3)]
    await settle()

    await world.cache.aclose()

    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {ShuttingDown}
    del waiting, outcomes
    gc.collect()
    assert told == []
    assert not world.cache._flights


async def test_closed_cache_still_serves_what_it_has_but_fetches_nothing() -> None:
    world = World()
    await world.get()
    await world.cache.aclose()
    world.clock.advance(3400)

    assert world.cached() == "t1"
    await settle()
    world.clock.advance(1000)
    with pytest.raises(ShuttingDown):
        await world.get()

    assert world.endpoint.requests == 1


async def test_standing_is_known_from_the_first_request_for_a_token_until_it_is_forgotten() -> None:
    world = World()
    assert world.cache.standing("k") is None

    await world.get()
    now = world.cache.standing("k")
    world.cache.forget("k")

    assert now is not None
    assert (now.state, now.expires_in) == ("ok", 3590)
    assert world.cache.standing("k") is None
