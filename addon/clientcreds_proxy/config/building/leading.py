"""Where modifiers lead requests of a rule with a token source: nowhere but where the rule's own go.

The proxy looks at each request besides (`proxy/request/modify.py`), with the same rule: `matching.may_lead`.
"""

from collections.abc import Iterator, Sequence

from clientcreds_proxy.config.building.place import Place
from clientcreds_proxy.errors import PlaintextRefused
from clientcreds_proxy.martian.inspect import HostSetting, Leading, host_settings, leadings
from clientcreds_proxy.martian.message import Request
from clientcreds_proxy.martian.modifier import Modifier
from clientcreds_proxy.rules.destination import refuse_plaintext
from clientcreds_proxy.rules.host import normalise, split_host_port
from clientcreds_proxy.rules.matching import DEFAULT_PORTS, SCHEMES, arrivals, covers, leaves_for, may_lead
from clientcreds_proxy.rules.model import Destination, Rule

Placed = tuple[Modifier, Place]


def check_leading(rules: Sequence[Rule], modifiers: Sequence[Placed]) -> None:
    """Note the modifiers that lead a request, or its Host header, away (contract section 7).

    `rules` are what one rule of the file became.
    """
    for modifier, place in modifiers:
        _check_hosts_set(rules, modifier, place)
        for leading in leadings(modifier):
            _check_led(rules, leading, place.at(*leading.at))


def _check_hosts_set(rules: Sequence[Rule], modifier: Modifier, place: Place) -> None:
    for setting in host_settings(modifier):
        at = place.at(*setting.at)
        if setting.value is None:
            at.problem("sets Host to what the request says; a rule with a token source names the host")
        elif not any(covers(rule, to) for to in _destinations(setting) for rule in rules):
            at.problem("sets Host to one that this rule does not match; its token is for that host alone")


def _check_led(rules: Sequence[Rule], leading: Leading, at: Place) -> None:
    for origin in _origins(rules):
        to = _led(leading.modifier, origin)
        if to == origin or may_lead(rules, origin, to):
            continue
        if origin.scheme == "https" and to.scheme == "http":
            at.problem("leads requests off TLS; a token goes out as safely as the rule says")
        else:
            at.foreign(
                f"leads requests from {_shown(origin)} to {_shown(to)}, which this rule does not match; "
                "its token is for the rule's own hosts and ports alone"
            )
        return


def _led(modifier: Modifier, origin: Destination) -> Destination:
    request = Request(
        method="GET", scheme=origin.scheme, host=origin.host, port=origin.port, target="/", headers=()
    )
    after = modifier.modify_request(request)
    return Destination(
        scheme="https" if after.scheme == "https" else "http", host=after.host, port=after.port
    )


def _origins(rules: Sequence[Rule]) -> Iterator[Destination]:
    """Where requests of the rule go: one host for each pattern, one port more where all are the rule's."""
    for rule in rules:
        for pattern in rule.match.hosts:
            host = pattern.base if pattern.kind == "exact" else f"any-label.{pattern.base}"
            for scheme in SCHEMES:
                ports = arrivals(rule, scheme)
                for port in {DEFAULT_PORTS[scheme], 12345} if ports == "any" else sorted(ports):
                    leaves = leaves_for(rule, Destination(scheme=scheme, host=host, port=port))
                    if leaves is not None and _may_carry_a_token(rule, leaves):
                        yield leaves


def _may_carry_a_token(rule: Rule, destination: Destination) -> bool:
    try:
        refuse_plaintext(rule, destination)
    except PlaintextRefused:
        return False
    return True


def _shown(destination: Destination) -> str:
    return f"{destination.scheme}://{destination.authority}"


def _destinations(setting: HostSetting) -> list[Destination]:
    """Where a request with this Host would go, by either scheme."""
    try:
        host, port = split_host_port(setting.value or "")
        normal = normalise(host)
    except ValueError:
        return []
    return [
        Destination(scheme=scheme, host=normal, port=port or default)
        for scheme, default in DEFAULT_PORTS.items()
    ]
