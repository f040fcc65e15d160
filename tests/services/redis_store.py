"""What two processes have of one store on a real Redis, and an authorization server for both."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.clock import SystemClock
from clientcreds_proxy.tokens.model import RedisSpec, StoreSpec, Token
from clientcreds_proxy.tokens.stores.redis import RedisBackend
from clientcreds_proxy.tokens.stores.store import StoreEvent, TokenStore
from clientcreds_proxy.tokens.stores.wanted import Wanted
from tests.services.conftest import PATIENCE
from tests.services.redis_server import RedisServer

SECRET = Secret("made up, 16 or more")
PASSWORD = "made-up-for-redis"


@dataclass
class Tokens:
    """An authorization server behind the fetch port."""

    requests: int = 0
    lifetime: float | None = 3600

    async def fetch(self) -> Token:
        self.requests += 1
        value = Secret(f"token-{self.requests}")
        return Token(value=value, lifetime=self.lifetime, requested=SystemClock().now())


@dataclass
class Process:
    """What one process has of a store."""

    spec: RedisSpec
    tokens: Tokens
    secrets: tuple[Secret, ...] = (SECRET,)
    events: list[StoreEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        spec = StoreSpec(name="shared", redis=self.spec, secrets=self.secrets)
        self.store = TokenStore(spec, RedisBackend(self.spec), clock=SystemClock(), tell=self.events.append)

    async def token(self, key: str = "k", replacing: Token | None = None) -> str:
        return (await self.obtained(key, replacing)).value.reveal()

    async def obtained(self, key: str = "k", replacing: Token | None = None) -> Token:
        wanted = Wanted(key=key, skew_seconds=10, timeout_seconds=2, replacing=replacing)
        return await self.store.token(wanted, self.tokens.fetch)

    async def told(self, *changes: str) -> None:
        """Wait until these changes, and no others, have been told."""
        async with asyncio.timeout(PATIENCE):
            while [event.change for event in self.events] != list(changes):  # noqa: ASYNC110 - it tells the log
                await asyncio.sleep(0.01)


@asynccontextmanager
async def two(spec: RedisSpec, *secrets: Secret) -> AsyncIterator[tuple[Process, Process, Tokens]]:
    tokens = Tokens()
    first, second = (Process(spec, tokens, secrets or (SECRET,)) for _ in range(2))
    try:
        yield first, second, tokens
    finally:
        await first.store.aclose()
        await second.store.aclose()


def at(*servers: RedisServer, **more: Any) -> RedisSpec:
    return RedisSpec(endpoints=tuple(("127.0.0.1", server.port) for server in servers), **more)
