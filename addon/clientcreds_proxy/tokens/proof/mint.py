"""The assertion for one token request: signed now, or read from its file now.

The edge of `assertion.py`: clock, randomness and file are asked here.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from clientcreds_proxy.errors import SecretUnavailable
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import Assertion, AssertionFile, Clock, SourceSpec
from clientcreds_proxy.tokens.proof.assertion import JTI_BYTES, SigningKey, signed, signing_key
from clientcreds_proxy.tokens.proof.client_auth import Attempt

MAX_BYTES = 64 * 1024
_WAYS = ("jwt", "jwt_without_kid")
_JWT = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*){2,4}")


class Mint:
    """Makes the assertions of one source: another one for each attempt, for servers refuse a replay."""

    def __init__(self, *, clock: Clock, entropy: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._entropy = entropy
        self._key: tuple[tuple[Assertion, Secret], SigningKey] | None = None

    def __call__(self, spec: SourceSpec, attempt: Attempt) -> Secret | None:
        """None where this way needs no assertion; raises `SecretUnavailable`."""
        match spec.assertion:
            case Assertion() as assertion if attempt.way in _WAYS:
                is_bare = attempt.way == "jwt_without_kid"
                return signed(
                    spec,
                    replace(assertion, key_id=None) if is_bare else assertion,
                    self._signing_key(assertion, attempt.secret),
                    wall=self._clock.now().wall,
                    randomness=self._entropy(JTI_BYTES),
                )
            case AssertionFile(path=path) if attempt.way in _WAYS:
                return _ready_made(Path(path))
            case _:
                return None

    def _signing_key(self, assertion: Assertion, secret: Secret) -> SigningKey:
        if self._key is None or self._key[0] != (assertion, secret):
            self._key = ((assertion, secret), signing_key(assertion, secret))
        return self._key[1]


def _ready_made(path: Path) -> Secret:
    try:
        if not path.is_file():  # reading a pipe could wait for ever
            raise SecretUnavailable("the file of the client's assertion is not there")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES).decode("ascii").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SecretUnavailable(f"the file of the client's assertion can't be read: {reason}") from None
    if not _JWT.fullmatch(content):
        raise SecretUnavailable("the file of the client's assertion holds no JWT")
    return Secret(content)
