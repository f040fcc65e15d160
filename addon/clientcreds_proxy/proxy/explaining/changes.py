"""What an explanation shows of a request: what is attached, what changes, and nothing secret."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from mitmproxy import http

from clientcreds_proxy.martian.message import Headers
from clientcreds_proxy.proxy import facts
from clientcreds_proxy.proxy.house.policy import Policy
from clientcreds_proxy.proxy.inside.wire import PREFIX
from clientcreds_proxy.proxy.request.modify import DPOP
from clientcreds_proxy.rules.decision import Decision
from clientcreds_proxy.rules.model import Destination
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.claims.values import path_text

_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that the API sees otherwise than the client wrote it."""

    what: str  # `target`, `destination`, or the name of a header
    before: str | None = None  # None: it was not there
    after: str | None = None  # None: it is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A header that is put in as the bytes are written; its value is a secret."""

    header: str
    shown: str  # `Bearer ***`
    what: Literal["token", "proof", "api_headers"]


def attached(request: http.Request, decision: Decision) -> Iterator[Attached]:
    """The headers that hold a placeholder."""
    for name, value in request.headers.items(multi=True):
        if PREFIX not in value:
            continue
        shown = f"{value.partition(PREFIX)[0]}***"
        if name.lower() == decision.rule.attach.header.lower():
            yield Attached(header=name, shown=shown, what="token")
        else:
            proof = name == DPOP and decision.rule.attach.scheme == DPOP
            yield Attached(header=name, shown=shown, what="proof" if proof else "api_headers")


def changes(
    before: http.Request, after: http.Request, decision: Decision | None, hidden: "Hidden"
) -> Iterator[Change]:
    """What modifiers, an upgrade and the proxy itself change; a claim that will be forwarded by its name."""
    was, now = _place_of(before), _place_of(after)
    if was != now:
        yield Change(what="destination", before=was, after=now)
    if before.path != after.path:
        yield Change(what="target", before=hidden.target(before.path), after=hidden.target(after.path))
    left = [field for field in _fields(after) if PREFIX not in field[1]]
    claims = _forwarded(decision)
    for change in _header_changes(_fields(before), left):
        yield Change(
            what=change.what,
            before=hidden.value(change.what, change.before),
            after=claims.get(change.what.lower()) or hidden.value(change.what, change.after),
        )


def _header_changes(before: Headers, after: Sequence[tuple[str, str]]) -> Iterator[Change]:
    names = {name.lower(): name for name, _ in (*after, *before)}
    for key, name in names.items():
        was = [value for other, value in before if other.lower() == key]
        now = [value for other, value in after if other.lower() == key]
        for old, new in zip_longest(was, now):
            if old != new:
                yield Change(what=name, before=old, after=new)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """What an explanation does not show: credentials, and what references of the configuration gave."""

    headers: frozenset[str]
    secrets: tuple[Secret, ...]

    @classmethod
    def of(cls, policy: Policy, decision: Decision | None) -> "Hidden":
        """For one configuration, and the rule that won, if any did."""
        attached = {decision.rule.attach.header.lower()} if decision else set()
        return cls(headers=_CREDENTIALS | attached, secrets=policy.config.secrets)

    def value(self, header: str, value: str | None) -> str | None:
        """A header's value."""
        if value is None:
            return None
        return "***" if header.lower() in self.headers else self.text(value)

    def target(self, target: str) -> str:
        """A target, also without a caller's own secret in its query."""
        return re.sub(r"(?<=[?&]client_secret=)[^&]+", "***", self.text(target))

    def text(self, text: str) -> str:
        """Any text, without the secrets in it."""
        for secret in self.secrets:
            text = text.replace(secret.reveal(), "***")
        return text


def _forwarded(decision: Decision | None) -> dict[str, str]:
    """By header: which claim of the token it will carry."""
    if decision is None or decision.credential != "attach":
        return {}
    return {name.lower(): f"(claim {path_text(claim)})" for name, claim in decision.rule.forward_headers}


def _fields(request: http.Request) -> Headers:
    return tuple(request.headers.items(multi=True))


def _place_of(request: http.Request) -> str:
    host = facts.normal_or_nowhere(request.host)
    place = Destination(scheme=facts.scheme_of(request), host=host, port=request.port)
    return f"{place.scheme}://{place.authority}"
