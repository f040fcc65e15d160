"""DPoP at the authorization server (RFC 9449), by the statements of the checklist. At an API: tests/proxy."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from clientcreds_proxy.errors import TokenMalformed, TokenRejected
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.keeping.cache import TokenCache
from clientcreds_proxy.tokens.keeping.key import cache_key
from clientcreds_proxy.tokens.proof.prover import Prover
from clientcreds_proxy.tokens.source import TokenSource
from tests.simulators.authorization_server import AuthorizationServer, Reply
from tests.simulators.dpop import Proof, check
from tests.unit.tokens.making import START, FakeClock, a_spec

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def bound(kind: str | None = "DPoP", **headers: str) -> Reply:
    """An answer with a token of this type."""
    body = {"access_token": "t1", "token_type": kind, "expires_in": 3600}
    return Reply(body=json.dumps(body).encode(), headers=headers)


def wants(nonce: str | None, status: int = 400) -> Reply:
    """An answer that asks for a nonce, or forgets to say which."""
    headers = {} if nonce is None else {"DPoP-Nonce": nonce}
    return Reply(status=status, body=b'{"error":"use_dpop_nonce"}', headers=headers)


@dataclass(kw_only=True)
class Stage:
    """A source with DPoP and its server."""

    source: TokenSource
    server: AuthorizationServer
    prover: Prover

    def proofs(self) -> list[Proof]:
        """Those of all token requests, checked."""
        used = set[str]()
        url = self.server.token_url
        return [
            check(request.headers["dpop"], method="POST", url=url, used=used, now=START.wall)
            for request in self.server.seen
        ]

    def nonces(self) -> list[object]:
        """Which nonce each token request proved with."""
        return [proof.claims.get("nonce") for proof in self.proofs()]


@asynccontextmanager
async def stage(*replies: Reply, query: str = "", **spec: Any) -> AsyncIterator[Stage]:
    clock = FakeClock()
    prover = Prover(clock=clock)
    async with AuthorizationServer(replies=list(replies)).running() as server:
        source = TokenSource(
            a_spec(token_url=server.token_url + query, dpop=True, **spec),
            cache=TokenCache(clock=clock, chance=lambda: 0),
            fetch=HttpFetch(clock=clock, prover=prover, chance=lambda: 0),
            prover=prover,
        )
        yield Stage(source=source, server=server, prover=prover)


async def test_token_request_proves_that_the_key_is_ours() -> None:
    """J01, J02, J10: an ES256 proof for this POST to this URL without its query, public members alone."""
    async with stage(bound(), query="?tenant=acme#x") as it:
        obtained = await it.source.token()

        assert obtained.token.token_type == "DPoP"
        assert [proof.thumbprint for proof in it.proofs()] == [it.prover.thumbprint]


async def test_every_attempt_brings_a_new_proof() -> None:
    """J03, C09: another way to authenticate and a retry are new requests."""
    async with stage(Reply(status=401, body=b'{"error":"invalid_client"}'), Reply(status=503), bound()) as it:
        await it.source.token()

        assert len(it.proofs()) == 3


@pytest.mark.parametrize("kind", ["Bearer", "bearer", None, ""])
async def test_bearer_is_a_downgrade(kind: str | None) -> None:
    """J05: a token that is not bound is refused."""
    async with stage(bound(kind)) as it:
        with pytest.raises(TokenMalformed, match="DPoP proof and answered with a Bearer token"):
            await it.source.token()


async def test_another_type_is_refused() -> None:
    """J05: whatever else it is, it is not what was asked for."""
    async with stage(bound("mac")) as it:
        with pytest.raises(TokenMalformed, match="'mac', expected DPoP"):
            await it.source.token()


async def test_bound_token_is_refused_where_no_proof_was_sent() -> None:
    """J04: a DPoP token is never sent as Bearer."""
    async with stage(bound()) as it:
        fetch = HttpFetch(clock=FakeClock())

        with pytest.raises(TokenMalformed, match="expected Bearer; set dpop: true"):
            await fetch(a_spec(token_url=it.server.token_url))

        assert "dpop" not in it.server.seen[0].headers


async def test_nonce_is_brought_at_once() -> None:
    """J06: one more request, with the nonce and all else as before."""
    async with stage(wants("n-1"), bound()) as it:
        await it.source.token()

        assert it.nonces() == [None, "n-1"]
        assert it.server.seen[0].body == it.server.seen[1].body


async def test_nonce_is_brought_once() -> None:
    """J06: a server that is never content is not asked for ever."""
    async with stage(wants("n-1"), wants("n-2"), bound(), client_auth="client_secret_post") as it:
        with pytest.raises(TokenRejected) as refused:
            await it.source.token()

        assert refused.value.error == "use_dpop_nonce"
        assert it.nonces() == [None, "n-1"]


async def test_demand_without_a_nonce_is_a_refusal() -> None:
    """J06: there is nothing to bring."""
    async with stage(wants(None), bound()) as it:
        with pytest.raises(TokenRejected):
            await it.source.token()

        assert it.nonces() == [None]


async def test_latest_nonce_of_any_answer_is_used() -> None:
    """J08: a 200 and a 503 bring the next nonce, too."""
    first = bound(**{"DPoP-Nonce": "n-1"})
    async with stage(first, Reply(status=503, headers={"DPoP-Nonce": "n-2"}), bound()) as it:
        it.source.reject(await it.source.token())
        await it.source.token()

        assert it.nonces() == [None, "n-1", "n-2"]
        assert it.prover.api_nonces.of(it.server.token_url) is None


def test_key_of_the_cache_holds_the_thumbprint() -> None:
    """J09: a token lies under the key that it is bound to."""

    def keys() -> Iterator[str]:
        yield cache_key(a_spec())
        yield cache_key(a_spec(dpop=True), proof_key="one")
        yield cache_key(a_spec(dpop=True), proof_key="another")
        yield cache_key(a_spec(certificate_bound=True))

    assert len(set(keys())) == 4


async def test_key_is_kept_and_says_nothing() -> None:
    """J09: in memory, one for each source."""
    async with stage() as one, stage() as another:
        assert one.prover.thumbprint != another.prover.thumbprint
        assert one.source.key != another.source.key
        assert "ey" not in repr(one.prover.for_api_request("GET", "https://api/", Secret("t")))
