"""Tokens by key: one fetch at a time for each, however many requests wait for it.

A flight (the fetch) belongs to the cache; whoever waits holds a future of their own, so that a waiter
that goes away takes nothing with it. Between reading an entry and changing it nothing is awaited: that is
the only lock. Not in it: the numbers (`entry.py`) and the network (`tokens/fetch.py`).
"""

import asyncio
import contextvars
import random
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

from clientcreds_proxy.errors import InternalError, Refusal, ShuttingDown, TokenFailure
from clientcreds_proxy.tokens.ending import end
from clientcreds_proxy.tokens.keeping.entry import Entry, Standing, again
from clientcreds_proxy.tokens.model import Clock, Observer, SourceEvent, Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is asked of the cache: the token under `key`, and how to fetch it."""

    key: str
    source: str  # named in events
    caller: str | None = None  # the same, where the source's callers have credentials of their own
    skew_seconds: float
    fetch: Callable[[], Awaitable[Token]]  # bounded in time; raises a TokenFailure


@dataclass(slots=True, eq=False)
class _Slot:
    """An entry with what is under way for it."""

    entry: Entry = field(default_factory=Entry)
    flying: bool = False
    waiters: set[asyncio.Future[Token | Refusal]] = field(default_factory=set)


class TokenCache:
    """All tokens of one event loop."""

    def __init__(
        self,
        *,
        clock: Clock,
        observer: Observer = lambda _: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._observer = observer
        self._chance = chance
        self._slots: dict[str, _Slot] = {}
        self._flights: set[asyncio.Task[Token]] = set()  # the loop itself holds tasks only weakly
        self._closed = False

    def cached(self, demand: Demand) -> Token | None:
        """The token if it is there and not past: at once, without a task; where due, its renewal begins."""
        slot = self._slots.get(demand.key)
        if slot is None:
            return None
        now = self._clock.now()
        token = slot.entry.usable(now)
        if token is not None and not slot.flying and slot.entry.renewal_due(now) and not self._closed:
            self._take_off(slot, demand)
        return token

    async def get(self, demand: Demand) -> Token:
        """The token, waited for if need be; raises a TokenFailure (or another Refusal: a bug, the end)."""
        token = self.cached(demand)
        if token is not None:
            return token
        if self._closed:
            raise ShuttingDown("the proxy is shutting down; no token is fetched any more")
        slot = self._slots.setdefault(demand.key, _Slot())
        if not slot.flying:
            backoff = slot.entry.refusal(self._clock.now())
            if backoff is not None:
                raise backoff
            self._take_off(slot, demand)
        waiter: asyncio.Future[Token | Refusal] = asyncio.get_running_loop().create_future()
        slot.waiters.add(waiter)
        try:
            outcome = await waiter
        finally:
            slot.waiters.discard(waiter)
        if isinstance(outcome, Token):
            return outcome
        raise again(outcome) if isinstance(outcome, TokenFailure) else outcome

    def standing(self, key: str) -> Standing | None:
        """How things are under a key; None where nothing was asked for yet, or it was forgotten."""
        slot = self._slots.get(key)
        return None if slot is None else slot.entry.standing(self._clock.now())

    def last(self, key: str) -> Token | None:
        """The last token that was held under a key, past or rejected as it may be: a fetch replaces it."""
        slot = self._slots.get(key)
        return None if slot is None else slot.entry.last

    def holds(self, key: str, token: Token) -> bool:
        """Whether this is the token that the next request would get."""
        slot = self._slots.get(key)
        return slot is not None and slot.entry.held is not None and slot.entry.held.token == token

    def reject(self, key: str, token: Token) -> bool:
        """Tell that an API answered 401 to this token; whether `get` can now bring another one."""
        slot = self._slots.get(key)
        return slot is None or slot.entry.drop(token, self._clock.now())

    def forget(self, key: str) -> None:
        """Drop what is known under a key. A flight under way still serves its waiters, and nobody else."""
        self._slots.pop(key, None)

    def keep_only(self, keys: Collection[str]) -> None:
        """Forget every key that is not among these (after a change of the configuration)."""
        self._slots = {key: slot for key, slot in self._slots.items() if key in keys}

    def pardon(self) -> None:
        """Forget for how long no token request may be made, under every key."""
        for slot in self._slots.values():
            slot.entry.pardon()

    def purge(self) -> None:
        """Forget everything, remembered failures included."""
        self._slots.clear()

    async def aclose(self) -> None:
        """End all flights; whoever waits is told so."""
        self._closed = True
        await end(tuple(self._flights))

    def _take_off(self, slot: _Slot, demand: Demand) -> None:
        slot.flying = True
        # An empty context: the request that happens to start the flight must not lend it its variables.
        context = contextvars.Context()
        flight = asyncio.get_running_loop().create_task(_fetch(demand), context=context)
        self._flights.add(flight)
        flight.add_done_callback(lambda flight: self._land(slot, demand, flight), context=context)

    def _land(self, slot: _Slot, demand: Demand, flight: asyncio.Task[Token]) -> None:
        self._flights.discard(flight)
        slot.flying = False
        outcome = self._outcome(flight)
        if isinstance(outcome, InternalError) and not slot.waiters:  # nobody else would ever hear of it
            flight.get_loop().call_exception_handler({"message": outcome.detail, "exception": outcome})
        event = self._note(slot.entry, demand, outcome) if not isinstance(outcome, ShuttingDown) else None
        for waiter in slot.waiters:
            if not waiter.done():
                waiter.set_result(outcome)
        slot.waiters = set()
        if event is not None and self._slots.get(demand.key) is slot:
            self._observer(event)

    def _outcome(self, flight: asyncio.Task[Token]) -> Token | Refusal:
        if flight.cancelled():
            if self._closed:
                return ShuttingDown("the proxy is shutting down; the token was not fetched any more")
            return InternalError("the token request was cancelled")
        match flight.exception():
            case None:
                return flight.result()
            case Refusal() as refusal:
                return refusal
            case bug:
                failure = InternalError("the token request failed for a reason of our own")
                failure.__cause__ = bug
                return failure

    def _note(self, entry: Entry, demand: Demand, outcome: Token | Refusal) -> SourceEvent | None:
        now = self._clock.now()
        if isinstance(outcome, Token):
            first = not entry.ever_fetched
            change = entry.store(outcome, now, skew_seconds=demand.skew_seconds, chance=self._chance())
            return SourceEvent(
                source=demand.source,
                caller=demand.caller,
                change=change,
                news=first or change != "fetched",
                fingerprint=outcome.value.fingerprint,
                lifetime=outcome.lifetime,
                taken=outcome.taken,
            )
        if not isinstance(outcome, TokenFailure):
            entry.postpone_renewal(now)  # a bug: nothing to remember, but not to be repeated at every use
            return None
        before = entry.remembered
        change = entry.remember(outcome, now)
        return SourceEvent(
            source=demand.source,
            caller=demand.caller,
            change=change,
            news=change != "failed" or before is None or before.detail != outcome.detail,
            failure=again(outcome),
            next_try_seconds=max(0.0, entry.blocked_until - now.boot),
        )


async def _fetch(demand: Demand) -> Token:
    return await demand.fetch()
