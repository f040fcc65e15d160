"""The proof that whoever sends a request holds the key that its token is bound to (RFC 9449 §4).

Pure: key, moment and randomness are arguments. Not in it: which nonce a server wants (`prover.py`), and when
a proof is made (`tokens/fetch.py`, `proxy/inside/wire.py`).
"""

import base64
import hashlib
import math
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

from clientcreds_proxy.secret import Secret

ALGORITHM = "ES256"  # the one that every server knows
CURVE = "P-256"
JTI_BYTES = 16  # 128 bits: nobody ever draws the same one twice
NEEDS_NONCE = "use_dpop_nonce"

_NONCE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,1024}")  # §8.1; the length is ours
_SCHEME = re.compile(r"\bDPoP\s", re.IGNORECASE)
_ERROR = re.compile(rf'\berror\s*=\s*"?{NEEDS_NONCE}\b', re.IGNORECASE)
_OUTSIDE_ASCII = re.compile(r"[^\x00-\x7f]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The request that a proof is for."""

    method: str
    url: str  # its query and fragment are left out of the proof
    token: Secret | None = None  # that goes along; None: a token request


def proof(key: ECKey, call: Call, *, wall: float, randomness: bytes, nonce: str | None = None) -> Secret:
    """The `DPoP` header of one request; `randomness` (`JTI_BYTES` or more) must be new each time.

    `nonce` is the server's latest.
    """
    public = key.as_dict(private=False)
    header = {
        "typ": "dpop+jwt",
        "alg": ALGORITHM,
        "jwk": {name: public[name] for name in ("kty", "crv", "x", "y")},
    }
    claims: dict[str, Any] = {
        "jti": randomness.hex(),
        "htm": call.method,
        "htu": target(call.url),
        "iat": math.floor(wall),  # a moment in the future would be refused
    }
    if nonce is not None:
        claims["nonce"] = nonce
    if call.token is not None:
        digest = hashlib.sha256(call.token.reveal().encode()).digest()
        claims["ath"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return Secret(jwt.encode(header, claims, key, algorithms=[ALGORITHM]))


def target(url: str) -> str:
    """The `htu` of a request to `url`: without query and fragment, scheme and host in their normal form.

    The path stays as it is written: whoever compares literally sees that, whoever normalises (RFC 3986 §6.2)
    does so with both.
    """
    path = urlsplit(url).path or "/"
    return origin(url) + _OUTSIDE_ASCII.sub(_escape, path)


def origin(url: str) -> str:
    """Scheme, host and port of a URL, the port only where it is not the scheme's own."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    port = parts.port
    return f"{parts.scheme}://{host}" + (
        "" if port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{port}"
    )


def usable_nonce(value: str | None) -> str | None:
    """A `DPoP-Nonce` as the server sent it; None for none, or one that no proof could hold."""
    return value if value is not None and _NONCE.fullmatch(value) else None


def asks_for_nonce(challenge: str) -> bool:
    """Whether an API's `WWW-Authenticate` refuses the proof alone, not the token (§9)."""
    scheme = _SCHEME.search(challenge)
    # In two steps, for in one pattern the work would grow with the square of what an API sends.
    return scheme is not None and _ERROR.search(challenge, scheme.end()) is not None


def _escape(found: re.Match[str]) -> str:
    # Bytes that are no UTF-8 come as lone surrogates.
    return quote(found.group().encode("utf-8", "surrogateescape"))
