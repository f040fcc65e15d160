"""What an authorization server says about itself (RFC 8414, OpenID Connect Discovery 1.0).

Pure: where the document lies, what must be in it, how long it may be kept. Not in it: fetching (`look.py`),
keeping (`discovery.py`). Of all its members only those that a token request needs are read; a
`signed_metadata` is not looked at.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from clientcreds_proxy.errors import TokenMalformed
from clientcreds_proxy.tokens.server.endpoint import token_url

MAX_BYTES = 256 * 1024
KEPT_MIN_SECONDS = 300.0
KEPT_MAX_SECONDS = 86_400.0
KEPT_SECONDS = 3_600.0  # where the server says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """As much of an authorization server's metadata as a token request needs."""

    issuer: str
    token_endpoint: str
    mtls_token_endpoint: str | None = None  # where the client presents a certificate (RFC 8705 §5)
    auth_methods: tuple[str, ...] = ()  # as the server lists them; empty: it does not say
    grant_types: tuple[str, ...] = ()  # the same
    jwks_uri: str | None = None
    introspection_endpoint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Metadata, and how long it may be used."""

    metadata: Metadata
    kept_seconds: float


def locations(issuer: str) -> tuple[str, str]:
    """Where an issuer's metadata may lie: OpenID Connect's place, then RFC 8414's (§3.1, §5).

    One appends to the issuer's path, the other inserts before it.
    """
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    return (
        f"{origin}{path}/.well-known/openid-configuration",
        f"{origin}/.well-known/oauth-authorization-server{path}",
    )


def read_metadata(issuer: str, body: bytes, *, place: str) -> Metadata:
    """The metadata in a document that was found at `place`; raises `TokenMalformed`."""
    try:
        document = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise TokenMalformed(f"{place} holds no JSON object, so nothing says where tokens are given")
    _check_issuer(document.get("issuer"), issuer, place)
    return Metadata(
        issuer=issuer,
        token_endpoint=_endpoint(document, "token_endpoint", place),
        mtls_token_endpoint=_alias(document, place),
        auth_methods=_names(document.get("token_endpoint_auth_methods_supported")),
        grant_types=_names(document.get("grant_types_supported")),
        jwks_uri=_optional(document, "jwks_uri"),
        introspection_endpoint=_optional(document, "introspection_endpoint"),
    )


def kept_seconds(headers: Mapping[str, str]) -> float:
    """How long a document may be used before it is fetched again (RFC 9111 §5.2.2), within bounds."""
    control = headers.get("cache-control", "").lower()
    if re.search(r"\bno-(store|cache)\b", control):
        return KEPT_MIN_SECONDS
    found = re.search(r'(?:^|[\s,])max-age="?([0-9]{1,9})', control)
    seconds = float(found[1]) if found else KEPT_SECONDS
    return min(max(seconds, KEPT_MIN_SECONDS), KEPT_MAX_SECONDS)


def _check_issuer(said: Any, issuer: str, place: str) -> None:
    """RFC 8414 §3.3: the two are identical, or anybody could speak for this server."""
    if not isinstance(said, str):
        raise TokenMalformed(f"{place} names no issuer")
    if said != issuer:
        shown = "".join(char if char.isprintable() else "?" for char in said[:200])
        raise TokenMalformed(
            f"{place} says its issuer is {shown!r}, the configuration says {issuer!r}; "
            "they must be equal, a trailing slash included"
        )


def _alias(document: Mapping[str, Any], place: str) -> str | None:
    aliases = document.get("mtls_endpoint_aliases")
    if not isinstance(aliases, dict) or "token_endpoint" not in aliases:
        return None
    return _endpoint(aliases, "token_endpoint", f"{place}, in mtls_endpoint_aliases,")


def _endpoint(document: Mapping[str, Any], name: str, place: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise TokenMalformed(f"{place} names no {name}")
    try:
        return token_url(value)
    except ValueError as error:
        raise TokenMalformed(f"{place} names a {name} that can't be used: {error}") from None


def _optional(document: Mapping[str, Any], name: str) -> str | None:
    """An endpoint that not every source needs: one that can't be used counts as missing."""
    value = document.get(name)
    try:
        return token_url(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _names(value: Any) -> tuple[str, ...]:
    return tuple(name for name in value if isinstance(name, str)) if isinstance(value, list) else ()
