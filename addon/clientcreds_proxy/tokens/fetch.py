"""Fetch one token over HTTP: the one place of this room that waits for the network.

One overall deadline, retries where the server could not answer, ways to authenticate in turn. Not in it:
what is sent (`grant.py`), what an answer means (`answer.py`), what is remembered (`cache.py`, `source.py`).
"""

import asyncio
import random
import secrets
import ssl  # noqa: TID251 - the edge
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx  # noqa: TID251 - the edge
import stamina

from clientcreds_proxy.errors import (
    TokenBackoff,
    TokenMalformed,
    TokenRejected,
    TokenTimeout,
    TokenUnavailable,
)
from clientcreds_proxy.tokens.answer import MAX_BYTES, Answer, host_of, parse_answer
from clientcreds_proxy.tokens.client_auth import Attempt, Granted, hint, refused_as_client
from clientcreds_proxy.tokens.grant import encode
from clientcreds_proxy.tokens.mint import Mint
from clientcreds_proxy.tokens.model import ClientTls, Clock, SourceSpec, Token
from clientcreds_proxy.tokens.transport import tls_context, transport_words

FIRST_WAIT_SECONDS = 0.25  # before a retry at most, doubling; each wait is a random part of it (full jitter)


class HttpFetch:
    """Fetches the tokens of one source."""

    def __init__(
        self,
        *,
        clock: Clock,
        chance: Callable[[], float] = random.random,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._assertion = Mint(clock=clock, entropy=entropy)
        self._tls: tuple[ClientTls, ssl.SSLContext] | None = None  # reading the trust store takes 20 ms

    async def __call__(self, spec: SourceSpec, attempts: Sequence[Attempt]) -> Granted:
        """A token within the source's `timeout_seconds`; raises a TokenFailure."""
        host, seconds = host_of(spec.token_url), spec.client.timeout_seconds
        context = self._context(spec)
        try:
            async with asyncio.timeout(seconds) as scope:
                # A client for each fetch: httpx 0.28's pool stays full for ever after cancelled requests,
                # and this deadline cancels one.
                async with _client(spec, context) as client:
                    loop = asyncio.get_running_loop()
                    patience = _Patience(
                        retries=spec.client.max_retries,
                        left=lambda: (scope.when() or 0.0) - loop.time(),
                        chance=self._chance,
                    )
                    return await self._in_turn(client, spec, attempts, patience)
        except TimeoutError:
            raise TokenTimeout(f"{host} gave no token within {seconds:g} s") from None

    async def _in_turn(
        self, client: httpx.AsyncClient, spec: SourceSpec, attempts: Sequence[Attempt], patience: "_Patience"
    ) -> Granted:
        """The first way that is not refused as client."""
        refusals: list[TokenRejected] = []
        for attempt in attempts:
            try:
                return Granted(token=await self._patiently(client, spec, attempt, patience), attempt=attempt)
            except TokenRejected as refusal:
                if not refused_as_client(refusal):
                    raise
                refusals.append(refusal)
        # What the server said to the first way, unless only a later one made it name the client.
        told = next((refusal for refusal in refusals if refusal.error == "invalid_client"), refusals[0])
        raise TokenRejected(told.detail + hint(spec), error=told.error) from told.__cause__

    async def _patiently(
        self, client: httpx.AsyncClient, spec: SourceSpec, attempt: Attempt, patience: "_Patience"
    ) -> Token:
        caller = stamina.AsyncRetryingCaller(attempts=None, timeout=None)  # `patience` decides about both
        return await caller(patience.wait, self._once, client, spec, attempt)

    async def _once(self, client: httpx.AsyncClient, spec: SourceSpec, attempt: Attempt) -> Token:
        host, grant = host_of(spec.token_url), encode(spec, attempt, self._assertion(spec, attempt))
        requested = self._clock.now()
        try:
            async with client.stream(
                "POST",
                spec.token_url,
                headers=grant.headers,
                content=grant.body,
                auth=httpx.Auth(),  # none of httpx's own: it would take a user out of the URL
            ) as response:
                answer = Answer(
                    status=response.status_code,
                    body=b"" if response.is_redirect else await _capped(response, host),
                    retry_after=retry_after(response.headers, self._clock.now().wall),
                )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TokenUnavailable(transport_words(error, host)) from None
        return parse_answer(spec, answer, requested)

    def _context(self, spec: SourceSpec) -> ssl.SSLContext:
        tls = spec.client.tls
        if self._tls is None or self._tls[0] != tls:
            try:
                self._tls = (tls, tls_context(tls))
            except ValueError as error:
                raise TokenUnavailable(f"no TLS with {host_of(spec.token_url)}: {error}") from None
        return self._tls[1]


@dataclass(slots=True, kw_only=True)
class _Patience:
    """How often and how long one fetch waits before it asks again."""

    retries: int
    left: Callable[[], float]  # seconds to the deadline
    chance: Callable[[], float]
    made: int = 0

    def wait(self, failure: Exception) -> float | bool:
        """Seconds to the next request; False: none (stamina's hook)."""
        if self.made >= self.retries:
            return False
        match failure:
            case TokenBackoff():
                seconds = failure.retry_after or 0.0
            case TokenUnavailable():
                seconds = self.chance() * FIRST_WAIT_SECONDS * 2**self.made
            case _:
                return False
        if seconds >= self.left():
            return False
        self.made += 1
        return seconds


def retry_after(headers: httpx.Headers, wall: float) -> float | None:
    """Seconds to wait (RFC 9110 §10.2.3); a date counts from the answer's own `Date` where it has one."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    until = _date(value)
    if until is None:
        return None
    return max(0.0, until - (_date(headers.get("date", "")) or wall))


def _date(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None


def _client(spec: SourceSpec, context: ssl.SSLContext) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        verify=context,
        proxy=spec.client.proxy.reveal() if spec.client.proxy else None,
        trust_env=False,  # our users set HTTP_PROXY to us: the token request would come back into this proxy
        follow_redirects=False,
        timeout=None,  # noqa: S113 - bounded by the deadline around it; a limit per read is none at all
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # keeps none
    )


async def _capped(response: httpx.Response, host: str) -> bytes:
    """The body as it came: nothing compressed was asked for, so nothing is decompressed."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            raise TokenMalformed(f"{host} answered with more than 1 MiB")
    return bytes(body)
