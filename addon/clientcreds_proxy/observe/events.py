"""What the log says about token sources: one line per change of state, in words."""

from clientcreds_proxy.observe.log import Level, Log, Value
from clientcreds_proxy.tokens.model import SourceEvent, described


def tell(log: Log, event: SourceEvent) -> None:
    """Log how a fetch ended; what is no news (the tenth renewal, the same failure again) at `debug`."""
    fields: dict[str, Value] = {"token_source": event.source}
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


def _in_words(event: SourceEvent) -> str:
    detail = f": {event.failure.detail}" if event.failure else ""
    match event.change:
        case "fetched":
            return "token fetched"
        case "recovered" | "circuit_closed":
            return "token fetched, the source works again"
        case "failed":
            return f"no token{detail}"
        case "circuit_opened":
            return f"no token, and none is asked for during a while{detail}"
