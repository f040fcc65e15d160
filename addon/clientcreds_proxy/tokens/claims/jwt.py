"""What a JWT says, read without a look at its signature."""

import base64
import json

from clientcreds_proxy.tokens.claims.values import Claims


def payload(token: str) -> Claims | None:
    """The claims of a token that is a signed JWT (RFC 7519 §7.2); None where it is opaque."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        return claims_in(base64.urlsafe_b64decode(parts[1] + "=="))
    except ValueError:
        return None


def claims_in(payload: bytes) -> Claims | None:
    """The claims that a decoded payload holds; None where it is no JSON object."""
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None
