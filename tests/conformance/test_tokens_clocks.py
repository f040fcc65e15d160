"""Suspended laptops and clocks that are set: no expired token is ever attached (contract section 4)."""

import asyncio
import base64
import json
from dataclasses import dataclass

import pytest

from clientcreds_proxy.tokens.asking.answer import Answer, parse_answer
from clientcreds_proxy.tokens.model import Instant
from tests.unit.tokens.making import START, World, a_spec, settle

pytestmark = pytest.mark.anyio

HOUR = 3600.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True)
class Jump:
    """What happens to the two clocks at once."""

    boot: float
    wall: float


@pytest.mark.parametrize(
    "jump",
    [
        pytest.param(Jump(boot=2 * HOUR, wall=2 * HOUR), id="suspended for two hours"),
        pytest.param(Jump(boot=0, wall=2 * HOUR), id="suspended where the boot clock stands still"),
        pytest.param(Jump(boot=2 * HOUR, wall=0), id="suspended, and the wall clock wakes up wrong"),
        pytest.param(Jump(boot=2 * HOUR, wall=-HOUR), id="suspended, and the wall clock set back"),
        pytest.param(Jump(boot=HOUR, wall=0), id="an hour passed, and the wall clock was set back by one"),
    ],
)
async def test_token_is_gone_after_a_jump_past_its_end(jump: Jump) -> None:
    """M11."""
    world = World()
    await world.get()

    world.clock.boot += jump.boot
    world.clock.wall += jump.wall

    assert world.cached() is None
    assert await world.get() == "t2"
    assert world.cached() == "t2"


async def test_wall_clock_set_back_lets_no_token_live_longer() -> None:
    """M10: an hour back, then the token's hour passes."""
    world = World()
    await world.get()
    world.clock.wall -= HOUR

    world.clock.advance(3589)
    assert world.cached() is not None
    await settle()
    world.endpoint.failure = RuntimeError("no renewal")
    world.clock.advance(2 * HOUR)

    assert world.cached() is None


async def test_wall_clock_set_on_costs_one_token_and_the_next_lives_its_whole_life() -> None:
    """M10: an hour on; the new token is counted from there."""
    world = World()
    await world.get()
    world.clock.wall += HOUR

    assert world.cached() is None
    assert await world.get() == "t2"
    world.clock.advance(3000)

    assert world.cached() == "t2"
    assert world.endpoint.requests == 2


async def test_machine_that_was_suspended_while_the_token_came_does_not_use_it() -> None:
    """Its life counts from the moment before the request left."""
    world = World()
    world.endpoint.open = asyncio.Event()
    flight = asyncio.create_task(world.get())
    await settle()

    world.clock.advance(2 * HOUR)
    world.endpoint.open.set()
    await flight

    assert world.cached() is None


def jwt(claims: dict[str, object]) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.c2ln"


@pytest.mark.parametrize(
    ("ahead", "lifetime"),
    [
        pytest.param(None, 3600, id="the server names no time"),
        pytest.param(0.4, 3600, id="the clocks agree"),
        pytest.param(-3000.0, 600, id="our clock is behind: part of the life is over"),
        pytest.param(-7200.0, -3600, id="our clock is behind: all of it is over"),
        pytest.param(3000.0, 3600, id="our clock is ahead: the nearer end counts"),
    ],
)
def test_exp_counts_by_the_clock_that_is_further_on(ahead: float | None, lifetime: float) -> None:
    """A token whose end is known from its `exp` alone, on a machine whose wall clock is wrong."""
    body = json.dumps({"access_token": jwt({"exp": START.wall + 3600})}).encode()

    token = parse_answer(a_spec(), Answer(status=200, body=body, ahead_seconds=ahead), START)

    assert token.lifetime == lifetime


def test_expires_in_is_not_touched_by_a_wrong_clock() -> None:
    body = json.dumps({"access_token": "t", "expires_in": 3600}).encode()
    requested = Instant(boot=START.boot, wall=START.wall - 7200)

    assert (
        parse_answer(a_spec(), Answer(status=200, body=body, ahead_seconds=-7200), requested).lifetime == 3600
    )
