import asyncio
from dataclasses import dataclass, field

import pytest

from clientcreds_proxy.errors import (
    SecretUnavailable,
    TokenBackoff,
    TokenFailure,
    TokenRejected,
    TokenUnavailable,
)
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.clock import SystemClock
from clientcreds_proxy.tokens.keeping.cache import TokenCache
from clientcreds_proxy.tokens.model import Client, SourceEvent, SourceSpec
from clientcreds_proxy.tokens.proof.client_auth import Attempt, Granted, attempts
from clientcreds_proxy.tokens.proof.prover import Prover
from clientcreds_proxy.tokens.source import TokenSource
from tests.unit.tokens.making import FakeClock, a_spec, a_token, refused, settle

pytestmark = pytest.mark.anyio


@dataclass
class Provider:
    """An authorization server behind the fetch port, and the place where the secret lies."""

    clock: FakeClock = field(default_factory=FakeClock)
    secret: str = "s3cr3t"  # the one that is right
    lying_there: str | None = "s3cr3t"  # the one that is read; None: the source is gone
    way: str = "basic_form"
    failure: TokenFailure | None = None
    asked: list[tuple[str, ...]] = field(default_factory=list)  # the ways of each fetch
    rereads: int = 0
    reading: asyncio.Event | None = None

    async def fetch(self, spec: SourceSpec, worked: Attempt | None) -> Granted:
        tries = attempts(spec, worked)
        self.asked.append(tuple(attempt.way for attempt in tries))
        if self.failure is not None:
            raise self.failure
        for attempt in tries:
            if (attempt.way, attempt.secret.reveal()) == (self.way, self.secret):
                token = a_token(f"t{len(self.asked)}", requested=self.clock.now())
                return Granted(token=token, attempt=attempt)
        raise refused()

    async def reread(self) -> SourceSpec | None:
        self.rereads += 1
        if self.reading is not None:
            await self.reading.wait()
        if self.lying_there == "":
            raise SecretUnavailable("the file is gone")
        return None if self.lying_there is None else a_spec(client_secrets=(Secret(self.lying_there),))


class Stage:
    """A source with its cache, its provider, and what the observer heard."""

    def __init__(self, *, timeout_seconds: float = 5) -> None:
        self.provider = Provider()
        self.events: list[SourceEvent] = []
        self.cache = TokenCache(clock=self.provider.clock, observer=self.events.append, chance=lambda: 0)
        self.source = self.new(a_spec(client=Client(timeout_seconds=timeout_seconds)))

    def new(self, spec: SourceSpec) -> TokenSource:
        return TokenSource(
            spec,
            cache=self.cache,
            fetch=self.provider.fetch,
            prover=Prover(clock=FakeClock()),
            reread=self.provider.reread,
        )

    async def failure(self) -> TokenFailure:
        try:
            await self.source.token()
        except TokenFailure as failure:
            return failure
        raise AssertionError("a token came")


async def test_source_says_whether_the_request_waited() -> None:
    stage = Stage()

    assert stage.source.cached() is None
    first = await stage.source.token()
    second = await stage.source.token()

    assert (first.how, second.how) == ("fetched", "cached")
    assert stage.source.cached() == second
    assert first.key == stage.source.key


async def test_source_remembers_which_way_worked() -> None:
    stage = Stage()
    stage.provider.way = "post"
    await stage.source.token()
    stage.source.forget()

    await stage.source.token()

    assert stage.provider.asked == [("basic_form", "post"), ("post", "basic_form")]


async def test_source_drops_a_token_that_the_api_refused() -> None:
    stage = Stage()

    assert stage.source.reject(await stage.source.token())

    assert (await stage.source.token()).token.value == Secret("t2")


async def test_sources_of_the_same_kind_share_a_token() -> None:
    stage = Stage()
    await stage.source.token()

    other = stage.new(a_spec(name="other"))

    assert other.cached() is not None


async def test_changed_secret_is_read_again_before_a_refusal_is_reported() -> None:
    stage = Stage()
    stage.provider.secret = stage.provider.lying_there = "n3w"
    old = stage.source.key

    waiting = await asyncio.gather(*[stage.source.token() for _ in range(20)])

    assert {obtained.token.value.reveal() for obtained in waiting} == {"t2"}
    assert (len(stage.provider.asked), stage.provider.rereads) == (2, 1)
    assert stage.source.spec.client_secrets == (Secret("n3w"),)
    assert stage.source.key != old
    assert {obtained.key for obtained in waiting} == {stage.source.key}
    assert stage.source.cached() is not None
    assert [event.change for event in stage.events] == ["fetched"]


async def test_source_with_the_new_secret_shares_the_token_of_the_one_that_moved() -> None:
    stage = Stage()
    stage.provider.secret = stage.provider.lying_there = "n3w"
    await stage.source.token()

    reloaded = stage.new(a_spec(client_secrets=(Secret("n3w"),)))

    assert reloaded.cached() is not None


async def test_changed_secret_that_is_refused_too_is_remembered_under_itself() -> None:
    stage = Stage()
    stage.provider.secret, stage.provider.lying_there = "right", "n3w"

    assert isinstance(await stage.failure(), TokenRejected)
    assert isinstance(await stage.failure(), TokenBackoff)

    assert (len(stage.provider.asked), stage.provider.rereads) == (2, 1)
    assert stage.source.spec.client_secrets == (Secret("n3w"),)


async def test_unchanged_secret_is_not_tried_twice() -> None:
    stage = Stage()
    stage.provider.secret = "another"

    assert isinstance(await stage.failure(), TokenRejected)
    assert isinstance(await stage.failure(), TokenBackoff)

    assert (len(stage.provider.asked), stage.provider.rereads) == (1, 1)


async def test_source_that_is_gone_reports_the_refusal() -> None:
    stage = Stage()
    stage.provider.secret, stage.provider.lying_there = "another", None

    assert isinstance(await stage.failure(), TokenRejected)


async def test_secret_that_is_gone_is_reported_as_such() -> None:
    stage = Stage()
    stage.provider.secret, stage.provider.lying_there = "another", ""

    failure = await stage.failure()

    assert isinstance(failure, SecretUnavailable)
    assert (
        failure.detail == "idp refused: invalid_client, and its secret can't be read again: the file is gone"
    )
    assert failure.error == "invalid_client"


async def test_server_that_refused_is_left_alone_where_the_secret_is_gone() -> None:
    stage = Stage()
    stage.provider.secret, stage.provider.lying_there = "another", ""

    failures = [await stage.failure() for _ in range(3)]

    assert [type(failure) for failure in failures] == [SecretUnavailable, TokenBackoff, TokenBackoff]
    assert {failure.detail for failure in failures} == {failures[0].detail}
    assert len(stage.provider.asked) == 1


@pytest.mark.parametrize("failure", [refused("invalid_scope", status=400), TokenUnavailable("500")])
async def test_secret_is_not_read_again_when_the_client_was_not_refused(failure: TokenFailure) -> None:
    stage = Stage()
    stage.provider.failure = failure

    assert type(await stage.failure()) is type(failure)
    assert stage.provider.rereads == 0


async def test_source_without_rereading_reports_the_refusal() -> None:
    stage = Stage()
    stage.provider.secret = "another"
    prover = Prover(clock=FakeClock())
    stage.source = TokenSource(a_spec(), cache=stage.cache, fetch=stage.provider.fetch, prover=prover)

    assert isinstance(await stage.failure(), TokenRejected)


async def test_reading_again_ends_at_the_fetchs_own_deadline() -> None:
    stage = Stage(timeout_seconds=0.02)
    stage.provider.secret, stage.provider.reading = "another", asyncio.Event()

    async with asyncio.timeout(2):
        assert isinstance(await stage.failure(), TokenRejected)


async def test_waiter_that_goes_away_does_not_stop_a_move_to_the_new_secret() -> None:
    stage = Stage()
    stage.provider.secret = stage.provider.lying_there = "n3w"
    stage.provider.reading = asyncio.Event()
    waiting = asyncio.create_task(stage.source.token())
    await settle()

    waiting.cancel()
    stage.provider.reading.set()
    await settle()

    assert stage.source.cached() is not None


async def test_system_clock_runs_on_both_clocks() -> None:
    first, second = SystemClock().now(), SystemClock().now()

    assert second.boot >= first.boot > 0
    assert second.wall > 1_700_000_000
