"""The API's answer: a first 401 is met with one more request, then response modifiers, then it streams."""

from mitmproxy import connection, http
from mitmproxy.flow import Error

from clientcreds_proxy.errors import TokenFailure
from clientcreds_proxy.proxy import facts
from clientcreds_proxy.proxy.inside.pace import hold_to_pace
from clientcreds_proxy.proxy.inside.wire import Wire
from clientcreds_proxy.proxy.request import bodies, retry
from clientcreds_proxy.proxy.request.attach import attach_again
from clientcreds_proxy.proxy.request.credential import check_claims
from clientcreds_proxy.proxy.request.passage import Passage
from clientcreds_proxy.rules.decision import Decision
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.proof.dpop import asks_for_nonce

CACHING = ("cache-control", "expires", "pragma")


async def is_worth_another(flow: http.HTTPFlow, passage: Passage) -> bool:
    """Whether this answer is a 401 to our token and the request can go out once more.

    Where it can't, the token is dropped all the same: the next request has a fresh one.
    """
    decision, response = passage.decision, flow.response
    if decision is None or response is None:
        return False
    _keep_nonce(passage, flow.request, response)
    if response.status_code != 401 or passage.obtained is None or decision.rule.on_unauthorized == "pass":
        return False
    body = passage.sent.body if passage.sent else None
    if retry.can_be_sent_again(flow.request, body) and await retry.ends_soon(flow):
        return True
    _reject_unless_for_nonce(passage, response)
    return False


async def try_again(flow: http.HTTPFlow, passage: Passage, wire: Wire) -> None:
    """Put the answer to a second request, with another token or proof, in the place of the first 401."""
    second = await _second_answer(flow, passage, wire)
    if second is not None:
        flow.response = second


async def _second_answer(flow: http.HTTPFlow, passage: Passage, wire: Wire) -> http.Response | None:
    """None where there is no other token now: dropped a moment ago already, or none to be had."""
    decision, first = passage.decision, flow.response
    if decision is None or first is None:
        return None
    about_proof = _asks_for_nonce(passage, first)  # the token is good, and goes out again (RFC 9449 §9)
    if not about_proof and not await _has_another_token(passage):
        return None
    request = flow.request.copy()
    request.stream = False
    if passage.sent is not None and passage.sent.body is not None:
        bodies.put(request, passage.sent.body)
    attach_again(request, passage, decision, wire)
    facts.write_names_small(request)
    second = await retry.send_again(flow, request)
    if second is not None:
        _keep_nonce(passage, request, second)
        if about_proof and second.status_code == 401:
            _reject_unless_for_nonce(passage, second)
    return second


async def _has_another_token(passage: Passage) -> bool:
    source = passage.source
    if source is None or not _reject(passage):
        return False
    try:
        passage.obtained = await source.token()
    except TokenFailure as failure:
        passage.without_token = failure
        return False
    passage.token_use = "retried"
    if passage.decision is not None:
        check_claims(passage, passage.decision)
    return True


def finish_head(flow: http.HTTPFlow, passage: Passage) -> None:
    """Make the answer's head what the client is to see, and let its body stream."""
    response, decision = flow.response, passage.decision
    if response is None or decision is None:
        return
    if passage.obtained is not None:  # first: no modifier is to see it, or to copy it
        _take_out(passage.obtained.token.value, decision.rule.attach.header, response)
    _modify(response, passage, decision)
    if passage.sent is not None and passage.sent.answered_here:
        return
    if passage.obtained is not None and not any(name in response.headers for name in CACHING):
        # RFC 9111 §3.5: the client's cache saw no Authorization, and would share this answer
        response.headers["Cache-Control"] = "private"
    facts.write_names_small(response)
    response.stream = True if passage.answer_body is None else bodies.instead(passage.answer_body)
    if flow.request.is_http2:
        hold_to_pace(flow, "response")


def answer_here(flow: http.HTTPFlow) -> None:
    """Answer without the API, as empty as KrakenD does; the modifiers of the response say the rest."""
    flow.response = http.Response.make(200)
    flow.request.stream = False


def _modify(response: http.Response, passage: Passage, decision: Decision) -> None:
    if not decision.rule.modifiers or passage.sent is None:
        return
    before = after = facts.response_of(response)
    for modifier in decision.rule.modifiers:
        after = modifier.modify_response(after, passage.sent)
    after = bodies.as_sent(before, after, passage.sent.method)
    facts.write_response(response, before, after)
    passage.answer_body = after.body


def status_where_it_broke(flow: http.HTTPFlow) -> int | None:
    """What the client was told: the status that had left, or mitmproxy's own 502; None where it went away."""
    if flow.response is not None and flow.response.stream:
        return flow.response.status_code
    why = flow.error.msg if flow.error else ""
    client_left = flow.client_conn.state is not connection.ConnectionState.OPEN or "client" in why.lower()
    return None if client_left or why == Error.KILLED_MESSAGE else 502


def _take_out(token: Secret, header: str, response: http.Response) -> None:
    """Keep the token from the client where the API sends its header back, as debugging ones do."""
    came = response.headers.get_all(header)
    others = [value for value in came if token.reveal() not in value]
    if others != came:
        response.headers.set_all(header, others)


def _reject(passage: Passage) -> bool:
    source, obtained = passage.source, passage.obtained
    return source is not None and obtained is not None and source.reject(obtained)


def _reject_unless_for_nonce(passage: Passage, response: http.Response) -> None:
    if not _asks_for_nonce(passage, response):
        _reject(passage)


def _asks_for_nonce(passage: Passage, response: http.Response) -> bool:
    """Whether a 401 is about the DPoP proof alone, which lacked the API's latest nonce."""
    source = passage.source
    challenge = response.headers.get("www-authenticate", "")
    return source is not None and source.spec.dpop and asks_for_nonce(challenge)


def _keep_nonce(passage: Passage, request: http.Request, response: http.Response) -> None:
    """Keep what any answer to a proof says about the next one."""
    source = passage.source
    if passage.obtained is not None and source is not None and source.spec.dpop:
        source.prover.api_nonces.keep(facts.url_of(request), response.headers.get("dpop-nonce"))
