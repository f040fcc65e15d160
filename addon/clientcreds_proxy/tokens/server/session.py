"""HTTP with authorization servers, for the length of one fetch: bounded in time, size and patience.

No redirect is followed, no cookie kept, no environment proxy used. Not in it: what is asked
(`tokens/fetch.py`, `look.py`).
"""

import asyncio
import random
import ssl  # noqa: TID251 - the edge
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urljoin, urlsplit

import httpx  # noqa: TID251 - the edge
import stamina

from clientcreds_proxy.errors import TokenBackoff, TokenMalformed, TokenTimeout, TokenUnavailable
from clientcreds_proxy.rules.host import normalise
from clientcreds_proxy.tokens.model import Client, ClientTls, Clock
from clientcreds_proxy.tokens.server.transport import tls_context, transport_failure

CONTEXTS_KEPT = 64
FIRST_WAIT_SECONDS = 0.25  # before a retry at most, doubling; each wait is a random part of it (full jitter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent."""

    method: str
    url: str = field(repr=False)  # its query may hold a key
    host: str  # as messages name the server
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What came back."""

    status: int
    headers: Mapping[str, str] = field(repr=False)  # names in any case
    body: bytes = field(repr=False)
    retry_after: float | None  # seconds; None: no such header, or not a usable one
    ahead_seconds: float | None  # of our wall clock, before the server's `Date`; None: no such header
    leads_to: str | None = None  # host and port of a redirect's target


class Sessions:
    """Opens sessions as a source's `client` says."""

    def __init__(self, *, clock: Clock, chance: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._chance = chance
        self._contexts: dict[ClientTls, ssl.SSLContext] = {}  # the trust store takes 20 ms and 1 MiB

    @asynccontextmanager
    async def open(self, client: Client, host: str) -> AsyncIterator["Session"]:
        """A session that ends with a `TokenTimeout` after `timeout_seconds`, whatever it is doing."""
        context = self._context(client.tls, host)
        try:
            async with asyncio.timeout(client.timeout_seconds) as scope:
                # A client for each fetch: httpx 0.28's pool stays full for ever after cancelled requests,
                # and this deadline cancels one.
                async with _http(client, context) as http:
                    loop = asyncio.get_running_loop()
                    patience = _Patience(
                        retries=client.max_retries,
                        left=lambda: (scope.when() or 0.0) - loop.time(),
                        chance=self._chance,
                    )
                    yield Session(http, patience, clock=self._clock, client=client)
        except TimeoutError:
            raise TokenTimeout(f"{host} gave no token within {client.timeout_seconds:g} s") from None

    def _context(self, tls: ClientTls, host: str) -> ssl.SSLContext:
        if tls not in self._contexts:
            try:
                context = tls_context(tls)
            except ValueError as error:
                raise TokenUnavailable(f"no TLS with {host}: {error}") from None
            if len(self._contexts) >= CONTEXTS_KEPT:  # those of certificates that were renewed since
                del self._contexts[next(iter(self._contexts))]
            self._contexts[tls] = context
        return self._contexts[tls]


class Session:
    """An HTTP client within its deadline."""

    def __init__(
        self, http: httpx.AsyncClient, patience: "_Patience", *, clock: Clock, client: Client
    ) -> None:
        self._http = http
        self._patience = patience
        self._clock = clock
        self._client = client

    async def patiently[T](self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` gives, asked again where the server could not answer and time and retries are left."""
        caller = stamina.AsyncRetryingCaller(attempts=None, timeout=None)  # `_Patience` decides about both
        return await caller(self._patience.wait, ask)

    async def send(self, request: Request, *, max_bytes: int) -> Received:
        """The answer; raises `TokenUnavailable`, or `TokenMalformed` for one that is too long."""
        try:
            async with self._http.stream(
                request.method,
                request.url,
                headers=request.headers,
                content=request.body or None,
                auth=httpx.Auth(),  # none of httpx's own: it would take a user out of the URL
            ) as response:
                body = b"" if response.is_redirect else await _capped(response, request.host, max_bytes)
                return self._received(response, request, body)
        # httpcore lets an alert that comes after the handshake (TLS 1.3, about our certificate) through
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            raise transport_failure(
                error,
                request.host,
                proxied=self._client.proxy is not None,
                certified=self._client.tls.cert is not None,
            ) from None

    def _received(self, response: httpx.Response, request: Request, body: bytes) -> Received:
        headers, wall = response.headers, self._clock.now().wall
        date = _date(headers.get("date", ""))
        return Received(
            status=response.status_code,
            headers=headers,
            body=body,
            retry_after=retry_after(headers, wall),
            ahead_seconds=None if date is None else wall - date,
            leads_to=_target(request.url, headers["location"]) if response.has_redirect_location else None,
        )


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
        jitter = self.chance() * FIRST_WAIT_SECONDS * 2.0**self.made
        match failure:
            case TokenBackoff():  # a limiter's 0 is often a part of a second, rounded down
                seconds = max(failure.retry_after or 0.0, jitter)
            case TokenUnavailable():
                seconds = jitter
            case _:
                return False
        if seconds >= self.left():
            return False
        self.made += 1
        return seconds


def retry_after(headers: Mapping[str, str], wall: float) -> float | None:
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


def _target(url: str, location: str) -> str | None:
    """Host and port that a `Location` leads to."""
    try:
        target = urlsplit(urljoin(url, location))
        host, port = normalise(target.hostname or ""), target.port
    except ValueError:
        return None
    host = f"[{host}]" if ":" in host else host
    return host if port is None else f"{host}:{port}"


def _http(client: Client, context: ssl.SSLContext) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        verify=context,
        proxy=client.proxy.reveal() if client.proxy else None,
        trust_env=False,  # our users set HTTP_PROXY to us: the token request would come back into this proxy
        follow_redirects=False,
        timeout=None,  # noqa: S113 - bounded by the deadline around it; a limit per read is none at all
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # keeps none
    )


async def _capped(response: httpx.Response, host: str, max_bytes: int) -> bytes:
    """The body as it came: nothing compressed was asked for, so nothing is decompressed."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > max_bytes:
            raise TokenMalformed(f"{host} answered with more than {_size(max_bytes)}")
    return bytes(body)


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"
