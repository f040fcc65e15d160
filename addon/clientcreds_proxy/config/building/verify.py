"""A token source's `verify`: what it lacks or contradicts, and the value it makes."""

from clientcreds_proxy.config.building.client_auth import has_callers
from clientcreds_proxy.config.building.place import Place
from clientcreds_proxy.config.keys.model_source import TokenSource
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import Verify


def build_verify(model: TokenSource, place: Place) -> Verify | None:
    """What is looked at before a token is used; None where tokens are used unread."""
    keys = model.verify
    if "verify" not in model.model_fields_set:
        return None
    here = place.at("verify")
    if keys.signature and not (keys.jwks_url or keys.introspection_url or model.issuer):
        here.problem(
            "nothing says where keys are; expected jwks_url, introspection_url, the source's issuer, "
            "or signature: false"
        )
    if "signature" in keys.model_fields_set and not keys.signature:
        here.at("signature").warn("claims are taken from tokens whose signature nobody looks at")
    return Verify(
        signature=keys.signature,
        issuer=keys.issuer or model.issuer or None,
        audience=tuple(keys.audience),
        scopes_required=tuple(keys.scopes_required),
        leeway_seconds=keys.leeway_seconds,
        jwks_url=keys.jwks_url or None,
        introspection_url=keys.introspection_url or None,
        inspector=_inspector(model),
    )


def _inspector(model: TokenSource) -> tuple[str, tuple[Secret, ...]] | None:
    """The client that asks about callers' tokens, where the source has one beside them."""
    if not has_callers(model) or not model.client_id:
        return None
    return model.client_id, tuple(Secret(secret) for secret in model.client_secret) or (Secret(""),)
