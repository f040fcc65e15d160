"""A token source at work: what a request asks for its token."""

import asyncio
from functools import partial
from typing import Protocol

from clientcreds_proxy.errors import SecretUnavailable, TokenRejected
from clientcreds_proxy.tokens.credentials import shown
from clientcreds_proxy.tokens.keeping.cache import Demand, TokenCache
from clientcreds_proxy.tokens.keeping.entry import Standing
from clientcreds_proxy.tokens.keeping.key import cache_key
from clientcreds_proxy.tokens.model import Obtained, SourceSpec, Token
from clientcreds_proxy.tokens.proof.client_auth import Attempt, Granted, refused_as_client
from clientcreds_proxy.tokens.proof.prover import Prover
from clientcreds_proxy.tokens.stores.store import TokenStore
from clientcreds_proxy.tokens.stores.wanted import Wanted


class Fetch(Protocol):
    """Where tokens come from (`fetch.HttpFetch`)."""

    async def __call__(self, spec: SourceSpec, worked: Attempt | None, /) -> Granted:
        """A token within `timeout_seconds`, by the first attempt that is not refused as client.

        What `worked` last is tried first.
        """
        ...


class Reread(Protocol):
    """Where secrets come from once more."""

    async def __call__(self) -> SourceSpec | None:
        """The source with its secrets as they are now; None where it is gone.

        Raises `SecretUnavailable` where one of them can't be read any more.
        """
        ...


class TokenSource:
    """One source of the configuration, as long as that configuration is in use.

    The cache's key holds the secrets. Where they turn out to have changed, the source moves to the new
    key: whoever waits under the old one is served from the new one, and the old one is forgotten.
    """

    def __init__(  # noqa: PLR0913 - ports, each by its name
        self,
        spec: SourceSpec,
        *,
        cache: TokenCache,
        fetch: Fetch,
        prover: Prover,
        reread: Reread | None = None,
        store: TokenStore | None = None,  # None: this process's memory alone
    ) -> None:
        self.prover = prover  # proves that a DPoP token is ours; `fetch` has the same one
        self._cache = cache
        self._fetch = fetch
        self._reread = reread
        self.store = store  # where its tokens are shared
        self._asked_at = 0.0  # when the last token request began, by the loop's clock
        self._worked: Attempt | None = None
        self._use(spec)

    @property
    def spec(self) -> SourceSpec:
        """As configured, with the secrets in use."""
        return self._spec

    @property
    def key(self) -> str:
        """Of its entry in the cache."""
        return self._demand.key

    def cached(self) -> Obtained | None:
        """A token that needs no waiting, without any: for the hot path."""
        token = self._cache.cached(self._demand)
        return None if token is None else Obtained(token=token, how="cached", key=self._demand.key)

    async def token(self) -> Obtained:
        """A token, waited for if need be; raises a TokenFailure."""
        obtained = self.cached()
        if obtained is None:
            token = await self._cache.get(self._demand)
            obtained = Obtained(token=token, how="fetched", key=self._demand.key)
        return obtained

    async def fresh(self) -> Granted:
        """A token that is asked for now, whatever is remembered, and how; raises a TokenFailure."""
        return await self._fetch(self._spec, None)

    def reject(self, obtained: Obtained) -> bool:
        """Tell that the API answered 401 to it; whether asking again can bring another token."""
        was_held = self._cache.holds(obtained.key, obtained.token)
        is_dropped = self._cache.reject(obtained.key, obtained.token)
        if self.store is not None and was_held and is_dropped:
            self.store.drop(obtained.key, obtained.token)
        return is_dropped

    def standing(self) -> Standing | None:
        """How things are with its token; None where none was asked for yet."""
        return self._cache.standing(self._demand.key)

    def forget(self) -> None:
        """Drop its token and its remembered failures, in this process."""
        self._cache.forget(self._demand.key)

    def purge(self) -> None:
        """Drop them wherever they are: the next request gets a token that is new."""
        self.forget()
        if self.store is not None:
            self.store.forget(self._demand.key)

    def _use(self, spec: SourceSpec) -> None:
        self._spec = spec
        self._demand = self._demand_for(spec, rereads=True)

    def _demand_for(self, spec: SourceSpec, *, rereads: bool) -> Demand:
        async def fetch() -> Token:
            return await (self._ask_and_reread(spec) if rereads else self._ask(spec))

        return Demand(
            key=self._key_of(spec),
            source=spec.name,
            caller=shown(spec.client_id) if spec.caller else None,
            skew_seconds=spec.expiry.skew_seconds,
            fetch=fetch,
        )

    def _key_of(self, spec: SourceSpec) -> str:
        return cache_key(spec, proof_key=self.prover.thumbprint if spec.dpop else None)

    async def _ask(self, spec: SourceSpec) -> Token:
        if self.store is None:
            return await self._ask_server(spec)
        key = self._key_of(spec)
        wanted = Wanted(
            key=key,
            skew_seconds=spec.expiry.skew_seconds,
            timeout_seconds=spec.client.timeout_seconds,
            replacing=self._cache.last(key),
        )
        return await self.store.token(wanted, partial(self._ask_server, spec))

    async def _ask_server(self, spec: SourceSpec) -> Token:
        self._asked_at = asyncio.get_running_loop().time()
        granted = await self._fetch(spec, self._worked)
        self._worked = granted.attempt
        return granted.token

    async def _ask_and_reread(self, spec: SourceSpec) -> Token:
        try:
            return await self._ask(spec)
        except TokenRejected as refusal:
            if self._reread is None or not refused_as_client(refusal):
                raise
            deadline = self._asked_at + spec.client.timeout_seconds
            try:
                async with asyncio.timeout_at(deadline):  # one deadline for all of it
                    fresh = await _reread_after(refusal, self._reread)
                    if fresh is None or self._key_of(fresh) == self._key_of(spec):
                        raise
                    return await self._move_to(fresh)
            except TimeoutError:
                raise refusal from None

    async def _move_to(self, fresh: SourceSpec) -> Token:
        """The token of the new key, fetched there by one flight, which others may already wait for."""
        self._cache.forget(self._demand.key)
        self._use(fresh)
        return await self._cache.get(self._demand_for(fresh, rereads=False))


async def _reread_after(refusal: TokenRejected, reread: Reread) -> SourceSpec | None:
    try:
        return await reread()
    except SecretUnavailable as gone:
        raise SecretUnavailable(
            f"{refusal.detail}, and its secret can't be read again: {gone.detail}",
            error=refusal.error,
            hint="put the secret back: the one in use is refused",
        ) from refusal.__cause__
