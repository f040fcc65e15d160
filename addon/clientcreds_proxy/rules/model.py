"""The nouns of a rule: the facts it is chosen by, what it matches, and what it says about a request."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from clientcreds_proxy.martian.modifier import Modifier
from clientcreds_proxy.rules.pattern import HostPattern, PathPattern
from clientcreds_proxy.tokens.claims.expression import Expression
from clientcreds_proxy.tokens.claims.values import ClaimPath

Scheme = Literal["http", "https"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a request's bytes go: a host in normal form (`host.normalise`), and a port."""

    scheme: Scheme
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and port as they stand in a URL: IPv6 in brackets, no port left out."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """All that a rule is chosen by."""

    destination: Destination
    method: str
    target: str  # path and query as the client wrote them: `/v2/orders?tenant=acme`


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which requests a rule is for. An empty tuple or set of paths, methods or schemes means all."""

    hosts: tuple[HostPattern, ...]
    paths: tuple[PathPattern, ...] = ()
    methods: frozenset[str] = frozenset()
    schemes: frozenset[Scheme] = frozenset()
    ports: frozenset[int] | Literal["any"] | None = None  # None: the scheme's default port
    query: tuple[tuple[str, frozenset[str]], ...] = ()  # each parameter is there with one of these values


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach:
    """Which header carries the token."""

    header: str = "Authorization"
    scheme: str = "Bearer"  # empty: the token alone
    when_present: Literal["replace", "keep", "refuse"] = "replace"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientList:
    """Who may use something: addresses, and users of mitmproxy's `proxyauth`."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    users: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of the configuration, validated."""

    name: str
    match: Match
    token_source: str | None = None  # the name of a source; None: modifiers only
    attach: Attach = field(default_factory=Attach)
    claims: Expression | None = None  # what the token must say
    forward_headers: tuple[tuple[str, ClaimPath], ...] = ()  # header, and the claim that it carries
    username_claim: ClaimPath | None = None  # for the log
    modifiers: tuple[Modifier, ...] = ()
    upgrade_to_https: bool = False
    on_unauthorized: Literal["retry", "pass"] = "retry"
    on_token_failure: Literal["refuse", "pass_without_token"] = "refuse"
    allowed_clients: ClientList | None = None  # None: whoever may use the proxy
    allow_plain_http: bool = False
    allow_cross_site: bool = False
    allow_encoded_slash: bool = False
    allow_empty_segments: bool = False
