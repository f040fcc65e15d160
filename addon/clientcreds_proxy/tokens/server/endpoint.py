"""Which URLs an authorization server may have: of its token endpoint, and as its issuer.

A check gives the value back, or raises a ValueError that says what was expected and does not quote it.
"""

import re
from urllib.parse import SplitResult, urlsplit

from clientcreds_proxy.rules.host import is_loopback, normalise


def url(value: str) -> str:
    """`value`, if it is the URL of a server that we could ask."""
    if not value.isascii() or re.search(r"[\x00-\x20\x7f\\]", value):
        raise ValueError("not a URL; expected ASCII without blanks")
    try:
        parts = urlsplit(value)
        usable = (
            parts.scheme in ("http", "https") and bool(normalise(parts.hostname or "")) and parts.port != 0
        )
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("not a URL; expected https://HOST/PATH")
    return value


def token_url(value: str) -> str:
    """`value`, if credentials may be sent there."""
    parts = _unencrypted_on_loopback_only(value)
    if "#" in value:
        raise ValueError("expected a URL without a fragment (RFC 6749 §3.2)")
    if "@" in parts.netloc:
        raise ValueError("expected a URL without user name and password: use client_id and client_secret")
    return value


def issuer(value: str) -> str:
    """`value`, if it can name an authorization server (RFC 8414 §2)."""
    parts = _unencrypted_on_loopback_only(value)
    if "?" in value or "#" in value or "@" in parts.netloc:
        raise ValueError("expected a URL without query, fragment and user name (RFC 8414 §2)")
    if "/.well-known/" in parts.path:
        raise ValueError("expected the issuer alone: what begins with /.well-known/ is found from it")
    return value


def _unencrypted_on_loopback_only(value: str) -> SplitResult:
    parts = urlsplit(url(value))
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError(
            "expected https: the client secret would leave unencrypted (http is for loopback only)"
        )
    return parts
