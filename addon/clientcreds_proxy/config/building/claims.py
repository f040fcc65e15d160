"""A rule's keys about claims: what contradicts, and what is risky."""

from clientcreds_proxy.config.building.place import Place
from clientcreds_proxy.config.keys import model as keys
from clientcreds_proxy.tokens.claims.expression import parse_expression

ABOUT_CLAIMS = ("claims", "forward_headers", "username_claim")
# Contains on a text is a substring: https://api.example.com is inside https://api.example.com.evil.test
IDENTIFIERS = ("aud", "iss", "azp")


def check_claims(model: keys.Rule, place: Place) -> None:
    """Note their problems and warnings at `place`."""
    if not model.token_source:
        for key in ABOUT_CLAIMS:
            if getattr(model, key):
                place.at(key).problem("needs a token_source: claims are those of its token")
    if model.claims and model.attach.when_present == "keep":
        place.at("claims").problem("can't be checked with when_present: keep, which fetches no token")
    if any(name.lower() == "dpop" for name in model.forward_headers):
        place.at("forward_headers").problem("can't name DPoP, the header of a proof")
    for call in parse_expression(model.claims).calls() if model.claims else ():
        if call.name == "Contains" and call.path in {(name,) for name in IDENTIFIERS}:
            place.at("claims").warn(
                f"Contains on {call.path[0]} holds for any text with this one inside; "
                "expected Equals or OneOf, unless the claim is always a list"
            )
