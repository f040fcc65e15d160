"""What has happened since the proxy started: told by the proxy, kept for whoever asks about it.

Being told costs a request a few dictionary look-ups. Not in it: how things are now (`status.py`).
"""

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from clientcreds_proxy.errors import TokenFailure
from clientcreds_proxy.observe.log import AccessLine
from clientcreds_proxy.tokens.model import SourceEvent, SourceWarning, described

RECENT_REQUESTS = 200
ATTENTION = 100  # different things that need it; the oldest are forgotten


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Why the last failed token request failed, for people who run the proxy."""

    time: datetime
    reason: str
    error: str | None
    detail: str
    error_description: str | None
    hint: str | None


@dataclass(slots=True, kw_only=True)
class RuleTally:
    """What has become of one rule's requests."""

    hits: int = 0
    last_status: int | None = None
    last_used: datetime | None = None


@dataclass(slots=True, kw_only=True)
class SourceTally:
    """How one source's token requests ended."""

    fetched: int = 0
    taken: int = 0  # from a store: another process fetched it
    failed: int = 0
    last_error: Failed | None = None


@dataclass(slots=True, kw_only=True)
class Attention:
    """Something that whoever runs the proxy should look at."""

    message: str
    token_source: str | None
    time: datetime  # the last time
    times: int = 1


@dataclass(slots=True, kw_only=True)
class Record:
    """Counts, and the latest of everything."""

    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    rules: dict[str, RuleTally] = field(default_factory=dict)  # by name
    sources: dict[str, SourceTally] = field(default_factory=dict)  # by name
    attention: dict[tuple[str, str | None], Attention] = field(default_factory=dict)
    requests: deque[tuple[datetime, AccessLine]] = field(
        default_factory=lambda: deque(maxlen=RECENT_REQUESTS)
    )

    def access(self, line: AccessLine) -> None:
        """One request is over."""
        now = self.now()
        self.requests.append((now, line))
        if line.rule is None:
            return
        tally = self.rules.get(line.rule)
        if tally is None:
            tally = self.rules[line.rule] = RuleTally()
        tally.hits += 1
        tally.last_status, tally.last_used = line.status, now

    def fetched(self, event: SourceEvent) -> None:
        """One token request is over."""
        tally = self.sources.setdefault(event.source, SourceTally())
        if event.failure is None:
            tally.fetched += not event.taken
            tally.taken += event.taken
        else:
            tally.failed += 1
            if event.caller is None or event.news:  # a refused caller is no problem of the source
                tally.last_error = self._failed(event.failure)

    def warned(self, warning: SourceWarning) -> None:
        """A source works, and should be looked at."""
        self.note(warning.message, token_source=warning.source)

    def note(self, message: str, *, token_source: str | None = None) -> None:
        """Something needs attention; the same again counts."""
        known = self.attention.pop((message, token_source), None)
        times = 1 if known is None else known.times + 1
        self.attention[message, token_source] = Attention(
            message=message, token_source=token_source, time=self.now(), times=times
        )
        if len(self.attention) > ATTENTION:
            del self.attention[next(iter(self.attention))]

    def forget_warnings(self, *, but_of: Collection[str]) -> None:
        """Forget what was said about sources, but for these, which a new configuration did not change."""
        self.attention = {
            key: note
            for key, note in self.attention.items()
            if note.token_source is None or note.token_source in but_of
        }

    def _failed(self, failure: TokenFailure) -> Failed:
        return Failed(
            time=self.now(),
            reason=failure.reason,
            error=failure.error,
            detail=failure.detail,
            error_description=described(failure),
            hint=failure.hint,
        )
