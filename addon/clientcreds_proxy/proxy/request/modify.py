"""Step 3: modifiers run, and what they changed goes into the flow.

It comes after the token, so that nobody who may not have one finds out what modifiers do. The credential
follows in `attach.py`.
"""

from mitmproxy import http

from clientcreds_proxy.errors import DestinationMismatch
from clientcreds_proxy.martian.message import Request
from clientcreds_proxy.proxy import facts
from clientcreds_proxy.proxy.inside import streams
from clientcreds_proxy.proxy.request import bodies, own_headers
from clientcreds_proxy.proxy.request.passage import Passage
from clientcreds_proxy.rules.decision import Decision, refuse_exposed
from clientcreds_proxy.rules.destination import host_header
from clientcreds_proxy.rules.matching import may_lead

HELD_BODY = 1024 * 1024  # bytes; a request with a smaller body can be sent again after a 401
DPOP = "DPoP"  # the scheme of a token that is bound to a key, and the header of its proof (RFC 9449 §7.1)
ABOUT_THE_CONNECTION = ("close", "keep-alive", "upgrade")  # what `Connection` may say to the next hop


def modify(flow: http.HTTPFlow, passage: Passage, decision: Decision) -> None:
    """Make the request what the API is to see, but for the credential."""
    request = flow.request
    if request.scheme != decision.destination.scheme:
        request.scheme = decision.destination.scheme
        request.port = decision.destination.port
        if request.host_header is not None:  # the setters write it as well, an IDNA name in Unicode
            request.host_header = host_header(decision.destination)
    _remove_what_connection_lists(request)
    before = after = facts.request_of(flow)
    for modifier in decision.rule.modifiers:
        after = modifier.modify_request(after)
    facts.write_request(flow, before, after)
    passage.sent, passage.leaves_for = after, facts.as_mitmproxy_names_it(request)
    passage.is_led = facts.is_led_elsewhere(before, after)
    if passage.is_led:
        _refuse_led_away(flow, passage, decision)
    if request.scheme == "https" and not (request.is_http2 or request.is_http3):
        request.authority = ""  # the next hop is the API itself: no target in absolute form
    if decision.credential == "attach":  # the client's own: the rule says `replace`
        own_headers.remove(request, decision.rule.attach.header)
        if decision.rule.attach.scheme == DPOP:
            own_headers.remove(request, DPOP)
    streams.decide_alone(flow)
    _decide_about_body(request, after)


def is_held(request: http.Request) -> bool:
    """Whether the body is kept until the answer's head is there.

    A request without a body is not streamed either way: mitmproxy sees its end with its head.
    """
    length = request.headers.get("content-length")
    return length is not None and int(length) <= HELD_BODY


def _decide_about_body(request: http.Request, after: Request) -> None:
    """Whether the client's body is held, streams, or is dropped for another one."""
    arrives = request.timestamp_end is None
    request.stream = False
    if after.answered_here:
        return
    if after.body is not None and arrives:
        request.stream = bodies.instead(after.body)
    elif after.body is not None:
        bodies.put(request, after.body)
    else:
        request.stream = arrives and not is_held(request)


def _refuse_led_away(flow: http.HTTPFlow, passage: Passage, decision: Decision) -> None:
    """Refuse what a modifier led out of its rule, where the rule has a token (contract section 7)."""
    rule = decision.rule
    if rule.token_source is None:
        return
    to = facts.destination_of(flow)
    if not facts.destination_is_named(flow.client_conn):
        raise DestinationMismatch("a modifier led the request elsewhere, and its client named no destination")
    if not may_lead(passage.policy.gate.book.rules_named(rule.name), decision.destination, to):
        raise DestinationMismatch(f"a modifier led the request to {to.scheme}://{to.authority}")
    if decision.credential == "attach":
        refuse_exposed(passage.arrival, to, rule)


def _remove_what_connection_lists(request: http.Request) -> None:
    """Take out what was meant for this hop alone (RFC 9110 §7.6.1).

    mitmproxy passes `Connection` on as it came: a client could name our header in it, and the next hop would
    drop the token.
    """
    connection = request.headers.get("connection")
    if connection is None:
        return
    listed = [name.strip() for name in connection.split(",")]
    stays = [name for name in listed if name.lower() in ABOUT_THE_CONNECTION]
    for name in listed:
        if name.lower() not in (*ABOUT_THE_CONNECTION, "host", "content-length", "transfer-encoding", ""):
            request.headers.pop(name, None)
    if stays:
        request.headers["Connection"] = ", ".join(stays)
    else:
        del request.headers["Connection"]
