"""Whether one rule is for one request, and where that request leaves for.

This is what a match means; `index.py` only finds the few rules for which it is worth asking. Hosts are in
normal form.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from clientcreds_proxy.rules.model import Destination, Match, RequestFacts, Rule, Scheme
from clientcreds_proxy.rules.path import path_of, query_of, segments_of

SCHEMES: tuple[Scheme, ...] = ("http", "https")

Ports = frozenset[int] | Literal["any"]

DEFAULT_PORTS: dict[Scheme, int] = {"http": 80, "https": 443}


def mismatch(rule: Rule, facts: RequestFacts) -> str | None:
    """Why `rule` is not for this request, in words; None where it is."""
    match = rule.match
    if not any(pattern.matches(facts.destination.host) for pattern in match.hosts):
        return f"host differs: not {_any_of(match.hosts)}"
    segments = segments_of(path_of(facts.target))
    if match.paths and not any(pattern.matches(segments) for pattern in match.paths):
        return f"path differs: not {_any_of(match.paths)}"
    return mismatch_beside_place(rule, facts)


def mismatch_beside_place(rule: Rule, facts: RequestFacts) -> str | None:
    """The same for a rule whose host and path are known to fit."""
    destination, match = facts.destination, rule.match
    if not _takes(rule, destination.scheme):
        return f"scheme differs: not {_any_of(match.schemes)}"
    ports = arrivals(rule, destination.scheme)
    if not _holds(ports, destination.port):
        return f"port differs: not {_any_of(ports)}"
    if match.methods and facts.method not in match.methods:
        return f"method differs: not {_any_of(match.methods)}"
    return _mismatch_of_query(match, facts.target)


def _mismatch_of_query(match: Match, target: str) -> str | None:
    sent = query_of(target) if match.query else []
    for name, accepted in match.query:
        values = {value for key, value in sent if key == name}
        # Every one of them: of `tenant=acme&tenant=evil` one server reads the first, another the last.
        if not values or not values <= accepted:
            return f"query differs: {name} is not {_any_of(accepted)}"
    return None


def covers(rule: Rule, destination: Destination) -> bool:
    """Whether scheme, host and port are the rule's, whatever the path."""
    hosts = any(pattern.matches(destination.host) for pattern in rule.match.hosts)
    return hosts and leaves_for(rule, destination) is not None


def leaves_for(rule: Rule, destination: Destination) -> Destination | None:
    """Where a request goes whose host is the rule's; None where scheme or port differ.

    That is another place only with `upgrade_to_https`: TLS on the same port, but on 443 for a request to 80
    where 443 is the rule's.
    """
    if not _holds(arrivals(rule, destination.scheme), destination.port):
        return None
    if destination.scheme == "https" or not rule.upgrade_to_https:
        return destination
    port = 443 if destination.port == 80 and _holds(_own_ports(rule, "http"), 443) else destination.port
    return replace(destination, scheme="https", port=port)


def may_lead(rules: Sequence[Rule], before: Destination, after: Destination) -> bool:
    """Whether a modifier of these (one rule of the configuration) may lead a request from one to the other.

    Only where they let requests of their own go, and never off TLS.
    """
    if before.scheme == "https" and after.scheme == "http":
        return False
    return any(_goes_to(rule, after) for rule in rules)


def _goes_to(rule: Rule, destination: Destination) -> bool:
    """Whether requests of the rule leave for this place, upgraded ones among them."""
    if not any(pattern.matches(destination.host) for pattern in rule.match.hosts):
        return False
    froms = (replace(destination, scheme=scheme) for scheme in SCHEMES)
    return any(leaves_for(rule, origin) == destination for origin in froms)


def arrivals(rule: Rule, scheme: Scheme) -> Ports:
    """The ports at which requests of one scheme come in for `rule`."""
    if not _takes(rule, scheme):
        return frozenset()
    ports = _own_ports(rule, scheme)
    if ports == "any" or scheme == "https" or not (rule.upgrade_to_https and 443 in ports):
        return ports
    return ports | {80}


def all_arrivals(rule: Rule) -> Ports:
    """The ports at which requests come in for `rule`, whatever their scheme."""
    http, https = arrivals(rule, "http"), arrivals(rule, "https")
    return "any" if http == "any" or https == "any" else http | https


def _takes(rule: Rule, scheme: Scheme) -> bool:
    upgraded = rule.upgrade_to_https and scheme == "http"
    return upgraded or not rule.match.schemes or scheme in rule.match.schemes


def _own_ports(rule: Rule, scheme: Scheme) -> Ports:
    if rule.match.ports is not None:
        return rule.match.ports
    # A request to be upgraded leaves over TLS: the default port is TLS's, however it comes in.
    return frozenset({DEFAULT_PORTS["https" if rule.upgrade_to_https else scheme]})


def _holds(ports: Ports, port: int) -> bool:
    return ports == "any" or port in ports


def _any_of(expected: Iterable[object]) -> str:
    return " or ".join(sorted(str(each) for each in expected))
