"""What the proxy would do with a request, found out by the code that does it, on a request that nobody sends.

No token is fetched: one that stands for it is attached. So what depends on the token's claims, or on whether
there is one, is not decided here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mitmproxy import http

from clientcreds_proxy.errors import Refusal
from clientcreds_proxy.proxy import facts, tunnel
from clientcreds_proxy.proxy.explaining.changes import Attached, Change, Hidden, attached, changes
from clientcreds_proxy.proxy.explaining.imagined import Imagined, connect_flow, request_flow
from clientcreds_proxy.proxy.explaining.undecided import undecided
from clientcreds_proxy.proxy.fail_closed import or_refuse
from clientcreds_proxy.proxy.house.policy import Policy
from clientcreds_proxy.proxy.inside.wire import Wire
from clientcreds_proxy.proxy.request import attach
from clientcreds_proxy.proxy.request.callers import Callers
from clientcreds_proxy.proxy.request.credential import named_caller
from clientcreds_proxy.proxy.request.modify import modify
from clientcreds_proxy.proxy.request.passage import Passage
from clientcreds_proxy.rules.cross_site import preflight_method
from clientcreds_proxy.rules.decision import Arrival, Credential, Decision, Finding
from clientcreds_proxy.rules.model import Destination, Rule
from clientcreds_proxy.rules.verdicts import Verdict, verdicts
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import Instant, Obtained, Token

Verdicts = tuple[Verdict, ...]
Outcome = Literal[
    "refused",
    "passes",  # a rule won it
    "served",  # one did, and its static.Modifier answers
    "unchanged",  # no rule did, and it passes as it is
    "tunnelled",  # the same, and the proxy does not look into its TLS
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What would become of a request."""

    outcome: Outcome
    destination: Destination  # that it leaves for, where it does
    rule: Rule | None = None  # that won
    credential: Credential = "none"
    preflight: bool = False
    refusal: Refusal | None = None
    at_connect: bool = False  # refused before there is a request
    bug: str | None = None  # what an `internal_error` is about
    attached: tuple[Attached, ...] = ()
    changes: tuple[Change, ...] = ()
    later: tuple[str, ...] = ()  # what is decided only with a token, or with the answer
    rules: Verdicts = ()


def explain(policy: Policy, imagined: Imagined) -> Explanation:
    """What would become of it; raises a `NotARequest` where there can be no such request."""
    flow = request_flow(imagined)
    arrival = facts.arrival_of(flow)
    finding = policy.gate.find(arrival)
    connect = connect_flow(imagined) if imagined.url.destination.scheme == "https" else None
    known = _Known(policy=policy, arrival=arrival, finding=finding, callers=Callers(lambda _: connect))
    if connect is not None:
        before = _connect(known, connect)
        if before is not None:
            return before
    return _request(known, flow)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    policy: Policy
    arrival: Arrival
    finding: Finding | None
    callers: Callers

    def so(self, outcome: Outcome, **more: object) -> Explanation:
        """An explanation with what is always said."""
        finding = self.finding
        rule = finding.rule if finding else None
        asked = self.arrival.facts
        if finding is not None and finding.preflight:
            method = preflight_method(asked.method, self.arrival.headers)
            asked = replace(asked, method=method or asked.method)
        hidden = Hidden.of(self.policy, None)
        said = verdicts(self.policy.gate.book.rules, asked, rule)
        start = Explanation(
            outcome=outcome,
            destination=finding.destination if finding else asked.destination,
            rule=rule,
            preflight=finding is not None and finding.preflight,
            rules=tuple(replace(each, why=hidden.text(each.why)) for each in said),
        )
        return replace(start, **more)  # type: ignore[arg-type]

    def refused(
        self, refused: Sequence[Refusal], bugs: Sequence[Exception], *, at_connect: bool = False
    ) -> Explanation:
        """The same for a refusal; `bugs` is what a bug of ours raised."""
        bug = Hidden.of(self.policy, None).text(str(bugs[0])) if bugs else None
        return self.so("refused", refusal=refused[0], at_connect=at_connect, bug=bug)


def _connect(known: _Known, flow: http.HTTPFlow) -> Explanation | None:
    """What becomes of the tunnel; None where the request inside decides."""
    refused: list[Refusal] = []
    bugs: list[Exception] = []
    with or_refuse(refused.append, bugs.append):
        known.callers.note_tunnel(flow)
        tunnel.admit_connect(flow, known.policy)
        known.callers.refuse_nameless(flow, known.policy)
    if refused:
        return known.refused(refused, bugs, at_connect=True)
    if known.finding is None and known.policy.intercepts_ruled_only:
        return known.so("tunnelled")
    return None


def _request(known: _Known, flow: http.HTTPFlow) -> Explanation:
    refused: list[Refusal] = []
    bugs: list[Exception] = []
    decided: list[Passage] = []
    sent = flow.request.copy()
    with or_refuse(refused.append, bugs.append):
        decided.append(_send(known, flow))
    if refused:
        return known.refused(refused, bugs)
    passage, decision = decided[0], decided[0].decision
    hidden = Hidden.of(known.policy, decision)
    served = passage.sent is not None and passage.sent.answered_here
    return known.so(
        "served" if served else "passes" if decision else "unchanged",
        destination=facts.destination_of(flow),
        credential=decision.credential if decision else "none",
        attached=tuple(attached(flow.request, decision) if decision else ()),
        changes=tuple(changes(sent, flow.request, decision, hidden)),
        later=tuple(undecided(known.policy, decision) if decision else ()),
    )


def _send(known: _Known, flow: http.HTTPFlow) -> Passage:
    """As `ClientCreds.requestheaders` has it, but for the token."""
    passage = Passage(arrival=known.arrival, policy=known.policy, started=0, finding=known.finding)
    attach.remove_what_is_ours(flow.request)
    known.callers.take(flow, passage)
    decision = passage.decision = known.policy.gate.admit(passage.arrival, known.finding)
    if decision is not None:
        _stand_in(passage, decision)
        modify(flow, passage, decision)
        if passage.sent is not None and not passage.sent.answered_here:
            attach.attach(flow, passage, decision, Wire())
    return passage


def _stand_in(passage: Passage, decision: Decision) -> None:
    """What `credential.obtain` does, without asking anybody."""
    if decision.credential == "attach":
        callers = passage.policy.callers.get(decision.rule.token_source or "")
        if callers is not None:
            named_caller(passage, callers)
        token = Token(value=Secret("imagined"), lifetime=None, requested=Instant(boot=0, wall=0))
        passage.obtained = Obtained(token=token, how="cached", key="")
