"""The keys of authorization servers: fetched when a token is first verified, then when they are old.

A token that none of them has signed makes them be fetched again: at once, however young the known ones are,
for a server may exchange its keys a moment after we looked; but not more often than every `AGAIN_SECONDS`,
for whoever makes up key ids must not make us ask. Where fetching fails, what is known serves on. One fetch
at a time for each server. Not in it: the network (`look.py`), the keys themselves (`jwks.py`).
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from clientcreds_proxy.errors import TokenFailure, TokenInvalid
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.ending import end
from clientcreds_proxy.tokens.keeping.entry import LONG_AGO, later, past
from clientcreds_proxy.tokens.model import Client, ClientTls, Clock, Instant, SourceSpec, SourceWarning, Warn
from clientcreds_proxy.tokens.verify.jwks import KeySet, PublicKey, SignatureHeader

AGAIN_SECONDS = 30.0

_Key = tuple[str, ClientTls, Secret | None]  # trust and way belong to it, as with metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundKeys:
    """Keys, and how long they may be used."""

    keys: KeySet
    kept_seconds: float


class LookForKeys(Protocol):
    """Where keys come from (`look.HttpLookForKeys`)."""

    async def __call__(self, url: str, client: Client, /) -> FoundKeys:
        """The keys at this URL within `timeout_seconds`; raises a TokenFailure."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class _Record:
    keys: KeySet | None = None
    fresh_until: Instant = LONG_AGO
    again_from: Instant = LONG_AGO  # for a token that none of them has signed
    failure: TokenFailure | None = None  # of the last fetch
    looking: asyncio.Task[None] | None = None


class Keys:
    """All keys of one event loop."""

    def __init__(self, *, clock: Clock, look: LookForKeys, warn: Warn = lambda _: None) -> None:
        self._clock = clock
        self._look = look
        self._warn = warn
        self._records: dict[_Key, _Record] = {}

    async def candidates(
        self, spec: SourceSpec, url: str, header: SignatureHeader, *, again: bool = False
    ) -> tuple[PublicKey, ...]:
        """The keys at `url` that may have signed; raises `TokenInvalid` where there are none to be had.

        `again`: those that are known have not. A new key may bear the old one's id, or none.
        """
        record = self._records.setdefault((url, spec.client.tls, spec.client.proxy), _Record())
        found = record.keys.candidates(header) if record.keys else ()
        if past(self._clock.now(), record.fresh_until) or (
            (again or not found) and self._may_look_again(record)
        ):
            await self._fetch(record, spec, url)
            found = record.keys.candidates(header) if record.keys else ()
        if found:
            return found
        if record.keys is None and record.failure is not None:
            raise TokenInvalid(
                f"the token's signature can't be checked: {record.failure.detail}", hint=record.failure.hint
            )
        raise TokenInvalid("the token's signature is by a key that its issuer does not publish")

    async def aclose(self) -> None:
        """End all fetches."""
        await end([record.looking for record in self._records.values() if record.looking is not None])

    def _may_look_again(self, record: _Record) -> bool:
        """Whether a token that no known key has signed is worth a fetch now; notes that there was one."""
        now = self._clock.now()
        if record.keys is None or record.looking is not None:
            return True
        if not past(now, record.again_from):
            return False
        record.again_from = later(now, AGAIN_SECONDS)
        return True

    async def _fetch(self, record: _Record, spec: SourceSpec, url: str) -> None:
        if record.looking is None:
            record.looking = asyncio.get_running_loop().create_task(self._renew(record, spec, url))
        await asyncio.wait((record.looking,))

    async def _renew(self, record: _Record, spec: SourceSpec, url: str) -> None:
        try:
            found = await self._look(url, spec.client)
        except TokenFailure as failure:
            if record.keys is not None and record.failure is None:
                message = f"the keys known of its issuer serve on: {failure.detail}"
                self._warn(SourceWarning(source=spec.name, message=message))
            record.failure = failure
            record.fresh_until = later(self._clock.now(), AGAIN_SECONDS)
        else:
            record.keys, record.failure = found.keys, None
            record.fresh_until = later(self._clock.now(), found.kept_seconds)
        finally:
            record.looking = None
