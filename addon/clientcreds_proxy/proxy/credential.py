"""Step 2: the token for one request, or what its rule says about going without."""

from clientcreds_proxy.errors import TokenFailure
from clientcreds_proxy.proxy.passage import Passage
from clientcreds_proxy.rules.decision import Decision


async def obtain(passage: Passage, decision: Decision) -> None:
    """Note the token in the passage; raises a `TokenFailure` unless the rule lets such requests pass."""
    if decision.credential == "keep":
        passage.token_use = "kept"
    if decision.credential != "attach" or decision.rule.token_source is None:
        return
    source = passage.policy.sources[decision.rule.token_source]
    try:
        obtained = source.cached()
        if obtained is None:
            obtained = await source.token()
    except TokenFailure as failure:
        if decision.rule.on_token_failure == "refuse":
            raise
        passage.without_token = failure
        return
    passage.obtained = obtained
    passage.token_use = obtained.how
