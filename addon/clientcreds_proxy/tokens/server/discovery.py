"""The metadata of authorization servers: looked for when a token is first asked for, then now and then.

One look at a time for each server, however many sources wait. Where a later look fails, what is known serves
on. Between reading a record and changing it nothing is awaited. Not in it: the network (`look.py`), what a
document must hold (`metadata.py`).
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Protocol

from clientcreds_proxy.errors import TokenFailure, TokenMalformed, TokenUnavailable
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.asking.answer import host_of
from clientcreds_proxy.tokens.ending import end
from clientcreds_proxy.tokens.keeping.entry import LONG_AGO, again, later, past
from clientcreds_proxy.tokens.model import (
    Client,
    ClientTls,
    Clock,
    ErrorAnswer,
    Instant,
    SourceSpec,
    SourceWarning,
    Warn,
)
from clientcreds_proxy.tokens.proof.client_auth import presents_certificate
from clientcreds_proxy.tokens.server.metadata import Found, Metadata

RETRY_SECONDS = 60.0  # after a failed look, where older metadata serves on, and before one is doubted

# Trust and way belong to it: what one source took without verification is not another one's truth.
_Key = tuple[str | None, ClientTls, Secret | None]


class Look(Protocol):
    """Where metadata comes from (`look.HttpLook`)."""

    async def __call__(self, issuer: str, client: Client, /) -> Found:
        """The issuer's metadata within `timeout_seconds`; raises a TokenFailure."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class _Record:
    """What is known about one server, and the look under way."""

    metadata: Metadata | None = None
    fresh_until: Instant = LONG_AGO
    doubted_from: Instant = LONG_AGO
    looking: asyncio.Task[TokenFailure | None] | None = None
    is_failing: bool = False
    lacks_grant: bool = False


class Discovery:
    """All metadata of one event loop."""

    def __init__(self, *, clock: Clock, look: Look, warn: Warn = lambda _: None) -> None:
        self._clock = clock
        self._look = look
        self._warn = warn
        self._records: dict[_Key, _Record] = {}

    async def locate(self, spec: SourceSpec) -> tuple[SourceSpec, Metadata | None]:
        """The source with its token endpoint, and the metadata that names it; None: `token_url` is given.

        Raises a TokenFailure.
        """
        if spec.token_url or spec.issuer is None:
            return spec, None
        metadata = await self.metadata(spec, spec.issuer)
        endpoint = metadata.token_endpoint
        if presents_certificate(spec) and metadata.mtls_token_endpoint is not None:
            endpoint = metadata.mtls_token_endpoint
        return replace(spec, token_url=endpoint), metadata

    async def metadata(self, spec: SourceSpec, issuer: str) -> Metadata:
        """What the issuer of this source says about itself; raises a TokenFailure."""
        record = self._records.setdefault(_key(spec), _Record())
        known = record.metadata
        if known is not None and not past(self._clock.now(), record.fresh_until):
            return known
        if record.looking is None:
            record.looking = asyncio.get_running_loop().create_task(self._renew(record, spec, issuer))
        looking = record.looking
        # Metadata that can serve on leaves half of the time for the token request.
        await asyncio.wait((looking,), timeout=None if known is None else spec.client.timeout_seconds / 2)
        if record.metadata is not None:
            return record.metadata
        failure = looking.result()
        raise again(failure) if failure else AssertionError("a look that did not fail found something")

    def doubt(self, spec: SourceSpec, failure: TokenFailure) -> None:
        """Look again before the next token request, where the endpoint that was found seems to have moved."""
        record = self._records.get(_key(spec))
        if record is None or not _seems_moved(failure):
            return
        if past(self._clock.now(), record.doubted_from):
            record.fresh_until = LONG_AGO

    async def aclose(self) -> None:
        """End all looks."""
        await end([record.looking for record in self._records.values() if record.looking is not None])

    async def _renew(self, record: _Record, spec: SourceSpec, issuer: str) -> TokenFailure | None:
        """Look, and note what was found, or that nothing was; the failure is for those who have nothing."""
        try:
            found = await self._look(issuer, spec.client)
        except TokenFailure as failure:
            self._note_failure(record, spec, failure)
            return failure
        finally:
            record.looking = None
        self._note(record, spec, found)
        return None

    def _note(self, record: _Record, spec: SourceSpec, found: Found) -> None:
        before, after = record.metadata, found.metadata
        record.metadata, record.is_failing = after, False
        record.fresh_until = later(self._clock.now(), found.kept_seconds)
        record.doubted_from = later(self._clock.now(), RETRY_SECONDS)
        if before is not None and host_of(before.token_endpoint) != host_of(after.token_endpoint):
            self._say(
                spec,
                f"{after.issuer} gives tokens at another host now: {host_of(after.token_endpoint)}, "
                f"before {host_of(before.token_endpoint)}",
            )
        grant = spec.token_request.grant_type
        lacks_grant = bool(after.grant_types) and grant not in after.grant_types
        if lacks_grant and not record.lacks_grant:
            self._say(spec, f"{after.issuer} does not name {grant} among its grant_types_supported")
        record.lacks_grant = lacks_grant

    def _note_failure(self, record: _Record, spec: SourceSpec, failure: TokenFailure) -> None:
        if record.metadata is None:
            return
        record.fresh_until = later(self._clock.now(), RETRY_SECONDS)
        if not record.is_failing:
            self._say(spec, f"the metadata known of {record.metadata.issuer} serves on: {failure.detail}")
        record.is_failing = True

    def _say(self, spec: SourceSpec, message: str) -> None:
        self._warn(SourceWarning(source=spec.name, message=message))


def _key(spec: SourceSpec) -> _Key:
    return spec.issuer, spec.client.tls, spec.client.proxy


def _seems_moved(failure: TokenFailure) -> bool:
    said = failure.__cause__
    is_absent = isinstance(said, ErrorAnswer) and said.status in {404, 405, 410}
    return is_absent or isinstance(failure, TokenUnavailable | TokenMalformed)
