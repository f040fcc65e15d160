"""What the log says about token sources and stores: one line per change of state, in words."""

from dataclasses import replace

from clientcreds_proxy.errors import TokenRejected
from clientcreds_proxy.observe.log import Level, Log, Value
from clientcreds_proxy.tokens.model import SourceEvent, described
from clientcreds_proxy.tokens.proof.client_auth import refused_as_client
from clientcreds_proxy.tokens.stores.store import StoreEvent

TOLD = 1000  # different failures of callers that are told, once each


class CallersEvents:
    """Makes what happens to a source's many callers what is news about the source.

    That a caller comes, is refused or renews its token stands in the line of its request.
    """

    def __init__(self) -> None:
        self._down: set[str] = set()  # sources whose server gives no tokens, whoever asks
        self._told: set[tuple[str, str]] = set()  # what was said about a source

    def as_news(self, event: SourceEvent) -> SourceEvent:
        """The event, as important as it is; what is about no caller stays as it is."""
        if event.caller is None:
            return event
        source, failure = event.source, event.failure
        if failure is None:
            is_news = source in self._down
            self._down.discard(source)
            return replace(event, news=is_news, change="recovered" if is_news else "fetched")
        if (
            refused_as_client(failure) and failure.error != "invalid_request"
        ):  # that may be the source's fault
            return replace(event, news=False)
        if not isinstance(failure, TokenRejected):
            is_news = source not in self._down
            self._down.add(source)
            return replace(event, news=is_news)
        is_news = (source, failure.detail) not in self._told and len(self._told) < TOLD
        self._told.add((source, failure.detail))
        return replace(event, news=is_news)


def tell(log: Log, event: SourceEvent) -> None:
    """Log how a fetch ended; what is no news (the tenth renewal, the same failure again) at `debug`."""
    fields: dict[str, Value] = {"token_source": event.source, "client_username": event.caller}
    failure = event.failure
    level: Level = "info" if failure is None else "warning"
    if failure is None:
        fields |= {
            "token_sha256": event.fingerprint,
            "expires_in": None if event.lifetime is None else round(event.lifetime),
        }
    else:
        fields |= {
            "reason": failure.reason,
            "error": failure.error,
            "error_description": described(failure),
            "hint": failure.hint,
            "next_try_seconds": round(event.next_try_seconds or 0) or None,
        }
    log.event(level if event.news else "debug", _in_words(event), fields)


def tell_of_store(log: Log, event: StoreEvent) -> None:
    """Log that a store is gone, is back, or holds what can't be read."""
    fields: dict[str, Value] = {"store": event.store}
    match event.change:
        case "up":
            log.event("info", "the store answers again", fields)
        case "down":
            fields["hint"] = "requests go on: each process fetches its own tokens meanwhile"
            log.event("warning", f"the store can't be used: {event.why}", fields)
        case "unreadable":
            log.event("warning", f"the store holds what can't be read: {event.why}", fields)


def _in_words(event: SourceEvent) -> str:
    detail = f": {event.failure.detail}" if event.failure else ""
    came = "taken from the store" if event.taken else "fetched"
    match event.change:
        case "fetched":
            return f"token {came}"
        case "recovered" | "circuit_closed":
            return f"token {came}, the source works again"
        case "failed":
            return f"no token{detail}"
        case "circuit_opened":
            return f"no token, and none is asked for during a while{detail}"
