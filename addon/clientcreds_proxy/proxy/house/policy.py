"""What one configuration makes of requests: its gate, its token sources, its log settings."""

from collections.abc import Mapping
from dataclasses import dataclass

from clientcreds_proxy.config.load import Config
from clientcreds_proxy.observe.status import Source
from clientcreds_proxy.rules.decision import Gate
from clientcreds_proxy.rules.matching import DEFAULT_PORTS, covers
from clientcreds_proxy.rules.model import Destination, Rule
from clientcreds_proxy.rules.rulebook import RuleBook
from clientcreds_proxy.tokens.callers import Callers
from clientcreds_proxy.tokens.model import Caller, ClientTls, SourceSpec
from clientcreds_proxy.tokens.source import TokenSource


def wants_proxy_credentials(rule: Rule, sources: Mapping[str, SourceSpec]) -> bool:
    """Whether each request of this rule must come from a caller with proxy credentials."""
    caller = sources[rule.token_source].caller if rule.token_source is not None else None
    alone = caller is not None and caller.places == ("proxy_authorization",)
    return alone and rule.attach.when_present != "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One configuration, ready to decide; a reload puts another in its place."""

    config: Config
    gate: Gate
    sources: Mapping[str, TokenSource]
    callers: Mapping[str, Callers]  # of the sources whose callers bring credentials of their own
    proxied: RuleBook  # the rules that nobody can use but callers with proxy credentials
    not_proxied: RuleBook  # all others
    bound: RuleBook  # the rules whose tokens are bound to a client certificate

    @property
    def intercepts_ruled_only(self) -> bool:
        """Whether TLS to hosts without a rule is left alone."""
        return self.config.intercept == "ruled"

    def covers(self, host: str, port: int) -> bool:
        """Whether this is a ruled host."""
        return self.gate.book.covers(host, port)

    @property
    def keys(self) -> set[str]:
        """Of all its entries in the cache."""
        own = {source.key for source in self.sources.values()}
        return own.union(*(callers.keys() for callers in self.callers.values()))

    def known(self) -> list[Source]:
        """How things are with each source."""
        found: list[Source] = []
        for name, source in self.sources.items():
            callers = self.callers.get(name)
            found.append(
                Source(
                    spec=source.spec,
                    standing=(callers or source).standing(),
                    callers=callers.known if callers else None,
                    store_fault=source.store.why_down if source.store else None,
                )
            )
        return found

    def caller_of(self, rule: Rule) -> Caller | None:
        """Where this rule's callers say who they are; None where they need not."""
        return None if rule.token_source is None else self.sources[rule.token_source].spec.caller

    def callers_by_tunnel(self, host: str, port: int) -> list[Callers]:
        """Those of whom a tunnel's CONNECT must name one: all rules of this host want proxy credentials."""
        if not self.proxied.covers(host, port) or self.not_proxied.covers(host, port):
            return []
        here = [Destination(scheme=scheme, host=host, port=port) for scheme in DEFAULT_PORTS]
        of_host = (rule for rule in self.proxied.rules if any(covers(rule, each) for each in here))
        names = dict.fromkeys(rule.token_source for rule in of_host)
        return [self.callers[name] for name in names if name is not None]

    def certificate_for(self, host: str, port: int) -> ClientTls | None:
        """The client certificate of this host's first rule that has one."""
        if not self.bound.covers(host, port):
            return None
        here = Destination(scheme="https", host=host, port=port)
        names = (rule.token_source for rule in self.bound.rules if covers(rule, here))
        return next((self.sources[name].spec.client.tls for name in names if name is not None), None)
