"""What one configuration makes of requests: its gate, its token sources, its log settings."""

from collections.abc import Mapping
from dataclasses import dataclass

from clientcreds_proxy.config.load import Config
from clientcreds_proxy.rules.decision import Gate
from clientcreds_proxy.rules.matching import covers
from clientcreds_proxy.rules.model import Destination
from clientcreds_proxy.rules.rulebook import RuleBook
from clientcreds_proxy.tokens.model import ClientTls
from clientcreds_proxy.tokens.source import TokenSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One configuration, ready to decide; a reload puts another in its place."""

    config: Config
    gate: Gate
    sources: Mapping[str, TokenSource]
    bound: RuleBook  # the rules whose tokens are bound to a client certificate

    @property
    def intercepts_ruled_only(self) -> bool:
        """Whether TLS to hosts without a rule is left alone."""
        return self.config.intercept == "ruled"

    def covers(self, host: str, port: int) -> bool:
        """Whether this is a ruled host."""
        return self.gate.book.covers(host, port)

    def certificate_for(self, host: str, port: int) -> ClientTls | None:
        """The client certificate of this host's first rule that has one."""
        if not self.bound.covers(host, port):
            return None
        here = Destination(scheme="https", host=host, port=port)
        names = (rule.token_source for rule in self.bound.rules if covers(rule, here))
        return next((self.sources[name].spec.client.tls for name in names if name is not None), None)
