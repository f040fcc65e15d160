"""The order of all checks (`Gate.admit`), and every refusal it can raise. Sections 3.1 to 3.9."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from clientcreds_proxy.errors import (
    AmbiguousPath,
    ClientDenied,
    CrossSite,
    DestinationMismatch,
    HeaderPresent,
    MethodRefused,
    NoRule,
    PlaintextRefused,
    Refusal,
    UpstreamNotVerified,
)
from clientcreds_proxy.rules.decision import Arrival, Decision, Gate
from clientcreds_proxy.rules.model import Attach, ClientList, Rule
from clientcreds_proxy.rules.rulebook import RuleBook
from tests.unit.rules.making import a_request, a_rule, at

EVERYBODY = ClientList(networks=(ip_network("127.0.0.0/8"),), users=frozenset())
NOBODY = ClientList(networks=(), users=frozenset())
CROSS_SITE = ("Sec-Fetch-Site", "cross-site")
PREFLIGHT = (("Origin", "https://page.test"), ("Access-Control-Request-Method", "DELETE"))


def a_gate(*rules: Rule, allowed: ClientList = EVERYBODY, unmatched: str = "pass") -> Gate:
    """A gate in front of these rules."""
    return Gate(
        book=RuleBook(rules), allowed_clients=allowed, unmatched="block" if unmatched == "block" else "pass"
    )


def arriving(
    target: str = "/v2/orders",
    *headers: tuple[str, str],
    to: str = "https://api.example.com",
    method: str = "GET",
    named: tuple[str, ...] = (),
) -> Arrival:
    """A request from loopback with nothing wrong about it."""
    return Arrival(
        facts=a_request(target, to=to, method=method),
        named=named,
        server_name=None,
        headers=headers,
        client_address="127.0.0.1",
        client_user=None,
        upstream_verified=True,
        stays_here=True,
    )


def decide(gate: Gate, arrival: Arrival) -> Decision | None:
    """What the proxy does with the gate."""
    return gate.admit(arrival, gate.find(arrival))


def test_gate_attaches_a_token_to_a_request_that_a_rule_wins() -> None:
    rule = a_rule()

    decision = decide(a_gate(rule), arriving(named=("api.example.com", "API.example.com.:443")))

    assert decision == Decision(rule=rule, destination=at("https://api.example.com"), credential="attach")


def test_gate_sends_an_upgraded_request_to_the_rules_destination() -> None:
    rule = a_rule(upgrade_to_https=True)

    decision = decide(a_gate(rule), arriving(to="http://api.example.com"))

    assert decision is not None
    assert decision.destination == at("https://api.example.com")


@pytest.mark.parametrize(
    ("when_present", "own", "credential"),
    [
        ("replace", (), "attach"),
        ("replace", (("authorization", "own"),), "attach"),
        ("keep", (), "attach"),
        ("keep", (("AUTHORIZATION", ""),), "keep"),
        ("refuse", (("X-Other", "own"),), "attach"),
    ],
)
def test_gate_decides_about_the_clients_own_header(
    when_present: str, own: tuple[tuple[str, str], ...], credential: str
) -> None:
    rule = replace(a_rule(), attach=replace(Attach(), when_present=when_present))  # type: ignore[arg-type]

    decision = decide(a_gate(rule), arriving("/", *own))

    assert decision is not None
    assert decision.credential == credential


def test_gate_attaches_nothing_for_a_rule_without_a_source() -> None:
    rule = replace(a_rule(), token_source=None)
    exposed = replace(arriving(to="http://api.example.com"), upstream_verified=False)

    decision = decide(a_gate(rule), exposed)

    assert decision is not None
    assert decision.credential == "none"


@pytest.mark.parametrize("to", ["https://other.example.com", "https://api.example.com:8443"])
def test_gate_lets_pass_what_goes_to_a_host_without_a_rule(to: str) -> None:
    spoofed = replace(
        arriving("/a/../b", CROSS_SITE, to=to, named=("api.example.com",)), server_name="x.test"
    )

    assert decide(a_gate(a_rule()), spoofed) is None


def test_gate_lets_pass_what_no_rule_of_a_host_wins() -> None:
    assert decide(a_gate(a_rule(path="/only")), arriving("/other")) is None


def test_gate_lets_a_preflight_pass_without_a_token() -> None:
    rule = replace(a_rule(methods=["DELETE"]), allow_cross_site=True)

    decision = decide(a_gate(rule), arriving("/", CROSS_SITE, *PREFLIGHT, method="OPTIONS"))

    assert decision is not None
    assert (decision.rule, decision.credential) == (rule, "none")


@pytest.mark.parametrize("rule", [a_rule(methods=["DELETE"]), a_rule(methods=["GET"])])
def test_gate_takes_a_preflight_for_any_request_unless_the_rule_allows_it(rule: Rule) -> None:
    finding = a_gate(rule).find(arriving("/", *PREFLIGHT, method="OPTIONS"))

    assert finding is not None
    assert (finding.rule, finding.preflight) == (None, False)


# One request in which everything is wrong; its faults are put right one by one, in the order of the checks.
ALL_WRONG = replace(
    arriving(
        "/a/../b",
        CROSS_SITE,
        ("Authorization", "own"),
        to="http://api.example.com",
        method="TRACE",
        named=("other.test",),
    ),
    server_name="third.test",
    upstream_verified=False,
    client_address="192.0.2.1",
)
RULE = replace(a_rule(ports={80}), attach=replace(Attach(), when_present="refuse"), allowed_clients=NOBODY)
PutRight = Callable[[Arrival, Rule], tuple[Arrival, Rule]]


def in_facts(**values: str) -> PutRight:
    """Put the request line right."""
    return lambda arrival, rule: (replace(arrival, facts=replace(arrival.facts, **values)), rule)  # type: ignore[arg-type]


def in_arrival(**values: object) -> PutRight:
    """Put the request right."""
    return lambda arrival, rule: (replace(arrival, **values), rule)  # type: ignore[arg-type]


def in_rule(**values: object) -> PutRight:
    """Put the rule right."""
    return lambda arrival, rule: (arrival, replace(rule, **values))  # type: ignore[arg-type]


STEPS: list[tuple[type[Refusal], PutRight]] = [
    (CrossSite, in_arrival(headers=(("Authorization", "own"),))),
    (ClientDenied, in_arrival(client_address="127.0.0.1")),
    (ClientDenied, in_rule(allowed_clients=EVERYBODY)),
    (DestinationMismatch, in_arrival(named=("api.example.com:80",))),
    (DestinationMismatch, in_arrival(server_name=None)),
    (MethodRefused, in_facts(method="GET")),
    (AmbiguousPath, in_facts(target="/b")),
    (HeaderPresent, in_arrival(headers=())),
    (PlaintextRefused, in_rule(allow_plain_http=True)),
    (UpstreamNotVerified, in_arrival(upstream_verified=True)),
]


def put_right(number: int) -> tuple[Gate, Arrival]:
    """The gate and the request when so many faults are put right."""
    arrival, rule = ALL_WRONG, RULE
    for _, step in STEPS[:number]:
        arrival, rule = step(arrival, rule)
    return a_gate(rule), arrival


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_gate_checks_in_this_order(number: int) -> None:
    gate, arrival = put_right(number)

    with pytest.raises(Refusal) as refused:
        decide(gate, arrival)

    assert refused.type is STEPS[number][0]


def test_gate_lets_pass_when_everything_is_put_right() -> None:
    decision = decide(*put_right(len(STEPS)))

    assert decision is not None
    assert decision.credential == "attach"


def test_gate_refuses_cross_site_on_a_ruled_host_without_a_winning_rule() -> None:
    with pytest.raises(CrossSite):
        decide(a_gate(a_rule(path="/only")), arriving("/other", CROSS_SITE))


def test_gate_lets_loopback_have_a_token_though_nothing_is_verified() -> None:
    bare = replace(arriving(to="http://localhost"), upstream_verified=False)

    decision = decide(a_gate(a_rule(host="localhost", ports={80})), bare)

    assert decision is not None
    assert decision.credential == "attach"


@pytest.mark.parametrize(
    ("to", "target"), [("https://other.example.com", "/"), ("https://api.example.com", "/other")]
)
def test_gate_blocks_what_no_rule_wins(to: str, target: str) -> None:
    gate = a_gate(a_rule(path="/only"), unmatched="block")

    with pytest.raises(NoRule, match="unmatched is block"):
        decide(gate, arriving(target, to=to))


def test_gate_refuses_clients_on_hosts_without_a_rule_too() -> None:
    with pytest.raises(ClientDenied):
        decide(a_gate(a_rule(), allowed=NOBODY), arriving(to="https://other.example.com"))


def test_gate_refuses_tunnels() -> None:
    passing, blocking = a_gate(a_rule()), a_gate(a_rule(), unmatched="block")

    passing.admit_connection("other.example.com", 443, address="127.0.0.1", user=None)
    blocking.admit_connection("api.example.com", 443, address="127.0.0.1", user=None)
    with pytest.raises(NoRule, match=r"no rule names other\.example\.com:443"):
        blocking.admit_connection("other.example.com", 443, address="127.0.0.1", user=None)
    with pytest.raises(ClientDenied):
        passing.admit_connection("api.example.com", 443, address="192.0.2.1", user="alice")


@pytest.mark.parametrize(
    ("to", "verified", "refusal"),
    [("http://localhost", True, PlaintextRefused), ("https://localhost", False, UpstreamNotVerified)],
)
def test_loopback_of_another_machine_is_none(*, to: str, verified: bool, refusal: type[Refusal]) -> None:
    """Behind a proxy elsewhere it is that machine's (section 3.1: what the bytes really leave on)."""
    gate = a_gate(a_rule(host="localhost", ports={80, 443}))
    arrival = replace(arriving(to=to), upstream_verified=verified)
    assert decide(gate, arrival) is not None

    with pytest.raises(refusal):
        decide(gate, replace(arrival, stays_here=False))
