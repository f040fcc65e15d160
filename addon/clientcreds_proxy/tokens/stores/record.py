"""A token as it lies in a shared store: sealed, under a name that says nothing.

A record is a version byte, a mark, a nonce and the ciphertext (AES-256-GCM). All that stands before the
ciphertext, and the record's name, is authenticated: what was changed, cut, or moved to another name does not
open. The mark is a keyed hash of the token, so that a store can compare tokens without seeing one.
"""

import hmac
import json
import secrets
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.keeping.entry import later
from clientcreds_proxy.tokens.model import Instant, Token

VERSION = b"\x01"
MARK_BYTES = 16  # they follow the version; the scripts in `redis.py` count on that
NONCE_BYTES = 12
_HEAD_BYTES = len(VERSION) + MARK_BYTES + NONCE_BYTES


class Seal:
    """Names, marks and records under one secret. Another secret gives others, and opens none of these."""

    def __init__(
        self, secret: Secret, *, prefix: str, entropy: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        self._prefix = prefix
        self._entropy = entropy
        self._name_key = _derived(secret, b"name")
        self._mark_key = _derived(secret, b"mark")
        self._cipher = AESGCM(_derived(secret, b"record"))

    def name(self, key: str) -> str:
        """Where the token of this cache key lies.

        The braces keep what belongs to it in one slot of a cluster.
        """
        return f"{self._prefix}:{{{hmac.digest(self._name_key, key.encode(), 'sha256').hex()}}}"

    def mark(self, token: Token) -> bytes:
        """What tells this token from others, and nobody else anything."""
        value = token.value.reveal().encode()
        return hmac.digest(self._mark_key, value, "sha256")[:MARK_BYTES]

    def close(self, token: Token, *, name: str) -> bytes:
        """The record of a token, for this name alone."""
        head = VERSION + self.mark(token)
        nonce = self._entropy(NONCE_BYTES)
        return head + nonce + self._cipher.encrypt(nonce, _written(token), head + name.encode())

    def open(self, record: bytes, *, name: str, now: Instant, seconds_left: float) -> Token | None:
        """The token in a record that has this much of its time left; None: no record of ours.

        The store's clock counts, and our wall clock, whichever says less: a machine whose clock is behind
        does not use a token for longer.
        """
        head, nonce = record[: 1 + MARK_BYTES], record[1 + MARK_BYTES : _HEAD_BYTES]
        if head[:1] != VERSION:
            return None
        try:
            content = self._cipher.decrypt(nonce, record[_HEAD_BYTES:], head + name.encode())
        except (InvalidTag, ValueError):  # ValueError: too short
            return None
        return _read(json.loads(content), now, seconds_left)


def mark_of(record: bytes) -> bytes:
    """The mark in a record, whoever wrote it."""
    return record[1 : 1 + MARK_BYTES]


def seconds_left(token: Token, now: Instant) -> float | None:
    """How long the token lasts from now on, by the clock that says less; None: for ever."""
    if token.lifetime is None:
        return None
    age = max(now.boot - token.requested.boot, now.wall - token.requested.wall)
    return token.lifetime - age


def _derived(secret: Secret, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=b"clientcreds store", info=b"1 " + purpose).derive(
        secret.reveal().encode()
    )


def _written(token: Token) -> bytes:
    # Seconds since boot mean nothing on another machine: the wall clock's moment is what counts there.
    content = {
        "token": token.value.reveal(),
        "type": token.token_type,
        "scope": token.scope,
        "lifetime": token.lifetime,
        "requested": token.requested.wall,
        "claims": None if token.claims is None else dict(token.claims),
    }
    return json.dumps(content, separators=(",", ":")).encode()


def _read(content: dict[str, Any], now: Instant, seconds_left: float) -> Token:
    """The token, as if it had been requested here: so long ago, by our own clocks."""
    lifetime: float | None = content["lifetime"]
    requested = now
    if lifetime is not None:
        by_wall = content["requested"] + lifetime - now.wall
        requested = later(now, min(by_wall, seconds_left, lifetime) - lifetime)
    scope = content["scope"]
    return Token(
        value=Secret(content["token"]),
        token_type=content["type"],
        scope=None if scope is None else tuple(scope),
        lifetime=lifetime,
        requested=requested,
        claims=content["claims"],
        taken=True,
    )
