"""The key of one source and the nonces that servers gave it: what its DPoP proofs are made from.

The edge of `dpop.py`: clock and randomness are asked here.
"""

import secrets
from collections.abc import Callable
from functools import cached_property

from joserfc.jwk import ECKey

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import Clock
from clientcreds_proxy.tokens.proof import dpop

ORIGINS_MAX = 256  # a rule for `**.example.com` may meet any number of them


class Nonces:
    """The latest nonce of each server."""

    def __init__(self) -> None:
        self._latest: dict[str, str] = {}

    def of(self, url: str) -> str | None:
        """The nonce that the next proof for this server needs; None where it never gave one."""
        return self._latest.get(dpop.origin(url))

    def keep(self, url: str, value: str | None) -> None:
        """Take the `DPoP-Nonce` of any answer: there need not be one."""
        nonce = dpop.usable_nonce(value)
        if nonce is None:
            return
        origin = dpop.origin(url)
        self._latest.pop(origin, None)
        self._latest[origin] = nonce
        if len(self._latest) > ORIGINS_MAX:
            del self._latest[next(iter(self._latest))]


class Prover:
    """Makes the proofs of one source. Its private key is in memory alone, and ends with the process."""

    def __init__(self, *, clock: Clock, entropy: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._clock = clock
        self._entropy = entropy
        # An authorization server's nonce is not the API's, even on one origin (RFC 9449 §9).
        self.server_nonces = Nonces()
        self.api_nonces = Nonces()

    @cached_property
    def _key(self) -> ECKey:
        return ECKey.generate_key(dpop.CURVE)

    @cached_property
    def thumbprint(self) -> str:
        """Of the key (RFC 7638): the `jkt` that tokens are bound to."""
        return self._key.thumbprint()

    def for_token_request(self, url: str) -> Secret:
        """A new proof for one POST to the token endpoint."""
        return self._proof(dpop.Call(method="POST", url=url), self.server_nonces)

    def for_api_request(self, method: str, url: str, token: Secret) -> Secret:
        """A new proof for one request to an API, with this token."""
        return self._proof(dpop.Call(method=method, url=url, token=token), self.api_nonces)

    def _proof(self, call: dpop.Call, nonces: Nonces) -> Secret:
        return dpop.proof(
            self._key,
            call,
            wall=self._clock.now().wall,
            randomness=self._entropy(dpop.JTI_BYTES),
            nonce=nonces.of(call.url),
        )
