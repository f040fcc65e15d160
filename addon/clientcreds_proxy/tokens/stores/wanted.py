"""What one flight wants of a store, and how long it waits for what another process is fetching."""

from collections.abc import Callable
from dataclasses import dataclass

from clientcreds_proxy.tokens.keeping.entry import hold, past
from clientcreds_proxy.tokens.model import Clock, Token
from clientcreds_proxy.tokens.stores.backend import Busy

LOCK_MARGIN_SECONDS = 1.0  # on top of what the token request may take
TOLERANCE_SECONDS = 0.1  # between what the store says of a lock's end and what we see
POLL_SECONDS = (0.02, 0.3)  # from the first to the slowest look for the token of another process


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The token that one flight is for."""

    key: str
    skew_seconds: float
    timeout_seconds: float  # of the token request
    replacing: Token | None  # the one that has had its time, or was rejected

    @property
    def lock_seconds(self) -> float:
        """How long nobody else asks for it, unless the lock is given back."""
        return self.timeout_seconds + LOCK_MARGIN_SECONDS

    def is_met_by(self, token: Token, clock: Clock) -> bool:
        """Whether this token can be used, and is another and no older one than that to be replaced."""
        now = clock.now()
        if past(now, hold(token, skew_seconds=self.skew_seconds, chance=0).hard):
            return False
        old = self.replacing
        if old is None:
            return True
        return token.value != old.value and _end(token) >= _end(old)


@dataclass(slots=True, kw_only=True)
class Patience:
    """How long one flight waits for the token of another process."""

    lock_seconds: float
    chance: Callable[[], float]
    first: str | None = None  # whom it waits for
    ends: float = 0.0  # when that one's lock does, in boot seconds
    looks: int = 0

    def wait(self, busy: Busy, now: float) -> float | None:
        """Seconds to the next look; None: wait no longer."""
        if self.first is None:
            self.first = busy.fence
            # A lock that does not end, or ends later than one of ours would: not waited for that long.
            held = busy.seconds_left if busy.seconds_left > 0 else self.lock_seconds
            self.ends = now + min(held, self.lock_seconds)
        gave_up = busy.fence != self.first and now < self.ends - TOLERANCE_SECONDS
        # It got no token and gave the lock back: one failure after the other is no use to those who wait.
        if gave_up or now >= self.ends + self.lock_seconds:
            return None
        shortest, longest = POLL_SECONDS
        seconds: float = min(longest, shortest * 2**self.looks)
        self.looks += 1
        return seconds * (0.5 + self.chance() / 2)


def _end(token: Token) -> float:
    return float("inf") if token.lifetime is None else token.requested.wall + token.lifetime
