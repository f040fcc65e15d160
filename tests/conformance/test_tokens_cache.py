"""Group M of the checklist (cache, time, concurrency), as far as one process goes."""

import asyncio
import time

import pytest

from clientcreds_proxy.errors import TokenBackoff, TokenRejected, TokenUnavailable
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.keeping.key import cache_key
from tests.unit.tokens.making import World, a_spec, refused, settle

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_cold_start_of_ten_thousand_requests_asks_once() -> None:
    """M01, contract section 4: 10,000 waiters, one token request."""
    world = World()

    tokens = await asyncio.gather(*[world.get() for _ in range(10_000)])

    assert set(tokens) == {"t1"}
    assert world.endpoint.requests == 1


async def test_last_waiter_is_served_when_all_others_went_away() -> None:
    """M02."""
    world = World()
    world.endpoint.open = asyncio.Event()
    waiters = [asyncio.create_task(world.get()) for _ in range(100)]
    await settle()

    for waiter in waiters[:-1]:
        waiter.cancel()
    await settle()
    world.endpoint.open.set()

    assert await waiters[-1] == "t1"
    assert world.endpoint.requests == 1


async def test_flight_fills_the_cache_when_every_waiter_went_away() -> None:
    """M03, and M04: a waiter's own deadline ends that waiter alone."""
    world = World()
    world.endpoint.open = asyncio.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await world.get()

    world.endpoint.open.set()
    await settle()

    assert world.cached() == "t1"
    assert world.endpoint.requests == 1


async def test_soft_expiry_renews_once_and_makes_nobody_wait() -> None:
    """M05."""
    world = World()
    await world.get()
    world.clock.advance(3400)
    world.endpoint.open = asyncio.Event()

    assert [world.cached() for _ in range(500)] == ["t1"] * 500
    await settle()

    assert world.endpoint.requests == 2


async def test_failed_renewal_serves_the_old_token_until_its_end_and_not_beyond() -> None:
    """M06 (Envoy #44674)."""
    world = World()
    await world.get()
    world.endpoint.failure = TokenUnavailable("500")
    world.clock.advance(3300)

    for _ in range(289):
        assert world.cached() == "t1"
        await settle()
        world.clock.advance(1)

    world.clock.advance(1)
    assert world.cached() is None
    assert world.endpoint.requests < 15


async def test_failure_is_shared_and_remembered() -> None:
    """C05; M07."""
    world = World()
    world.endpoint.failure = refused()

    first = await asyncio.gather(*[world.failure() for _ in range(100)])
    then = [await world.failure() for _ in range(100)]

    assert {type(failure) for failure in first} == {TokenRejected}
    assert {type(failure) for failure in then} == {TokenBackoff}
    assert world.endpoint.requests == 1


async def test_short_life_is_cached_for_nine_tenths() -> None:
    """M08."""
    world = World()
    world.endpoint.lifetime = 5
    await world.get()

    world.clock.advance(2)
    assert world.cached() == "t1"


async def test_renewals_of_equal_tokens_spread() -> None:
    """M09: over a tenth of the life, as the contract says."""
    started = []
    for step in range(11):
        world = World(chance=step / 10)
        await world.get()
        while world.endpoint.requests == 1:
            world.clock.advance(1)
            world.cached()
            await settle()
        started.append(world.clock.boot - 1000)

    assert started == pytest.approx([3300 - 36 * step for step in range(11)], abs=1)


@pytest.mark.parametrize("step", [-3600, 3600])
async def test_wall_clock_step_causes_no_storm(step: float) -> None:
    """M10."""
    world = World()
    await world.get()

    world.clock.wall += step
    for _ in range(100):
        await world.get()

    assert world.endpoint.requests <= 2
    world.clock.boot += 3590
    assert world.cached() is None


async def test_suspended_machine_takes_its_token_for_expired() -> None:
    """M11 (pizauth#47): the boot clock may stand still where there is no CLOCK_BOOTTIME."""
    world = World()
    await world.get()

    world.clock.wall += 7200

    assert world.cached() is None


async def test_key_changes_with_all_that_shapes_the_token_and_nothing_else() -> None:
    """M12, contract section 4."""
    key = cache_key(a_spec())

    assert cache_key(a_spec(name="other")) == key
    assert cache_key(a_spec(client_secrets=(Secret("another"),))) != key
    assert cache_key(a_spec(scopes=("a",))) != key
    assert cache_key(a_spec(audience=("a",))) != key


async def test_ten_thousand_waiters_can_go_away_at_once() -> None:
    """M15: within 0.2 s of CPU, best of three (asyncio.wait and shield took 1.0 s each)."""
    world = World()
    world.endpoint.open = asyncio.Event()
    rounds = []

    for _ in range(3):
        waiters = [asyncio.create_task(world.get()) for _ in range(10_000)]
        await settle()
        begun = time.process_time()
        for waiter in waiters:
            waiter.cancel()
        await settle()
        rounds.append(time.process_time() - begun)
        assert all(waiter.cancelled() for waiter in waiters)

    assert min(rounds) < 0.2
    await world.cache.aclose()


async def test_shutdown_cancels_what_is_under_way() -> None:
    """M22."""
    world = World()
    world.endpoint.open = asyncio.Event()
    waiter = asyncio.create_task(world.get())
    await settle()

    async with asyncio.timeout(2):
        await world.cache.aclose()

    assert (await asyncio.gather(waiter, return_exceptions=True))[0] is not None


async def test_five_hundred_401s_cost_one_token_request() -> None:
    """D14; Contract section 4 (the API answers 401)."""
    world = World()
    token = await world.cache.get(world.demand)

    async def again() -> str:
        assert world.cache.reject("k", token)
        return await world.get()

    assert set(await asyncio.gather(*[again() for _ in range(500)])) == {"t2"}
    assert world.endpoint.requests == 2
