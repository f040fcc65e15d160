"""A server's public keys (RFC 7517), and whether one of them signed a token (RFC 7515).

Pure: which keys of a document are usable, which of them a token names, and the check. Not in it: fetching and
keeping them (`keys.py`), what the token says (`checks.py`).
"""

import base64
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

from clientcreds_proxy.errors import TokenInvalid
from clientcreds_proxy.tokens.claims.jwt import claims_in
from clientcreds_proxy.tokens.claims.values import Claims

MAX_KEYS = 100  # of one document
SHORTEST_RSA_KEY = 2048  # bits (RFC 7518 §3.3)
PublicKey = RSAKey | ECKey | OKPKey

# Signatures with a private key alone: `none` and HS256 with a public key as the secret are the classic
# attacks (RFC 8725 §2.1, §3.1).
_ALGORITHMS: Mapping[str, tuple[str, ...]] = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA", "Ed25519"),
}
ALGORITHMS = tuple(name for names in _ALGORITHMS.values() for name in names)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureHeader:
    """What a token says about its signature."""

    algorithm: str
    key_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """The usable keys of a document, each with its id and the one algorithm it is for, where it says so."""

    keys: tuple[tuple[str | None, str | None, PublicKey], ...]

    def candidates(self, header: SignatureHeader) -> tuple[PublicKey, ...]:
        """The keys that may have signed; those of the id that the token names, where it names one."""
        return tuple(
            key
            for key_id, algorithm, key in self.keys
            if header.key_id in (None, key_id)
            and algorithm in (None, header.algorithm)
            and header.algorithm in _ALGORITHMS[key.key_type]
        )


def read_keys(body: bytes, *, place: str) -> KeySet:
    """The keys in a document that was found at `place`; raises `TokenInvalid`.

    Keys of a kind that is not known here, and those for encryption, are passed over (RFC 7517 §5).
    """
    try:
        document = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        document = None
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise TokenInvalid(f"{place} holds no JWK set, so no signature can be checked")
    return KeySet(keys=tuple(_usable(listed[:MAX_KEYS])))


def signature_header(token: str) -> SignatureHeader:
    """What the token says about its signature; raises `TokenInvalid` for an algorithm that proves nothing."""
    try:
        header = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
    except (ValueError, RecursionError):
        header = None
    algorithm = header.get("alg") if isinstance(header, dict) else None
    if not isinstance(header, dict) or algorithm not in ALGORITHMS:
        shown = f" with {algorithm}" if isinstance(algorithm, str) and _NAME.fullmatch(algorithm) else ""
        raise TokenInvalid(
            f"the token is signed{shown}, which proves nothing here; expected one of {', '.join(ALGORITHMS)}"
        )
    key_id = header.get("kid")
    return SignatureHeader(algorithm=algorithm, key_id=key_id if isinstance(key_id, str) else None)


def verified(token: str, header: SignatureHeader, keys: tuple[PublicKey, ...]) -> Claims:
    """The claims of a token that one of these keys signed; raises `TokenInvalid`."""
    for key in keys:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SecurityWarning)  # EdDSA has a newer name (RFC 9864)
                payload = jws.deserialize_compact(token, key, algorithms=[header.algorithm]).payload
        except (JoseError, ValueError):
            continue
        claims = claims_in(payload)
        if claims is None:
            raise TokenInvalid("the token is signed, and holds no claims")
        return claims
    raise TokenInvalid("the token's signature is not by a key of its issuer")


def _usable(listed: list[Any]) -> Iterator[tuple[str | None, str | None, PublicKey]]:
    for entry in listed:
        if not isinstance(entry, dict) or entry.get("use") not in (None, "sig"):
            continue
        key = _imported(entry)
        if key is not None:
            yield entry.get("kid"), entry.get("alg"), key  # texts: the library has looked


def _imported(entry: dict[str, Any]) -> PublicKey | None:
    kinds: dict[Any, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    kind = kinds.get(entry.get("kty")) if isinstance(entry.get("kty"), str) else None
    if kind is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # about short keys, which are refused below
            key = kind.import_key(entry)
            public = key.public_key
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if isinstance(public, RSAPublicKey) and public.key_size < SHORTEST_RSA_KEY:
        return None
    return key
