"""Step 4: the destination is looked at once more, and the credential goes in.

Both happen in one go, after everything that waits: nothing runs between the look and the attaching.
What goes into the flow is a placeholder; `inside/wire.py` swaps it.
"""

from functools import partial

from mitmproxy import http

from clientcreds_proxy.errors import DestinationMismatch
from clientcreds_proxy.proxy import facts
from clientcreds_proxy.proxy.inside.wire import PREFIX, Sealable, Sealed, Wire
from clientcreds_proxy.proxy.request import own_headers
from clientcreds_proxy.proxy.request.modify import DPOP
from clientcreds_proxy.proxy.request.passage import Passage
from clientcreds_proxy.rules.decision import Decision
from clientcreds_proxy.rules.host import normalise, split_host_port
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.claims.values import find, text_of
from clientcreds_proxy.tokens.proof.prover import Prover

MEANT_FOR_US = ("Proxy-Authorization", "Proxy-Connection")
_PLACEHOLDER = PREFIX.encode()


def remove_what_is_ours(request: http.Request) -> None:
    """Take out what a client says to its proxy: credentials, most of all. No server is to see them."""
    for name in MEANT_FOR_US:
        request.headers.pop(name, None)


def remove_placeholders(request: http.Request) -> None:
    """Take out what we put into a flow that mitmproxy plays again: it is no header of the client's."""
    fields = request.headers.fields
    if any(_PLACEHOLDER in value for _, value in fields):
        request.headers.fields = tuple(field for field in fields if _PLACEHOLDER not in field[1])


def attach(flow: http.HTTPFlow, passage: Passage, decision: Decision, wire: Wire) -> None:
    """Put placeholders for the obtained token and the source's `api_headers` into the request.

    And for the caller's own credentials, where the configuration wants the API to see them.
    An API's key is as secret as a token: both may be references.
    """
    _forward_claims(flow.request, passage, decision)
    if passage.obtained is None and passage.goes_on is None:
        return
    look_again(flow, passage, decision, "a modifier")
    if passage.goes_on is not None and decision.rule.attach.header.lower() != "authorization":
        sealed = _sealed(passage.goes_on, "Authorization", flow.request, passage=passage, wire=wire)
        flow.request.headers["Authorization"] = sealed
    if passage.obtained is None or decision.rule.token_source is None:
        return
    _put(flow.request, passage, decision, wire)
    for name, value in passage.policy.sources[decision.rule.token_source].spec.api_headers:
        sealed = _sealed(Secret(value), name, flow.request, passage=passage, wire=wire)
        own_headers.replace(flow.request, name, sealed)


def attach_again(request: http.Request, passage: Passage, decision: Decision, wire: Wire) -> None:
    """The same for a copy of the request that is sent once more with the token obtained since."""
    _forward_claims(request, passage, decision)
    _put(request, passage, decision, wire)


def _forward_claims(request: http.Request, passage: Passage, decision: Decision) -> None:
    """Set the headers that carry claims; empty where there is no such claim, whatever the client sent."""
    claims = passage.obtained.token.claims if passage.obtained else None
    for name, _ in decision.rule.forward_headers:
        own_headers.remove(request, name)
    for name, claim in decision.rule.forward_headers:
        request.headers[name] = (text_of(find(claims, claim)) or "").strip()


def _put(request: http.Request, passage: Passage, decision: Decision, wire: Wire) -> None:
    if passage.obtained is None:
        return
    header, scheme = decision.rule.attach.header, decision.rule.attach.scheme
    token = passage.obtained.token.value
    placeholder = _sealed(token, header, request, passage=passage, wire=wire)
    own_headers.replace(request, header, f"{scheme} {placeholder}".lstrip())
    if passage.source is not None and passage.source.spec.dpop:
        proof = partial(_proof, passage.source.prover, token)
        own_headers.replace(request, DPOP, _sealed(proof, DPOP, request, passage=passage, wire=wire))


def _sealed(value: Sealable, header: str, request: http.Request, *, passage: Passage, wire: Wire) -> str:
    """A placeholder for `value`, for this header and where this request goes."""
    here = facts.as_mitmproxy_names_it(request)
    placeholder = wire.seal(Sealed(value=value, header=header, destination=here))
    passage.placeholders.append(placeholder)
    return placeholder


def _proof(prover: Prover, token: Secret, request: http.Request) -> Secret:
    """Made only as the request is written: for what then stands there, and nothing stored holds it."""
    return prover.for_api_request(request.method, facts.url_of(request), token)


def look_again(flow: http.HTTPFlow, passage: Passage, decision: Decision, who: str) -> None:
    """Refuse where `who` led the request, or its Host header, to a server that the rule does not name."""
    now = facts.as_mitmproxy_names_it(flow.request)
    if now != passage.leaves_for:
        raise DestinationMismatch(f"{who} led the request to {now.scheme}://{now.authority}")
    named = flow.request.host_header
    if named is None:
        return  # HTTP/1.0 knows none
    try:
        host = normalise(split_host_port(named)[0])
    except ValueError:
        host = ""
    rules = passage.policy.gate.book.rules_named(decision.rule.name)
    if not any(pattern.matches(host) for rule in rules for pattern in rule.match.hosts):
        raise DestinationMismatch(f"{who} set a Host header that the rule does not name")
