"""One request on its way through the proxy: what was decided about it, and what the log will say."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary, WeakSet

from mitmproxy import connection, http

from clientcreds_proxy.errors import CallerUnauthorized, TokenFailure
from clientcreds_proxy.martian.message import Request
from clientcreds_proxy.observe.log import AccessLine, TokenUse
from clientcreds_proxy.proxy.facts import arrival_of
from clientcreds_proxy.proxy.house.policy import Policy
from clientcreds_proxy.proxy.inside.streams import announced_size, has_unsent
from clientcreds_proxy.proxy.refusal import Refused
from clientcreds_proxy.rules.decision import Arrival, Decision, Finding
from clientcreds_proxy.rules.model import Destination
from clientcreds_proxy.rules.path import path_of
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.claims.values import find, text_of
from clientcreds_proxy.tokens.credentials import Credentials, shown
from clientcreds_proxy.tokens.model import Obtained
from clientcreds_proxy.tokens.source import TokenSource

_LOOK_AGAIN_SECONDS = 0.01


@dataclass(slots=True, eq=False, kw_only=True)
class Passage:
    """The notes that one hook leaves for the next. They live outside the flow, which mitmproxy stores."""

    arrival: Arrival
    policy: Policy  # as it was when the request came: a reload does not change the rules under it
    started: float  # seconds, on the clock of `Passages`
    upload: int | None = 0  # bytes of the client's body as its head announced it; None: unknown
    finding: Finding | None = None
    decision: Decision | None = None
    waits_for_body: bool = False  # it may name the caller
    caller: Credentials | None = None  # of the caller's own, where the rule's source wants some
    unauthorized: type[CallerUnauthorized] = CallerUnauthorized  # how a caller without good ones is told
    goes_on: Secret | None = None  # the caller's Authorization, where the API is to see it
    own_source: TokenSource | None = None  # the caller's
    obtained: Obtained | None = None
    token_use: TokenUse = "none"
    placeholders: list[str] = field(default_factory=list)
    sent: Request | None = None  # after the modifiers, without the token
    leaves_for: Destination | None = None  # after them, as mitmproxy names it
    is_led: bool = False  # they led it there
    answer_body: bytes | None = None  # instead of the API's
    without_token: TokenFailure | None = None  # why it goes on without a token, or with a 401
    refused: Refused | None = None
    send_again: bool = False  # the first answer was a 401 to our token, and is held back

    @property
    def names(self) -> tuple[str | None, str | None]:
        """The rule and the token source, where there are any."""
        rule = self.finding.rule if self.finding else None
        return (rule.name, rule.token_source) if rule else (None, None)

    @property
    def source(self) -> TokenSource | None:
        """The token source of the rule that won, where there is one; the caller's, where it has its own."""
        if self.own_source is not None:
            return self.own_source
        name = self.decision.rule.token_source if self.decision else None
        return None if name is None else self.policy.sources[name]

    @property
    def username(self) -> str | None:
        """Whose token it is: what the claim says that the rule names for it, else the caller's client id."""
        claim = self.decision.rule.username_claim if self.decision else None
        named = text_of(find(self.obtained.token.claims, claim)) if claim and self.obtained else None
        return named or (shown(self.caller.client_id) if self.caller else None)

    @property
    def comment(self) -> str:
        """What mitmweb and the console show beside the flow; `~comment ^clientcreds` finds it."""
        rule, token_source = self.names
        outcome = self.refused.refusal.reason if self.refused else f"token={self.token_use}"
        return f"clientcreds rule={rule or '-'} token_source={token_source or '-'} {outcome}"

    def line(self, *, status: int | None, broken: str | None, now: float) -> AccessLine:
        """The log's line about it; `broken` is why the exchange has no proper end."""
        rule, token_source = self.names
        facts = self.arrival.facts
        failure = self.refused.refusal if self.refused else self.without_token
        return AccessLine(
            rule=rule,
            token_source=token_source,
            client=self.arrival.client_address,
            client_username=self.username,
            method=facts.method,
            host=facts.destination.host,
            path=path_of(facts.target),
            status=status,
            reason=failure.reason if failure else broken,
            duration_ms=round((now - self.started) * 1000),
            token=self.token_use,
        )


class Passages:
    """All requests that are in the proxy now."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_flow: WeakKeyDictionary[http.HTTPFlow, Passage] = WeakKeyDictionary()
        self._ending: WeakSet[http.HTTPFlow] = WeakSet()

    def enter(self, flow: http.HTTPFlow, policy: Policy) -> Passage:
        """Begin to follow a request."""
        passage = Passage(
            arrival=arrival_of(flow),
            policy=policy,
            started=self._clock(),
            upload=announced_size(flow.request),
        )
        self._by_flow[flow] = passage
        return passage

    def of(self, flow: http.HTTPFlow) -> Passage | None:
        """What is known about this request; None for one that is none of our business, or is over."""
        return self._by_flow.get(flow)

    def led_to(self, address: tuple[str, int] | None, client: connection.Client) -> bool:
        """Whether a modifier led a request of this client, which was admitted, to this address."""
        return any(
            passage.is_led
            and passage.leaves_for
            and (passage.leaves_for.host, passage.leaves_for.port) == address
            for flow, passage in self._by_flow.items()
            if flow.client_conn.peername == client.peername
        )

    def leave(self, flow: http.HTTPFlow) -> Passage | None:
        """Follow it no longer; the last of its answer may still be on the way to the client."""
        if flow.websocket is None:
            self._ending.add(flow)
        return self._by_flow.pop(flow, None)

    async def drained(self, seconds: float) -> None:
        """Come back when every answer is with its client, or after this long."""
        deadline = self._clock() + seconds
        while self._clock() < deadline:
            if not (self._by_flow or any(flow.live for flow in self._ending) or has_unsent()):
                return
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
