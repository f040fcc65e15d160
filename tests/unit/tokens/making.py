"""What the tests of the tokens room are made of."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from clientcreds_proxy.errors import TokenFailure, TokenRejected
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.keeping.cache import Demand, TokenCache
from clientcreds_proxy.tokens.model import ErrorAnswer, Instant, SourceEvent, SourceSpec, Token

START = Instant(boot=1_000.0, wall=1_800_000_000.0)


@dataclass
class FakeClock:
    """A clock that stands still unless told."""

    boot: float = START.boot
    wall: float = START.wall

    def now(self) -> Instant:
        return Instant(boot=self.boot, wall=self.wall)

    def advance(self, seconds: float) -> None:
        self.boot += seconds
        self.wall += seconds


def a_spec(**changes: Any) -> SourceSpec:
    values: dict[str, Any] = {
        "name": "billing",
        "token_url": "https://idp.example.com/token",
        "client_id": "app",
        "client_secrets": (Secret("s3cr3t"),),
    }
    return SourceSpec(**(values | changes))


def a_token(value: str = "t1", *, lifetime: float | None = 3600, requested: Instant = START) -> Token:
    return Token(value=Secret(value), lifetime=lifetime, requested=requested)


def refused(error: str | None = "invalid_client", *, status: int = 401) -> TokenRejected:
    failure = TokenRejected(f"idp refused: {error}", error=error)
    failure.__cause__ = ErrorAnswer(status=status, error=error, description="so sorry")
    return failure


@dataclass
class Endpoint:
    """An authorization server behind the fetch port: token 1, 2, … for an hour, unless told otherwise."""

    clock: FakeClock
    lifetime: float | None = 3600
    failure: Exception | None = None
    open: asyncio.Event | None = None  # no answer before it is set
    requests: int = 0

    async def fetch(self) -> Token:
        self.requests += 1
        number, requested = self.requests, self.clock.now()
        if self.open is not None:
            await self.open.wait()
        if self.failure is not None:
            raise self.failure
        return a_token(f"t{number}", lifetime=self.lifetime, requested=requested)


@dataclass
class World:
    """A cache, its clock, its server, and what its observer heard."""

    clock: FakeClock = field(default_factory=FakeClock)
    chance: float = 0.0
    events: list[SourceEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.endpoint = Endpoint(self.clock)
        self.cache = TokenCache(clock=self.clock, observer=self.events.append, chance=lambda: self.chance)
        self.demand = Demand(key="k", source="billing", skew_seconds=10, fetch=self.endpoint.fetch)

    async def get(self) -> str:
        return (await self.cache.get(self.demand)).value.reveal()

    def cached(self) -> str | None:
        token = self.cache.cached(self.demand)
        return None if token is None else token.value.reveal()

    async def failure(self) -> TokenFailure:
        """How the next request for a token fails."""
        try:
            await self.cache.get(self.demand)
        except TokenFailure as failure:
            return failure
        raise AssertionError("a token came")

    async def fail(self, *failures: TokenFailure) -> None:
        """Let the server fail, once for each of these."""
        for self.endpoint.failure in failures:
            await self.failure()
        self.endpoint.failure = None


async def settle() -> None:
    """Let everything run that can run without time passing."""
    for _ in range(10):
        await asyncio.sleep(0)
