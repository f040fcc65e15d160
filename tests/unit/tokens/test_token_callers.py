import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from clientcreds_proxy.errors import (
    CallerUnauthorized,
    ProxyCallerUnauthorized,
    TokenFailure,
    TokenRejected,
    TokenUnavailable,
)
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.callers import Callers, SameWay
from clientcreds_proxy.tokens.credentials import Credentials
from clientcreds_proxy.tokens.keeping.cache import TokenCache
from clientcreds_proxy.tokens.keeping.entry import Standing
from clientcreds_proxy.tokens.model import Assertion, Caller, Obtained, SourceEvent, SourceSpec, TokenRequest
from clientcreds_proxy.tokens.proof.client_auth import Attempt, Granted, attempts
from clientcreds_proxy.tokens.proof.prover import Prover
from clientcreds_proxy.tokens.source import TokenSource
from tests.unit.tokens.making import FakeClock, a_spec, a_token, refused

pytestmark = pytest.mark.anyio


def who(name: str, secret: str = "right") -> Credentials:
    return Credentials(client_id=name, secret=Secret(secret))


@dataclass
class Desk:
    """A source whose server takes every client that says its secret is `right`."""

    most_known: int = 3
    most_unknown: int = 2
    changes: dict[str, Any] = field(default_factory=dict)
    failure: TokenFailure | None = None
    right: str = "right"
    lifetime: float = 3600
    asked: list[str] = field(default_factory=list)
    events: list[SourceEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.cache = TokenCache(clock=self.clock, observer=self.events.append, chance=lambda: 0)
        self.callers = Callers(
            a_spec(**({"client_id": "", "client_secrets": (), "caller": Caller()} | self.changes)),
            self.opened,
            key=b"k" * 32,
            most_known=self.most_known,
            most_unknown=self.most_unknown,
        )

    def opened(self, spec: SourceSpec) -> TokenSource:
        return TokenSource(spec, cache=self.cache, fetch=self.fetch, prover=Prover(clock=self.clock))

    async def fetch(self, spec: SourceSpec, worked: Attempt | None) -> Granted:
        self.asked.append(spec.client_id)
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        (attempt, *_) = attempts(spec, worked)
        if attempt.secret.reveal() != self.right:
            raise refused()
        token = a_token(
            f"{spec.client_id}-{len(self.asked)}", lifetime=self.lifetime, requested=self.clock.now()
        )
        return Granted(token=token, attempt=attempt)

    async def token(self, credentials: Credentials) -> str:
        return (await self.callers.token(credentials))[1].token.value.reveal()

    async def error(self, credentials: Credentials) -> CallerUnauthorized | TokenFailure:
        try:
            await self.callers.token(credentials)
        except (CallerUnauthorized, TokenFailure) as error:
            return error
        raise AssertionError("a token came")


def test_callers_say_who_they_are_where_their_source_looks() -> None:
    assert Desk(changes={"caller": Caller(places=("query", "body"))}).callers.places == ("query", "body")


async def test_each_caller_gets_a_token_of_its_own_once() -> None:
    desk = Desk()

    tokens = [await desk.token(who(name)) for name in ("a", "b", "a", "b")]

    assert tokens == ["a-1", "b-2", "a-1", "b-2"]
    assert desk.asked == ["a", "b"]


async def test_caller_s_source_is_its_own() -> None:
    desk = Desk()

    source, obtained = await desk.callers.token(who("a"))

    assert (source.spec.client_id, source.spec.client_secrets) == ("a", (Secret("right"),))
    assert source.key == obtained.key
    assert set(desk.callers.keys()) == {source.key}
    assert {event.caller for event in desk.events} == {"a"}


async def test_parts_of_credentials_do_not_run_together() -> None:
    desk = Desk()
    await desk.token(who("ab"))

    error = await desk.error(Credentials(client_id="a", secret=Secret("bright")))

    assert isinstance(error, CallerUnauthorized)


async def test_refused_caller_is_told_the_server_s_code_and_remembered() -> None:
    """Contract section 5; a new secret is tried at once."""
    desk = Desk()

    first, second = await desk.error(who("a", "wrong")), await desk.error(who("a", "wrong"))
    with pytest.raises(ProxyCallerUnauthorized):
        await desk.callers.token(who("a", "wrong"), ProxyCallerUnauthorized)

    assert [type(error) for error in (first, second)] == [CallerUnauthorized] * 2
    assert (first.error, second.error) == ("invalid_client", "invalid_client")
    assert desk.asked == ["a"]
    assert await desk.token(who("a")) == "a-2"
    desk.clock.advance(31)
    await desk.error(who("a", "wrong"))
    assert desk.asked == ["a", "a", "a"]


@pytest.mark.parametrize("failure", [TokenUnavailable("down"), TokenRejected("scope", error="invalid_scope")])
async def test_other_failures_stay_what_they_are(failure: TokenFailure) -> None:
    desk = Desk(failure=failure)

    error = await desk.error(who("a"))

    assert type(error) is type(failure)
    assert len(list(desk.callers.keys())) == 1  # its remembered failure counts


async def test_caller_whose_secret_was_changed_is_refused_from_then_on() -> None:
    desk = Desk()
    await desk.token(who("a"))

    desk.right = "new"
    desk.clock.advance(3600)
    error = await desk.error(who("a"))

    assert isinstance(error, CallerUnauthorized)
    assert await desk.token(who("a", "new")) == "a-3"


async def test_caller_with_a_token_survives_a_server_that_is_down() -> None:
    desk = Desk()
    await desk.token(who("a"))

    desk.failure = TokenUnavailable("down")
    desk.clock.advance(3600)

    assert isinstance(await desk.error(who("a")), TokenUnavailable)
    assert len(list(desk.callers.keys())) == 1


async def test_made_up_callers_push_out_no_other() -> None:
    desk = Desk()
    await desk.token(who("a"))
    await desk.token(who("b"))

    for number in range(50):
        await desk.error(who(f"made-up-{number}", "wrong"))

    assert [await desk.token(who(name)) for name in ("a", "b")] == ["a-1", "b-2"]
    assert len(list(desk.callers.keys())) == 4  # two of each kind
    assert len(desk.cache._slots) == 4


async def test_refused_caller_that_comes_again_and_again_stays_remembered() -> None:
    desk = Desk()

    for number in range(10):
        await desk.error(who("stubborn", "wrong"))
        await desk.error(who(f"made-up-{number}", "wrong"))

    assert desk.asked.count("stubborn") == 1


async def test_caller_that_was_away_for_longest_is_dropped_with_its_token() -> None:
    desk = Desk()
    for name in ("a", "b", "c"):
        await desk.token(who(name))

    await desk.token(who("a"))
    await desk.token(who("d"))

    assert len(desk.cache._slots) == 3
    assert await desk.token(who("a")) == "a-1"
    assert await desk.token(who("b")) == "b-5"


async def test_caller_that_is_pushed_out_while_it_is_tried_leaves_nothing_behind() -> None:
    desk = Desk()
    source = desk.callers._try(b"name", who("a", "wrong"), CallerUnauthorized)
    desk.callers._unknown.clear()

    desk.callers._note_failure(b"name", source, refused=True)

    assert desk.cache._slots == {}


async def test_latest_caller_says_how_things_are() -> None:
    desk = Desk()
    assert desk.callers.standing() is None

    await desk.error(who("b", "wrong"))
    refused_alone = desk.callers.standing()
    await desk.token(who("a"))
    desk.clock.advance(60)

    assert refused_alone is not None
    assert (refused_alone.state, refused_alone.expires_in) == ("backing_off", None)
    assert desk.callers.standing() == Standing(state="ok", expires_in=3530)


async def test_callers_with_a_token_are_counted_and_refused_ones_are_not() -> None:
    desk = Desk()
    await desk.token(who("a"))
    await desk.error(who("b", "wrong"))

    assert desk.callers.known == 1


async def test_two_callers_never_get_each_other_s_token_however_their_requests_interleave() -> None:
    """10,000 requests, while tokens end, are refused by an API, and dropped."""
    dice = random.Random(1)  # noqa: S311 - the same run each time
    desk = Desk(lifetime=30)
    wrong: list[tuple[str, str]] = []
    mishaps: list[Callable[[TokenSource, Obtained], object]] = [
        lambda source, obtained: source.reject(obtained),
        lambda *_: desk.clock.advance(5),
        lambda *_: desk.callers.purge(),
    ]

    async def request(name: str) -> None:
        for _ in range(dice.randrange(4)):
            await asyncio.sleep(0)
        source, obtained = await desk.callers.token(who(name))
        token = obtained.token.value.reveal()
        if not token.startswith(f"{name}-") or source.spec.client_id != name:
            wrong.append((name, token))
        if (happens := dice.randrange(50)) < len(mishaps):
            mishaps[happens](source, obtained)

    for _ in range(100):
        await asyncio.gather(*(request(dice.choice(("alice", "bob"))) for _ in range(100)))

    assert wrong == []
    assert len(desk.asked) > 200
    assert len(desk.cache._slots) <= 4


async def test_purged_callers_are_asked_about_again() -> None:
    desk = Desk()
    await desk.token(who("a"))
    await desk.error(who("b", "wrong"))

    desk.callers.purge()

    assert list(desk.callers.keys()) == []
    assert desk.cache._slots == {}
    assert await desk.token(who("a")) == "a-3"


@pytest.mark.parametrize(
    ("changes", "credentials", "why"),
    [
        (
            {"token_request": TokenRequest(basic_encoding="raw")},
            who("a:b"),
            "a colon ends the client id where basic_encoding is raw (RFC 7617 §2)",
        ),
        (
            {"client_auth": "client_secret_jwt", "assertion": Assertion(algorithm="HS384", key=None)},
            who("a", "x" * 47),
            "too short a client secret: HS384 takes 48 bytes or more",
        ),
    ],
)
async def test_credentials_that_can_not_be_sent_are_refused_without_asking(
    changes: dict[str, Any], credentials: Credentials, why: str
) -> None:
    desk = Desk(changes=changes)

    error = await desk.error(credentials)

    assert isinstance(error, CallerUnauthorized)
    assert error.detail == why
    assert list(desk.callers.keys()) == []


@pytest.mark.parametrize(
    ("changes", "credentials"),
    [
        ({"token_request": TokenRequest(basic_encoding="raw")}, who("a")),
        (
            {"client_auth": "client_secret_jwt", "assertion": Assertion(algorithm="HS256", key=None)},
            who("a", "x" * 32),
        ),
    ],
)
async def test_credentials_that_can_be_sent_are(changes: dict[str, Any], credentials: Credentials) -> None:
    desk = Desk(changes=changes, right=credentials.secret.reveal())

    assert await desk.token(credentials) == "a-1"


async def test_new_caller_begins_with_the_way_that_worked_for_the_last() -> None:
    ways: list[tuple[str, ...]] = []

    async def fetch(spec: SourceSpec, worked: Attempt | None) -> Granted:
        tries = attempts(spec, worked)
        ways.append(tuple(attempt.way for attempt in tries))
        return Granted(token=a_token(), attempt=next(attempt for attempt in tries if attempt.way == "post"))

    same_way = SameWay(fetch)
    spec = a_spec()
    first = await same_way(spec)
    await same_way(replace(spec, client_secrets=(Secret("other"),)))
    await same_way(spec, first.attempt)

    assert ways == [("basic_form", "post"), ("post", "basic_form"), ("post", "basic_form")]
