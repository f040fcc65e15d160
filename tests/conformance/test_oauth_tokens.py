"""Statements of the checklist about one token: asking for it, reading it, keeping it."""

import asyncio
import json
from typing import Any

import pytest

from clientcreds_proxy.errors import TokenFailure, TokenMalformed, TokenRejected, TokenUnavailable
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.keeping.cache import TokenCache
from clientcreds_proxy.tokens.model import Assertion, Client, SourceSpec
from clientcreds_proxy.tokens.proof.prover import Prover
from clientcreds_proxy.tokens.server.session import _Patience
from clientcreds_proxy.tokens.source import TokenSource
from tests.simulators.authorization_server import AuthorizationServer, Reply, Seen
from tests.unit.tokens.making import FakeClock, World, a_spec, settle

pytestmark = pytest.mark.anyio

SECRET = "c4nary" * 8
SHARED = Assertion(algorithm="HS256", key=None)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def source_of(spec: SourceSpec, clock: FakeClock) -> TokenSource:
    """The source with a cache of its own, which asks over HTTP."""
    prover = Prover(clock=clock)
    cache = TokenCache(clock=clock, observer=lambda _: None, chance=lambda: 0.0)
    return TokenSource(spec, cache=cache, fetch=HttpFetch(clock=clock, prover=prover), prover=prover)


async def failures(count: int, *replies: Reply, **spec: Any) -> tuple[list[TokenFailure], int]:
    """How so many requests for a token fail, and how many requests the server saw."""
    failed = []
    async with AuthorizationServer(replies=list(replies)).running() as server:
        source = source_of(a_spec(token_url=server.token_url, **spec), FakeClock())
        for _ in range(count):
            with pytest.raises(TokenFailure) as raised:
                await source.token()
            failed.append(raised.value)
    return failed, len(server.seen)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_auth": "client_secret_basic"},
        {"client_auth": "client_secret_post"},
        {"client_auth": "client_secret_jwt", "assertion": SHARED},
    ],
)
async def test_secret_is_in_no_url(changes: dict[str, Any]) -> None:
    """A14."""
    async with AuthorizationServer(answers=granted).running() as server:
        spec = a_spec(token_url=server.token_url, client_secrets=(Secret(SECRET),), **changes)
        await HttpFetch(clock=FakeClock())(spec)

    assert server.seen[0].target == "/token"


async def test_no_cookie_goes_to_the_next_request_or_another_source() -> None:
    """A25."""
    reply = Reply(body=b'{"access_token": "t"}', headers={"Set-Cookie": "sid=1; Path=/; Domain=localhost"})
    async with AuthorizationServer(replies=[reply] * 3).running() as server:
        spec = a_spec(token_url=server.token_url)
        fetch = HttpFetch(clock=FakeClock())
        for _ in range(2):
            await fetch(spec)
        await HttpFetch(clock=FakeClock())(spec)

    assert ["cookie" in seen.headers for seen in server.seen] == [False] * 3


@pytest.mark.parametrize(
    "body", [b'{"token_type": "Bearer"}', b'{"access_token": ""}', b'{"access_token": 1}']
)
async def test_answer_without_a_token_leaves_nothing_behind(body: bytes) -> None:
    """B02."""
    (failure,), requests = await failures(1, Reply(body=body))

    assert (type(failure), requests) == (TokenMalformed, 1)

    async with AuthorizationServer(replies=[Reply(body=body)]).running() as server:
        clock = FakeClock()
        source = source_of(a_spec(token_url=server.token_url), clock)
        with pytest.raises(TokenMalformed):
            await source.token()
        assert source.cached() is None
        clock.advance(31)
        assert (await source.token()).token.value == Secret("t2")


async def test_token_without_life_serves_those_who_waited_alone() -> None:
    """B07."""
    world = World()
    world.endpoint.lifetime = 0

    together = await asyncio.gather(*[world.get() for _ in range(5)])

    assert set(together) == {"t1"}
    assert world.cached() is None
    assert await world.get() == "t2"


@pytest.mark.parametrize("lifetime", [1e9, 1e30, 1.7e308])
async def test_endless_life_breaks_nothing(lifetime: float) -> None:
    """B10."""
    world = World()
    world.endpoint.lifetime = lifetime

    await world.get()
    world.clock.advance(86_400 * 365)

    assert world.cached() == "t1"
    await settle()
    assert world.endpoint.requests == 1


async def test_life_begins_before_the_request_leaves() -> None:
    """B13: the answer took a minute."""
    clock = FakeClock()

    def slowly(_: Seen) -> Reply:
        clock.advance(60)
        return granted(_)

    async with AuthorizationServer(answers=slowly).running() as server:
        source = source_of(a_spec(token_url=server.token_url), clock)
        await source.token()

        clock.advance(3600 - 60 - 10 - 1)
        assert source.cached() is not None
        clock.advance(1)
        assert source.cached() is None


async def test_no_http_cache_answers_a_token_request() -> None:
    """B26."""
    reply = Reply(
        body=b'{"access_token": "t", "token_type": "Bearer", "expires_in": 3600}',
        headers={
            "Cache-Control": "public, max-age=3600",
            "ETag": '"1"',
            "Expires": "Fri, 15 Jan 2038 08:00:00 GMT",
        },
    )
    async with AuthorizationServer(replies=[reply] * 2).running() as server:
        fetch = HttpFetch(clock=FakeClock())
        spec = a_spec(token_url=server.token_url)
        tokens = [(await fetch(spec)).token for _ in range(2)]

    assert len(server.seen) == 2
    assert "if-none-match" not in server.seen[1].headers
    assert [token.lifetime for token in tokens] == [3600, 3600]


async def test_refresh_token_brings_no_other_grant() -> None:
    """B16."""
    reply = Reply(
        body=b'{"access_token": "t", "expires_in": 0, "refresh_token": "r", "token_type": "Bearer"}'
    )
    async with AuthorizationServer(replies=[reply] * 2).running() as server:
        source = source_of(a_spec(token_url=server.token_url), FakeClock())
        for _ in range(2):
            await source.token()

    assert [seen.form["grant_type"] for seen in server.seen] == ["client_credentials"] * 2
    assert not any(b"refresh" in seen.body for seen in server.seen)


@pytest.mark.parametrize("body", [b"", b"<html>Sign in</html>"])
async def test_page_instead_of_a_token_is_asked_for_again(body: bytes) -> None:
    """B22 (Envoy #42009: an empty 200 ended all renewals)."""
    async with AuthorizationServer(replies=[Reply(body=body)]).running() as server:
        clock = FakeClock()
        source = source_of(a_spec(token_url=server.token_url), clock)
        with pytest.raises(TokenMalformed):
            await source.token()
        clock.advance(2)

        assert (await source.token()).token.value == Secret("t2")


@pytest.mark.parametrize(
    "error",
    [
        "invalid_client",
        "invalid_request",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_target",
        "a_word_of_its_own",
    ],
)
@pytest.mark.parametrize("status", [400, 401])
async def test_decided_is_decided(error: str, status: int) -> None:
    """C02, C05: no retry, and nothing is asked for the next requests."""
    reply = Reply(status=status, body=json.dumps({"error": error}).encode())

    failed, requests = await failures(20, *[reply] * 20, client_auth="client_secret_basic")

    assert type(failed[0]) is TokenRejected
    assert {failure.error for failure in failed} == {error}
    assert requests == 1


async def test_retries_are_three_at_most_by_default() -> None:
    """C09."""
    async with AuthorizationServer(replies=[Reply(status=500)] * 9).running() as server:
        with pytest.raises(TokenFailure):
            await HttpFetch(clock=FakeClock(), chance=lambda: 0.0)(a_spec(token_url=server.token_url))

    assert len(server.seen) == 4


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
async def test_retries_spread_over_a_doubling_time(chance: float) -> None:
    """C09: full jitter, from a quarter of a second on."""
    patience = _Patience(retries=3, left=lambda: 60.0, chance=lambda: chance)

    waits = [patience.wait(TokenUnavailable("500")) for _ in range(4)]

    assert waits == [chance * 0.25, chance * 0.5, chance * 1.0, False]


async def test_every_retry_has_an_assertion_of_its_own() -> None:
    """C09, E07."""
    async with AuthorizationServer(replies=[Reply(status=503)] * 3, answers=granted).running() as server:
        spec = a_spec(
            token_url=server.token_url,
            client_auth="client_secret_jwt",
            client_secrets=(Secret(SECRET),),
            assertion=SHARED,
            client=Client(max_retries=3),
        )
        await HttpFetch(clock=FakeClock(), chance=lambda: 0.0)(spec)

    assert len({seen.form["client_assertion"] for seen in server.seen}) == len(server.seen) == 4


@pytest.mark.parametrize("given", ["cut", "silent"])
async def test_broken_and_silent_connections_end_in_time(given: str) -> None:
    """A27, C06."""
    async with AuthorizationServer(silent=given == "silent").running() as server:
        server.replies = [Reply(cut=True)] * 9
        spec = a_spec(token_url=server.token_url, client=Client(timeout_seconds=0.3))
        async with asyncio.timeout(2):
            with pytest.raises(TokenFailure):
                await HttpFetch(clock=FakeClock(), chance=lambda: 0.0)(spec)

    assert len(server.seen) == (4 if given == "cut" else 1)


async def test_each_resource_has_a_token_of_its_own() -> None:
    """G04."""
    async with AuthorizationServer().running() as server:
        clock = FakeClock()
        prover = Prover(clock=clock)
        cache = TokenCache(clock=clock, observer=lambda _: None, chance=lambda: 0.0)
        tokens = {}
        for resource in ("https://a.example", "https://b.example", "https://a.example"):
            spec = a_spec(token_url=server.token_url, resource=(resource,))
            source = TokenSource(spec, cache=cache, fetch=HttpFetch(clock=clock), prover=prover)
            tokens[resource] = (await source.token()).token.value.reveal()

    assert tokens == {"https://a.example": "t1", "https://b.example": "t2"}
    assert [seen.form["resource"] for seen in server.seen] == list(tokens)


async def test_bound_token_serves_its_own_key_alone() -> None:
    """J09: two sources that are equal but for their keys share no entry of the cache."""
    clock = FakeClock()
    bound, usual = a_spec(dpop=True), a_spec()

    assert source_of(bound, clock).key != source_of(bound, clock).key
    assert source_of(usual, clock).key == source_of(usual, clock).key


def granted(_: Seen) -> Reply:
    """A token for an hour, whoever asks."""
    return Reply(body=b'{"access_token": "t", "token_type": "Bearer", "expires_in": 3600}')
