"""What an explanation can't know: it depends on the token, or on the API's answer."""

from collections.abc import Iterator

from clientcreds_proxy.proxy.house.policy import Policy
from clientcreds_proxy.rules.decision import Decision
from clientcreds_proxy.tokens.claims.values import path_text


def undecided(policy: Policy, decision: Decision) -> Iterator[str]:
    """A line for each thing."""
    rule = decision.rule
    if decision.credential == "attach" and rule.token_source is not None:
        spec = policy.sources[rule.token_source].spec
        if spec.store is not None:
            yield f"the token may come from the store {spec.store.name}"
        if spec.verify is not None:
            yield "the token is verified before it is used: else 502 token_invalid"
        if rule.claims is not None:
            asked = ", ".join(f"{call.name} of {path_text(call.path)}" for call in rule.claims.calls())
            yield f"the token's claims decide ({asked}): else 403 claims_denied"
        if rule.on_token_failure == "pass_without_token":
            yield "where there is no token, the request passes without one"
        if rule.username_claim is not None:
            yield f"the log names the claim {path_text(rule.username_claim)} as client_username"
    if any(modifier.changes_responses for modifier in rule.modifiers):
        yield "modifiers change the API's answer, too"
