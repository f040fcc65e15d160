"""Step 2: the token for one request, or what its rule says about going without."""

from clientcreds_proxy.errors import ClaimsDenied, TokenFailure
from clientcreds_proxy.proxy.request.passage import Passage
from clientcreds_proxy.rules.decision import Decision
from clientcreds_proxy.tokens.callers import Callers
from clientcreds_proxy.tokens.credentials import Credentials, missing
from clientcreds_proxy.tokens.model import Obtained


async def obtain(passage: Passage, decision: Decision) -> None:
    """Note the token in the passage; raises a `TokenFailure` unless the rule lets such requests pass."""
    if decision.credential == "keep":
        passage.token_use = "kept"
    if decision.credential != "attach" or decision.rule.token_source is None:
        return
    try:
        obtained = await _token(passage, decision.rule.token_source)
    except TokenFailure as failure:
        if decision.rule.on_token_failure == "refuse":
            raise
        passage.without_token = failure
        return
    passage.obtained = obtained
    passage.token_use = obtained.how
    check_claims(passage, decision)


def check_claims(passage: Passage, decision: Decision) -> None:
    """Raise `ClaimsDenied` unless the obtained token says what the rule asks for."""
    condition, obtained = decision.rule.claims, passage.obtained
    if condition is None or obtained is None:
        return
    claims = obtained.token.claims
    if claims is None:
        raise ClaimsDenied("the rule asks for claims, and the token is opaque")
    if not condition.holds(claims):
        raise ClaimsDenied("the token's claims are not what the rule asks for")


def named_caller(passage: Passage, callers: Callers) -> Credentials:
    """The credentials of the caller's own, where its token source wants some."""
    if passage.caller is None:
        raise passage.unauthorized(missing(callers.places))
    return passage.caller


async def _token(passage: Passage, source: str) -> Obtained:
    callers = passage.policy.callers.get(source)
    if callers is None:
        of_all = passage.policy.sources[source]
        return of_all.cached() or await of_all.token()
    caller = named_caller(passage, callers)
    passage.own_source, obtained = await callers.token(caller, passage.unauthorized)
    return obtained
