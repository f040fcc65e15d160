"""Tokens that several processes share: one token request for all. Each one's memory stays in front.

Whoever finds no token in the store takes the key's lock and asks the authorization server; the others look
for the token until it is there. A lock ends by itself, so a process that dies in between delays the others
and nothing more. It carries a fence: only whoever has the lock may write, so a process that was stopped and
goes on later can't put an older token over a newer one.

A store that does not answer costs one short wait; after that, tokens are fetched as if there were none
(`reach.py`). Not in it: how long one waits (`wanted.py`), what a record looks like (`record.py`), and Redis
(`redis.py`).
"""

import asyncio
import contextvars
import random
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from clientcreds_proxy.tokens.model import Clock, StoreSpec, Token
from clientcreds_proxy.tokens.stores.backend import Backend, Busy, Found, Locked, StoreDown
from clientcreds_proxy.tokens.stores.reach import Reach
from clientcreds_proxy.tokens.stores.record import Seal, mark_of, seconds_left
from clientcreds_proxy.tokens.stores.wanted import Patience, Wanted

KEEP_SECONDS = 86_400.0  # a token that never expires: long enough for a restart, and no key stays for ever
CLOSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreEvent:
    """A change of a store's state."""

    store: str
    change: Literal["down", "up", "unreadable"]
    why: str | None = None


class TokenStore:
    """One store of the configuration, for all sources that name it."""

    def __init__(  # noqa: PLR0913 - ports, each by its name
        self,
        spec: StoreSpec,
        backend: Backend,
        *,
        clock: Clock,
        tell: Callable[[StoreEvent], None],
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,  # while another process fetches
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,  # while the store is down
    ) -> None:
        self._spec = spec
        self._backend = backend
        self._clock = clock
        self._tell = tell
        self._chance = chance
        self._sleep = sleep
        self._seals = tuple(Seal(secret, prefix=spec.key_prefix) for secret in spec.secrets)
        self._reach = Reach(backend.look, self._changed, pause=pause)
        self._errands: dict[str, asyncio.Task[None]] = {}  # what is still to be removed, by cache key
        self._unreadable: set[str] = set()

    @property
    def spec(self) -> StoreSpec:
        """As configured."""
        return self._spec

    @property
    def why_down(self) -> str | None:
        """Why it is not used now; None: it is."""
        return self._reach.why

    def warm_up(self) -> None:
        """Connect in the background."""
        name = self._seals[0].name("")
        self._run_errand("", self._reach.warm_up(name, partial(self._backend.read, name)))

    async def token(self, wanted: Wanted, fetch: Callable[[], Awaitable[Token]]) -> Token:
        """A token of another process, or one that is fetched, by one process at a time."""
        errand = self._errands.get(wanted.key)
        if errand is not None:
            await asyncio.wait((errand,))
        try:
            turn = await self._turn(wanted)
        except StoreDown:
            turn = None
        match turn:
            case Token():
                return turn
            case None:
                return await fetch()
            case fence:
                return await self._fetch_for_all(wanted, fence, fetch)

    def drop(self, key: str, token: Token) -> None:
        """Remove the token that an API rejected, unless another one has taken its place."""
        self._run_errand(key, self._remove(key, token))

    def forget(self, key: str) -> None:
        """Remove whatever token is there."""
        self._run_errand(key, self._remove(key, None))

    async def aclose(self) -> None:
        """Close the connections."""
        if self._errands:
            await asyncio.wait(self._errands.values(), timeout=CLOSE_SECONDS)
        for errand in self._errands.values():
            errand.cancel()
        await self._reach.aclose()
        await self._backend.aclose()

    async def _turn(self, wanted: Wanted) -> Token | str | None:
        """A token of another process; else the fence to fetch one under; else None: fetch, and keep it."""
        token = await self._older(wanted)
        if token is not None:
            return token
        fence = secrets.token_hex(16)
        patience = Patience(lock_seconds=wanted.lock_seconds, chance=self._chance)
        unwanted = b"" if wanted.replacing is None else self._seals[0].mark(wanted.replacing)
        while True:
            claim = await self._claim(wanted, unwanted=unwanted, fence=fence)
            if isinstance(claim, Locked):
                return fence
            if isinstance(claim, Found):
                token = self._opened(self._seals[0], wanted, claim)
                mark = mark_of(claim.record)
                if token is not None or mark == unwanted:  # which the store was told not to give
                    return token
                unwanted = mark
            else:
                seconds = patience.wait(claim, self._clock.now().boot)
                if seconds is None:
                    return None
                await self._sleep(seconds)

    async def _claim(self, wanted: Wanted, *, unwanted: bytes, fence: str) -> Found | Locked | Busy:
        name = self._seals[0].name(wanted.key)
        claim = partial(
            self._backend.claim, name, unwanted=unwanted, fence=fence, lock_seconds=wanted.lock_seconds
        )
        return await self._reach.ask(name, claim)

    async def _older(self, wanted: Wanted) -> Token | None:
        """A token that a process wrote which does not write with our first secret (yet, or any more)."""
        for seal in self._seals[1:]:
            name = seal.name(wanted.key)
            found = await self._reach.ask(name, partial(self._backend.read, name))
            token = None if found is None else self._opened(seal, wanted, found)
            if token is not None:
                return token
        return None

    def _opened(self, seal: Seal, wanted: Wanted, found: Found) -> Token | None:
        """The token in a record, if it is one of ours and of use."""
        name = seal.name(wanted.key)
        token = seal.open(found.record, name=name, now=self._clock.now(), seconds_left=found.seconds_left)
        if token is not None:
            self._unreadable.discard(name)
        elif name not in self._unreadable:
            self._unreadable.add(name)
            why = "a token there was changed, or sealed with another secret; it is not used"
            self._tell(StoreEvent(store=self._spec.name, change="unreadable", why=why))
        return token if token is not None and wanted.is_met_by(token, self._clock) else None

    async def _fetch_for_all(
        self, wanted: Wanted, fence: str, fetch: Callable[[], Awaitable[Token]]
    ) -> Token:
        token = None
        try:
            token = await fetch()
            return token
        finally:  # whatever happened, the others need not wait any longer
            with suppress(StoreDown):
                await self._share(wanted.key, fence, token)

    async def _share(self, key: str, fence: str, token: Token | None) -> None:
        seal = self._seals[0]
        name = seal.name(key)
        left = 0.0 if token is None else seconds_left(token, self._clock.now())
        keep = KEEP_SECONDS if left is None else left
        if token is None or keep <= 0:
            await self._reach.ask(name, partial(self._backend.release, name, fence=fence))
            return
        record = seal.close(token, name=name)
        publish = partial(self._backend.publish, name, fence=fence, record=record, keep_seconds=keep)
        await self._reach.ask(name, publish)
        self._unreadable.discard(name)

    async def _remove(self, key: str, token: Token | None) -> None:
        for seal in self._seals:
            name, mark = seal.name(key), None if token is None else seal.mark(token)
            with suppress(StoreDown):
                await self._reach.ask(name, partial(self._backend.drop, name, mark=mark))

    def _run_errand(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        """Do this after what is under way for the key, while the requests go on."""
        context = contextvars.Context()  # the request that gave rise to it must not lend it its variables
        task = asyncio.get_running_loop().create_task(_after(self._errands.get(key), work), context=context)
        self._errands[key] = task

        def done(task: asyncio.Task[None]) -> None:
            if self._errands.get(key) is task:
                del self._errands[key]

        task.add_done_callback(done, context=context)

    def _changed(self, why: str | None) -> None:
        change: Literal["down", "up"] = "up" if why is None else "down"
        self._tell(StoreEvent(store=self._spec.name, change=change, why=why))


async def _after(before: asyncio.Task[None] | None, work: Coroutine[Any, Any, None]) -> None:
    if before is not None:
        await asyncio.wait((before,))
    await work
