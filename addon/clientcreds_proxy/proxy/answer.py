"""The API's answer: a first 401 is met with one more request, then response modifiers, then it streams."""

from mitmproxy import http

from clientcreds_proxy.errors import TokenFailure
from clientcreds_proxy.proxy import facts, retry
from clientcreds_proxy.proxy.attach import attach_again
from clientcreds_proxy.proxy.passage import Passage
from clientcreds_proxy.proxy.wire import Wire

CACHING = ("cache-control", "expires", "pragma")


async def is_worth_another(flow: http.HTTPFlow, passage: Passage) -> bool:
    """Whether this answer is a 401 to our token and the request can go out once more.

    Where it can't, the token is dropped all the same: the next request has a fresh one.
    """
    decision, response = passage.decision, flow.response
    if decision is None or response is None or response.status_code != 401:
        return False
    if passage.obtained is None or decision.rule.on_unauthorized == "pass":
        return False
    if retry.can_be_sent_again(flow.request) and await retry.ends_soon(flow):
        return True
    _reject(passage)
    return False


async def try_again(flow: http.HTTPFlow, passage: Passage, wire: Wire) -> None:
    """Put the answer to a second request, with another token, in the place of the first 401."""
    second = await _second_answer(flow, passage, wire)
    if second is not None:
        flow.response = second


async def _second_answer(flow: http.HTTPFlow, passage: Passage, wire: Wire) -> http.Response | None:
    """None where there is no other token now: dropped a moment ago already, or none to be had."""
    decision = passage.decision
    if decision is None or decision.rule.token_source is None or not _reject(passage):
        return None
    try:
        passage.obtained = await passage.policy.sources[decision.rule.token_source].token()
    except TokenFailure as failure:
        passage.without_token = failure
        return None
    passage.token_use = "retried"
    request = flow.request.copy()
    attach_again(request, passage, decision, wire)
    return await retry.send_again(flow, request)


def finish_head(flow: http.HTTPFlow, passage: Passage) -> None:
    """Make the answer's head what the client is to see, and let its body stream."""
    response, decision = flow.response, passage.decision
    if response is None or decision is None:
        return
    if decision.rule.modifiers and passage.sent is not None:
        before = after = facts.response_of(response)
        for modifier in decision.rule.modifiers:
            after = modifier.modify_response(after, passage.sent)
        facts.write_response(response, before, after)
    if passage.obtained is not None and not any(name in response.headers for name in CACHING):
        # RFC 9111 §3.5: the client's cache saw no Authorization, and would share this answer
        response.headers["Cache-Control"] = "private"
    response.stream = True


def _reject(passage: Passage) -> bool:
    decision, obtained = passage.decision, passage.obtained
    if decision is None or decision.rule.token_source is None or obtained is None:
        return False
    return passage.policy.sources[decision.rule.token_source].reject(obtained)
