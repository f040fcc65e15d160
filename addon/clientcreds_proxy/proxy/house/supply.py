"""What tokens come from: the cache, HTTP, metadata, keys, stores. Makes a `Policy` of a configuration.

It lives as long as the proxy: a changed configuration finds its tokens and connections again.
"""

import secrets
from collections.abc import Callable, Mapping

from clientcreds_proxy.config.load import Config
from clientcreds_proxy.proxy.house.policy import Policy, wants_proxy_credentials
from clientcreds_proxy.proxy.house.stores import Stores
from clientcreds_proxy.rules.decision import Gate
from clientcreds_proxy.rules.rulebook import RuleBook
from clientcreds_proxy.tokens.callers import Callers, SameWay
from clientcreds_proxy.tokens.clock import SystemClock
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.keeping.cache import TokenCache
from clientcreds_proxy.tokens.model import Observer, SourceSpec, Warn
from clientcreds_proxy.tokens.proof.prover import Prover
from clientcreds_proxy.tokens.remarks import Remarking
from clientcreds_proxy.tokens.server.discovery import Discovery
from clientcreds_proxy.tokens.server.look import HttpLook
from clientcreds_proxy.tokens.server.session import Sessions
from clientcreds_proxy.tokens.source import Fetch, Reread, TokenSource
from clientcreds_proxy.tokens.stores.store import StoreEvent
from clientcreds_proxy.tokens.verify.keys import Keys
from clientcreds_proxy.tokens.verify.look import HttpLookForKeys


class Supply:
    """Makes token sources, and keeps what they share."""

    def __init__(
        self,
        *,
        observer: Observer,
        warn: Warn,
        tell_of_store: Callable[[StoreEvent], None],
        reread: Callable[[str], Reread],  # of the source of this name
    ) -> None:
        self._warn = warn
        self._reread = reread
        self._clock = SystemClock()
        self._cache = TokenCache(clock=self._clock, observer=observer)
        self._sessions = Sessions(clock=self._clock)
        self._discovery = Discovery(clock=self._clock, look=HttpLook(self._sessions), warn=warn)
        self._keys = Keys(clock=self._clock, look=HttpLookForKeys(self._sessions), warn=warn)
        self._stores = Stores(clock=self._clock, tell=tell_of_store)
        self._callers_key = secrets.token_bytes(32)

    def open_stores(self, policy: Policy) -> None:
        """Connect to the stores of this policy, and part with others; needs a running event loop."""
        self._stores.keep_only(policy.config.sources.values())

    def keep_only(self, policy: Policy) -> None:
        """Forget the tokens of other policies, and all remembered failures: what failed may be mended."""
        self._cache.keep_only(policy.keys)
        self._cache.pardon()
        self.open_stores(policy)

    async def aclose(self) -> None:
        """End what runs in the background."""
        await self._cache.aclose()
        await self._stores.aclose()
        await self._discovery.aclose()
        await self._keys.aclose()

    def policy_of(self, config: Config, before: Policy | None = None) -> Policy:
        """The configuration at work; a source that did not change is that of the policy before."""
        kept = before.sources if before else {}
        sources: dict[str, TokenSource] = {}
        for name, spec in config.sources.items():
            old = kept.get(name)
            # A source keeps its key: a token fetched while its secret changes is its own all the same.
            prover = old.prover if old is not None else Prover(clock=self._clock)
            sources[name] = old if old is not None and old.spec == spec else self._source_of(spec, prover)
        gate = Gate(
            book=RuleBook(config.rules), allowed_clients=config.allowed_clients, unmatched=config.unmatched
        )
        bound = {name for name, spec in config.sources.items() if spec.certificate_bound}
        book = RuleBook([rule for rule in config.rules if rule.token_source in bound])
        proxied = [rule for rule in config.rules if wants_proxy_credentials(rule, config.sources)]
        others = [rule for rule in config.rules if not wants_proxy_credentials(rule, config.sources)]
        return Policy(
            config=config,
            gate=gate,
            sources=sources,
            callers=self._callers_of(sources, before),
            proxied=RuleBook(proxied),
            not_proxied=RuleBook(others) if proxied else gate.book,
            bound=book,
        )

    def _source_of(self, spec: SourceSpec, prover: Prover) -> TokenSource:
        fetch = self._fetch_of(prover)
        return TokenSource(
            spec,
            cache=self._cache,
            fetch=fetch,
            prover=prover,
            reread=self._reread(spec.name),
            store=self._stores.of(spec.store),
        )

    def _callers_of(self, sources: Mapping[str, TokenSource], before: Policy | None) -> dict[str, Callers]:
        kept = before.callers if before else {}
        with_callers = {name: source for name, source in sources.items() if source.spec.caller}
        return {
            name: old if (old := kept.get(name)) and old.spec == source.spec else self._new_callers(source)
            for name, source in with_callers.items()
        }

    def _new_callers(self, source: TokenSource) -> Callers:
        fetch = SameWay(self._fetch_of(source.prover))
        store = self._stores.of(source.spec.store)

        def opened(own: SourceSpec) -> TokenSource:
            return TokenSource(own, cache=self._cache, fetch=fetch, prover=source.prover, store=store)

        return Callers(source.spec, opened, key=self._callers_key)

    def _fetch_of(self, prover: Prover) -> Fetch:
        fetch = HttpFetch(
            clock=self._clock,
            sessions=self._sessions,
            discovery=self._discovery,
            keys=self._keys,
            prover=prover,
        )
        return Remarking(fetch, self._warn)
