"""One key of the cache: its token and when that is past, its failures and how long they are remembered.

Every number of a token's life stands here. Not in it: flights and waiters (`cache.py`).
"""

from dataclasses import dataclass
from typing import Literal

from clientcreds_proxy.errors import (
    SecretUnavailable,
    TokenBackoff,
    TokenFailure,
    TokenInvalid,
    TokenMalformed,
    TokenTimeout,
    TokenUnavailable,
)
from clientcreds_proxy.tokens.model import Change, ErrorAnswer, Instant, Token

REJECTED_SECONDS = 30.0
MALFORMED_MAX_SECONDS = 30.0  # 1 s doubling to this
RENEWAL_MAX_SECONDS = 60.0  # 1 s doubling to this
CIRCUIT_FAILURES = 5
CIRCUIT_SECONDS = 30.0
DROP_INTERVAL_SECONDS = 5.0

LONG_AGO = Instant(boot=float("-inf"), wall=float("-inf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A token and its two marks, each on both clocks."""

    token: Token
    soft: Instant  # from here the first use starts a renewal
    hard: Instant  # from here it is not used any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How things are under one key, for people."""

    state: Literal["ok", "failing", "backing_off", "never_fetched"]
    expires_in: float | None = (
        None  # seconds; None: there is no token now. A token may never expire: infinite
    )
    next_try_seconds: float | None = None  # with `backing_off`: no token request is made until then


NEVER_FETCHED = Standing(state="never_fetched")


@dataclass(slots=True, kw_only=True)
class Entry:
    """What is known about one key. Its methods decide; none of them waits."""

    held: Held | None = None
    remembered: TokenFailure | None = None  # until `blocked_until`, and as the state "failing"
    blocked_until: float = 0.0  # boot seconds, as all below
    renewable_from: float = 0.0
    droppable_from: float = 0.0
    unreachable: int = 0  # fetches without an answer since the last token
    malformed: int = 0
    failed_renewals: int = 0
    last: Token | None = None  # that was held, also after an API rejected it
    ever_fetched: bool = False

    def usable(self, now: Instant) -> Token | None:
        """The token, unless there is none or it is past."""
        held = self.held
        return None if held is None or past(now, held.hard) else held.token

    def renewal_due(self, now: Instant) -> bool:
        """Whether the token should be renewed while it is still used."""
        return (
            self.held is not None
            and past(now, self.held.soft)
            and now.boot >= max(self.renewable_from, self.blocked_until)
        )

    def refusal(self, now: Instant) -> TokenBackoff | None:
        """The remembered failure, as long as no token request may be made."""
        wait = self.blocked_until - now.boot
        if self.remembered is None or wait <= 0:
            return None
        known = self.remembered
        backoff = TokenBackoff(known.detail, error=known.error, retry_after=wait, hint=known.hint)
        backoff.__cause__ = known.__cause__
        return backoff

    def standing(self, now: Instant) -> Standing:
        """How things are; `failing` and `backing_off` say nothing about a token that is still good."""
        held = self.held
        left = None if held is None or past(now, held.hard) else held.hard.boot - now.boot
        if self.remembered is None:
            return Standing(state="ok" if self.ever_fetched else "never_fetched", expires_in=left)
        wait = self.blocked_until - now.boot
        if wait <= 0:
            return Standing(state="failing", expires_in=left)
        return Standing(state="backing_off", expires_in=left, next_try_seconds=wait)

    def store(self, token: Token, now: Instant, *, skew_seconds: float, chance: float) -> Change:
        """Take a token that was fetched; `chance` (0 to 1) spreads renewals."""
        change: Change = "fetched"
        if self.remembered is not None:
            change = "circuit_closed" if self.unreachable >= CIRCUIT_FAILURES else "recovered"
        self.remembered, self.blocked_until = None, 0.0
        self.unreachable = self.malformed = 0
        self.ever_fetched = True
        if token.lifetime is not None and token.lifetime <= 0:
            self.postpone_renewal(now)  # a token that is still held must not be renewed at every use
            return change
        self.failed_renewals, self.renewable_from = 0, 0.0
        self.last = token
        self.held = hold(token, skew_seconds=skew_seconds, chance=chance)
        return change

    def remember(self, failure: TokenFailure, now: Instant) -> Change:
        """Take note of a failed fetch."""
        was_open = self.unreachable >= CIRCUIT_FAILURES
        self.postpone_renewal(now)
        self.blocked_until = now.boot + self._block_seconds(failure)
        self.remembered = again(failure)
        return "circuit_opened" if self.unreachable >= CIRCUIT_FAILURES and not was_open else "failed"

    def postpone_renewal(self, now: Instant) -> None:
        """Let the token that is held serve on for a while before its renewal is tried again."""
        self.renewable_from = now.boot + min(RENEWAL_MAX_SECONDS, 2.0 ** min(self.failed_renewals, 10))
        self.failed_renewals += 1

    def pardon(self) -> None:
        """Let the next request ask, whatever was remembered: what failed may have been mended."""
        self.blocked_until = self.renewable_from = 0.0

    def drop(self, token: Token, now: Instant) -> bool:
        """Whether an API's 401 to this token is a reason to ask for another one; the token is then gone."""
        if self.held is None or self.held.token.value != token.value:
            return True  # somebody else dropped it already
        if now.boot < self.droppable_from:
            return False
        self.held = None
        self.droppable_from = now.boot + DROP_INTERVAL_SECONDS
        return True

    def _block_seconds(self, failure: TokenFailure) -> float:
        match failure:
            case TokenUnavailable() | TokenTimeout():
                self.unreachable += 1
                return CIRCUIT_SECONDS if self.unreachable >= CIRCUIT_FAILURES else 0.0
            case TokenMalformed() | TokenInvalid():
                self.malformed += 1
                return min(MALFORMED_MAX_SECONDS, 2.0 ** min(self.malformed - 1, 10))
            case TokenBackoff():
                return max(failure.retry_after or 0.0, 1.0)
            case SecretUnavailable() if not isinstance(failure.__cause__, ErrorAnswer):
                return 0.0  # the next request looks for the secret again: that asks no server
            case _:
                return REJECTED_SECONDS


def hold(token: Token, *, skew_seconds: float, chance: float) -> Held:
    """The token with its marks, counted from the moment before its request left."""
    life = token.lifetime
    if life is None:
        never = Instant(boot=float("inf"), wall=float("inf"))
        return Held(token=token, soft=never, hard=never)
    skew = min(skew_seconds, life / 10)
    lead = life / 2 if life <= 120 else min(max(life / 5, 60.0), 300.0)
    lead = min(max(lead, 2 * skew), life / 2)  # a large skew must leave room for the renewal
    return Held(
        token=token,
        soft=later(token.requested, life - lead - chance * life / 10),
        hard=later(token.requested, life - skew),
    )


def past(now: Instant, mark: Instant) -> bool:
    """Whether either clock has reached the mark: a laptop slept, or somebody set its clock."""
    return now.boot >= mark.boot or now.wall >= mark.wall


def later(moment: Instant, seconds: float) -> Instant:
    """The moment this many seconds on."""
    return Instant(boot=moment.boot + seconds, wall=moment.wall + seconds)


def again(failure: TokenFailure) -> TokenFailure:
    """The same failure to be raised once more, without the frames that the first one passed through."""
    copy = type(failure)(
        failure.detail, error=failure.error, retry_after=failure.retry_after, hint=failure.hint
    )
    if isinstance(failure.__cause__, ErrorAnswer):
        copy.__cause__ = failure.__cause__
    return copy
