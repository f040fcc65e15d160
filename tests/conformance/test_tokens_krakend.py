"""KrakenD's token handling: the measured cases to match, and those where its bug is done better."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from clientcreds_proxy.errors import TokenFailure
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.keeping.cache import TokenCache
from clientcreds_proxy.tokens.model import Expiry
from clientcreds_proxy.tokens.proof.prover import Prover
from clientcreds_proxy.tokens.source import TokenSource
from tests.simulators.authorization_server import AuthorizationServer, Reply
from tests.unit.tokens.making import FakeClock, a_spec

pytestmark = pytest.mark.anyio

INVALID_CLIENT = Reply(status=401, body=b'{"error":"invalid_client"}')


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def backend_of(*replies: Reply | str, **spec: Any) -> AsyncIterator["Backend"]:
    """A source of tokens whose server gives these replies before it answers on its own."""
    written = [Reply(body=reply.encode()) if isinstance(reply, str) else reply for reply in replies]
    secret = spec.get("client_secrets", (Secret("s3cr3t"),))[0].reveal()
    clock = FakeClock()
    async with AuthorizationServer(replies=written, client_secret=secret).running() as server:
        source = TokenSource(
            a_spec(token_url=server.token_url, **spec),
            cache=TokenCache(clock=clock, chance=lambda: 0),
            fetch=HttpFetch(clock=clock, chance=lambda: 0),
            prover=Prover(clock=clock),
        )
        yield Backend(source=source, server=server, clock=clock)


@dataclass(kw_only=True)
class Backend:
    """What a KrakenD backend would be: a source of tokens, used by many requests."""

    source: TokenSource
    server: AuthorizationServer
    clock: FakeClock

    async def tokens(self, requests: int = 1) -> list[str]:
        """What as many requests at once got: a token, or the reason of the refusal."""
        return await asyncio.gather(*[self._token() for _ in range(requests)])

    async def _token(self) -> str:
        try:
            return (await self.source.token()).token.value.reveal()
        except TokenFailure as failure:
            return failure.reason

    @property
    def asked(self) -> list[tuple[bool, dict[str, str]]]:
        """Of each token request: whether it had Basic credentials, and its form."""
        return [("authorization" in seen.headers, seen.form) for seen in self.server.seen]


MATCHED = {
    "cc-201-created": Reply(status=201, body=b'{"access_token":"t","token_type":"bearer","expires_in":3600}'),
    "cc-resp-case-insensitive-keys": '{"Access_Token":"t","TOKEN_TYPE":"bearer","Expires_In":3600}',
    "cc-resp-expires-string": '{"access_token":"t","token_type":"bearer","expires_in":"3600"}',
    "cc-resp-form": "access_token=t&token_type=bearer&expires_in=3600",
    "cc-resp-json-as-html": Reply(body=b'{"access_token":"t"}', headers={"Content-Type": "text/html"}),
    "cc-resp-type-BEARER": '{"access_token":"t","token_type":"BEARER","expires_in":3600}',
    "cc-resp-type-missing": '{"access_token":"t","expires_in":3600}',
}
DONE_BETTER = {
    "cc-resp-expires-string-bad": '{"access_token":"t","token_type":"bearer","expires_in":"soon"}',
    "cc-resp-expires-string-empty": '{"access_token":"t","token_type":"bearer","expires_in":""}',
    "cc-resp-form-expires-float": "access_token=t&expires_in=5.0",
    "cc-resp-json-as-text-plain": Reply(body=b'{"access_token":"t"}', headers={"Content-Type": "text/plain"}),
    "cc-resp-utf8-bom": '\ufeff{"access_token":"t"}',
}


@pytest.mark.parametrize(
    "reply", [pytest.param(reply, id=case) for case, reply in (MATCHED | DONE_BETTER).items()]
)
async def test_answer_is_a_token_for_this_request_and_the_next(reply: Reply | str) -> None:
    """The case of the id."""
    async with backend_of(reply) as backend:
        assert await backend.tokens() + await backend.tokens() == ["t", "t"]
        assert len(backend.asked) == 1


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param('{"access_token":123,"expires_in":3600}', id="cc-resp-access-token-number"),
        pytest.param('{"token_type":"bearer","expires_in":3600}', id="cc-resp-no-access-token"),
        pytest.param("<html>", id="cc-resp-not-json"),
    ],
)
async def test_answer_without_a_token_fails_without_a_second_request(reply: str) -> None:
    """The case of the id; KrakenD asks four times for two requests."""
    async with backend_of(reply) as backend:
        assert await backend.tokens() + await backend.tokens() == ["token_malformed", "token_backoff"]
        assert len(backend.asked) == 1


async def test_scopes_and_audience_go_as_krakend_sends_them() -> None:
    """cc-basic-test."""
    audience = (("audience", ("http://api.example.com",)),)
    async with backend_of(scopes=("scope1", "scope2"), endpoint_params=audience) as backend:
        for _ in range(5):
            await backend.tokens()

        ((basic, form),) = backend.asked
        assert basic
        assert form == {
            "grant_type": "client_credentials",
            "scope": "scope1 scope2",
            "audience": "http://api.example.com",
        }


async def test_first_use_by_fifty_requests_asks_once() -> None:
    """cc-concurrent-first-use."""
    async with backend_of() as backend:
        assert await backend.tokens(50) == ["t1"] * 50
        assert len(backend.asked) == 1


async def test_failure_is_shared_by_those_who_wait() -> None:
    """cc-concurrent-failure-serialised: ten requests in KrakenD."""
    async with backend_of(*[Reply(status=503)] * 4) as backend:
        assert await backend.tokens(5) == ["token_unavailable"] * 5
        assert len(backend.asked) == 4


async def test_empty_secret_is_left_out_of_the_body() -> None:
    """cc-empty-secret."""
    async with backend_of(INVALID_CLIENT, '{"access_token":"t"}', client_secrets=(Secret(""),)) as backend:
        assert await backend.tokens() == ["t"]

        assert backend.server.seen[0].headers["authorization"] == "Basic YXBwOg=="
        assert backend.asked[1] == (False, {"grant_type": "client_credentials", "client_id": "app"})


async def test_grant_type_can_be_overridden() -> None:
    """cc-grant-type-override."""
    params = (("grant_type", ("password",)), ("username", ("u",)), ("password", ("p",)))
    async with backend_of(endpoint_params=params) as backend:
        await backend.tokens()

        assert backend.asked == [(True, {"grant_type": "password", "username": "u", "password": "p"})]


async def test_parameter_can_have_many_values() -> None:
    """cc-multi-valued-endpoint-param."""
    async with backend_of(endpoint_params=(("resource", ("https://a", "https://b")),)) as backend:
        await backend.tokens()

        assert backend.server.seen[0].body.endswith(b"resource=https%3A%2F%2Fa&resource=https%3A%2F%2Fb")


async def test_refresh_token_is_not_used() -> None:
    """cc-refresh-token-ignored."""
    short = '{"access_token":"t","refresh_token":"r","token_type":"bearer","expires_in":9}'
    async with backend_of(short) as backend:
        await backend.tokens()
        backend.clock.advance(9)

        assert await backend.tokens() == ["t2"]
        assert [form["grant_type"] for _, form in backend.asked] == ["client_credentials"] * 2


async def test_second_style_is_tried_once_and_remembered() -> None:
    """cc-style-probe-params."""
    short = '{"access_token":"tok1","token_type":"bearer","expires_in":11}'
    async with backend_of(INVALID_CLIENT, short) as backend:
        assert await backend.tokens() == ["tok1"]
        backend.clock.advance(11)

        assert await backend.tokens() == ["t3"]
        assert [basic for basic, _ in backend.asked] == [True, False, False]


async def test_refused_client_costs_two_requests_and_then_none() -> None:
    """cc-style-probe-both-fail: two for every API request in KrakenD."""
    async with backend_of(*[INVALID_CLIENT] * 4) as backend:
        assert await backend.tokens() + await backend.tokens() == ["token_rejected", "token_backoff"]
        assert len(backend.asked) == 2


async def test_ill_server_is_asked_again_in_the_same_style() -> None:
    """cc-probe-on-500."""
    async with backend_of(Reply(status=500)) as backend:
        assert await backend.tokens() == ["t2"]
        assert [basic for basic, _ in backend.asked] == [True, True]


@pytest.mark.parametrize("expires_in", ["0", "null"])
async def test_token_never_expires_where_krakends_behaviour_is_chosen(expires_in: str) -> None:
    """cc-resp-expires-missing, cc-resp-expires-null: a choice here, `default_ttl_seconds: never`."""
    reply = f'{{"access_token":"t","expires_in":{expires_in}}}'
    async with backend_of(reply, expiry=Expiry(default_ttl_seconds="never")) as backend:
        await backend.tokens()
        backend.clock.advance(1e9)

        assert await backend.tokens() == ["t"]


async def test_token_without_life_is_fetched_for_each_request() -> None:
    """cc-resp-expires-negative."""
    async with backend_of('{"access_token":"t","expires_in":-1}') as backend:
        assert await backend.tokens() + await backend.tokens() == ["t", "t2"]
