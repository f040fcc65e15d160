"""What one configuration makes of requests: its gate, its token sources, its log settings."""

from collections.abc import Mapping
from dataclasses import dataclass

from clientcreds_proxy.config.load import Config
from clientcreds_proxy.rules.decision import Gate
from clientcreds_proxy.tokens.source import TokenSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One configuration, ready to decide; a reload puts another in its place."""

    config: Config
    gate: Gate
    sources: Mapping[str, TokenSource]

    @property
    def intercepts_ruled_only(self) -> bool:
        """Whether TLS to hosts without a rule is left alone."""
        return self.config.intercept == "ruled"

    def covers(self, host: str, port: int) -> bool:
        """Whether this is a ruled host."""
        return self.gate.book.covers(host, port)
