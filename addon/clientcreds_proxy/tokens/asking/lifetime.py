"""How long a token lasts, out of what the server said about it. Nothing said here ever raises."""

import math
import re
from datetime import UTC, datetime  # noqa: TID251 - reads a date that the server wrote, never the clock
from typing import Any

from clientcreds_proxy.tokens.asking.document import Document, find
from clientcreds_proxy.tokens.claims.jwt import payload
from clientcreds_proxy.tokens.model import Instant, SourceSpec

NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")  # no `3_600`, no digits of other scripts
MILLISECONDS_FROM = 1e11  # an epoch this large is the year 5138 in seconds: it was meant in milliseconds


def lifetime(
    document: Document,
    spec: SourceSpec,
    *,
    token: str,
    requested: Instant,
    ahead_seconds: float | None = None,
) -> float | None:
    """Seconds from `requested`; None: never expires; 0 or less: not to be cached.

    First of: `expires_in`, `expires_at` where configured, the JWT's `exp`, `default_ttl_seconds`.
    """
    never = spec.expiry.default_ttl_seconds == "never"
    response = spec.token_response
    seconds = number(find(document, response.expires_in))
    if seconds is not None and (seconds > 0 or not never):  # with `never`, 0 means nothing, as in KrakenD
        return seconds / 1000 if response.expires_in_unit == "milliseconds" else seconds
    at = moment(find(document, response.expires_at)) if response.expires_at else None
    if at is None:
        at = jwt_expiry(token)
    if at is not None:
        # Where our clock is behind, the server's own says how much of that time is over.
        return at - requested.wall + min(ahead_seconds or 0.0, 0.0)
    return None if spec.expiry.default_ttl_seconds == "never" else spec.expiry.default_ttl_seconds


def number(value: Any) -> float | None:
    """A finite number, also one in a string (Entra v1 sends those); None for anything else."""
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) else None


def moment(value: Any) -> float | None:
    """Seconds since the epoch, from an epoch (seconds or milliseconds) or ISO-8601 (without a zone: UTC)."""
    epoch = number(value)
    if epoch is not None:
        return epoch / 1000 if epoch >= MILLISECONDS_FROM else epoch
    if not isinstance(value, str):
        return None
    try:
        written = datetime.fromisoformat(value)
        return (written if written.tzinfo else written.replace(tzinfo=UTC)).timestamp()
    except ValueError:
        return None


def jwt_expiry(token: str) -> float | None:
    """The `exp` of a token that is a JWT; its signature is not looked at: it came from the server itself."""
    claims = payload(token)
    return None if claims is None else number(claims.get("exp"))
