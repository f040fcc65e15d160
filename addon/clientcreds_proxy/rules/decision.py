"""Step 1 whole: which rule is this request's, and may it pass? `Gate.admit` holds the order of all checks.

The proxy asks it about every request, and whoever wants to know about an imagined one can ask it too. What
needs a token, a modifier or a connection comes later, in `proxy/`.
"""

from dataclasses import dataclass, replace
from typing import Literal

from clientcreds_proxy.errors import ClientDenied, HeaderPresent, NoRule, UpstreamNotVerified
from clientcreds_proxy.martian.message import Headers
from clientcreds_proxy.rules.clients import admits
from clientcreds_proxy.rules.cross_site import preflight_method, refuse_cross_site
from clientcreds_proxy.rules.destination import agree, refuse_plaintext
from clientcreds_proxy.rules.host import is_loopback
from clientcreds_proxy.rules.model import ClientList, Destination, RequestFacts, Rule
from clientcreds_proxy.rules.rulebook import RuleBook

# What becomes of the header that carries the token.
Credential = Literal[
    "attach",  # a token is fetched and attached
    "keep",  # the client's own header goes on
    "none",  # nothing: the rule has no token source, or this is a CORS preflight
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request as it reached the proxy."""

    facts: RequestFacts
    named: tuple[str, ...]  # every `host` or `host:port` that the request itself names: Host, :authority
    server_name: str | None  # TLS server name inside a tunnel; None where there is none to compare
    headers: Headers  # the client's
    client_address: str
    client_user: str | None  # of mitmproxy's proxyauth
    upstream_verified: bool  # whether the API's certificate and the client's headers are checked
    stays_here: bool  # where it is written as loopback; False: it is another machine's, behind a proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A request to a ruled host, and the rule that won it, if any did."""

    rule: Rule | None
    destination: Destination  # that the request leaves for
    preflight: bool = False  # a CORS preflight that the rule lets pass without a token


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A rule won, and the request may pass: where to, and what becomes of its credential."""

    rule: Rule
    destination: Destination
    credential: Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What the configuration says about all requests."""

    book: RuleBook
    allowed_clients: ClientList
    unmatched: Literal["pass", "block"]

    def find(self, arrival: Arrival) -> Finding | None:
        """Which rule won, whether or not the request may pass; None where its host is not ruled."""
        facts = arrival.facts
        if not self.book.covers(facts.destination.host, facts.destination.port):
            return None
        asked = preflight_method(facts.method, arrival.headers)
        if asked is not None:
            found = self.book.find(replace(facts, method=asked))
            if found is not None and found.rule.allow_cross_site:
                return Finding(rule=found.rule, destination=found.destination, preflight=True)
        found = self.book.find(facts)
        if found is None:
            return Finding(rule=None, destination=facts.destination)
        return Finding(rule=found.rule, destination=found.destination)

    def admit(self, arrival: Arrival, finding: Finding | None) -> Decision | None:
        """What becomes of the request, or None for one that passes as it is; raises a `Refusal`.

        `cross_site` comes before all else, so that a page learns nothing and no browser asks for a login.
        """
        facts = arrival.facts
        if finding is None:
            self._admit_client(arrival, None)
            self._unmatched(f"no rule names {facts.destination.authority}")
            return None
        rule = finding.rule
        upgraded = rule is not None and rule.upgrade_to_https
        refuse_cross_site(rule, arrival.headers, facts.destination, upgraded=upgraded)
        self._admit_client(arrival, rule)
        for name in (*arrival.named, None):
            agree(facts.destination, server_name=arrival.server_name, host_header=name)
        self.book.refuse_ambiguous(facts, rule)
        if rule is None:
            self._unmatched(f"no rule for {facts.method} of this path at {facts.destination.authority}")
            return None
        credential: Credential = "none" if finding.preflight else _credential(rule, arrival)
        if credential == "attach":
            refuse_exposed(arrival, finding.destination, rule)
        return Decision(rule=rule, destination=finding.destination, credential=credential)

    def admit_connection(self, host: str, port: int, *, address: str, user: str | None) -> None:
        """Refuse a tunnel in which no request could pass: the answer to CONNECT, and to SOCKS."""
        if not admits(self.allowed_clients, address, user):
            raise ClientDenied(_NOT_ALLOWED)
        if not self.book.covers(host, port):
            self._unmatched(f"no rule names {host}:{port}")

    def _admit_client(self, arrival: Arrival, rule: Rule | None) -> None:
        if not admits(self.allowed_clients, arrival.client_address, arrival.client_user):
            raise ClientDenied(_NOT_ALLOWED)
        own = rule.allowed_clients if rule else None
        if own is not None and not admits(own, arrival.client_address, arrival.client_user):
            raise ClientDenied("this client is not in the rule's allowed_clients")

    def _unmatched(self, why: str) -> None:
        if self.unmatched == "block":
            raise NoRule(f"{why}, and unmatched is block")


_NOT_ALLOWED = "this client is not in allowed_clients"


def _credential(rule: Rule, arrival: Arrival) -> Credential:
    if rule.token_source is None:
        return "none"
    header = rule.attach.header.lower()
    if rule.attach.when_present == "replace" or all(name.lower() != header for name, _ in arrival.headers):
        return "attach"
    if rule.attach.when_present == "refuse":
        raise HeaderPresent(f"the request brings {rule.attach.header}, and when_present is refuse")
    return "keep"


def refuse_exposed(arrival: Arrival, destination: Destination, rule: Rule) -> None:
    """Refuse a token that would leave unencrypted, or to a server that nobody verified."""
    refuse_plaintext(rule, destination, stays_here=arrival.stays_here)
    if not is_vouched_for(
        destination.host, verified=arrival.upstream_verified, stays_here=arrival.stays_here
    ):
        raise UpstreamNotVerified(
            "ssl_insecure or validate_inbound_headers=false is set: a token goes to loopback only"
        )


def is_vouched_for(host: str, *, verified: bool, stays_here: bool) -> bool:
    """Whether a server is what it is taken for: its certificate was verified, or it is this machine."""
    return verified or (stays_here and is_loopback(host))
