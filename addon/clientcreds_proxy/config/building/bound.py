"""Tokens that are bound to a key of ours (`dpop`, `certificate_bound`): what the other keys must be then."""

from clientcreds_proxy.config.building.place import Place
from clientcreds_proxy.config.keys import model as keys
from clientcreds_proxy.config.keys.model_source import SourceAttach, TokenSource

DPOP = "DPoP"  # the scheme, the header of the proof, and the token type (RFC 9449 §5, §7.1)


def check_bound(model: TokenSource, place: Place) -> None:
    """Note at the source's place what contradicts the binding."""
    if model.certificate_bound and not (model.client.tls.cert and model.client.tls.key):
        place.at("certificate_bound").problem("needs client.tls.cert and client.tls.key")
    _check_attach(model.attach, model, place.at("attach"))
    if not model.dpop:
        return
    types = model.token_response.token_types
    if "token_types" in model.token_response.model_fields_set and {name.lower() for name in types} != {
        "dpop"
    }:
        place.at("token_response", "token_types").problem("with dpop a token is of the type DPoP alone")
    for key, headers in (("token_request", model.token_request.headers), ("", model.api_headers)):
        at = place.at(key, "headers") if key else place.at("api_headers")
        for name in headers:
            if name.lower() == DPOP.lower():
                at.at(name).problem("with dpop this header carries the proof")


def check_bound_rule(model: keys.Rule, source: TokenSource, place: Place) -> None:
    """Note at the rule's place what contradicts the binding of its source's tokens."""
    _check_attach(model.attach, source, place.at("attach"))
    if source.certificate_bound and model.allow_plain_http:
        place.at("allow_plain_http").problem("the source's tokens are bound to a certificate: they need TLS")


def scheme(source: TokenSource | None, written: str) -> str:
    """The word before the token, where the configuration has written this one."""
    return DPOP if source is not None and source.dpop else written


def _check_attach(attach: SourceAttach, source: TokenSource, place: Place) -> None:
    own = attach.model_fields_set
    is_bound_scheme = attach.scheme.lower() == DPOP.lower()
    if source.dpop and "scheme" in own and not is_bound_scheme:
        place.at("scheme").problem("with dpop the scheme is DPoP (RFC 9449 §7.1); expected that or no scheme")
    if source.dpop and "header" in own and attach.header.lower() != "authorization":
        place.at("header").problem("with dpop the token goes into Authorization (RFC 9449 §7.1)")
    if is_bound_scheme and not source.dpop:
        place.at("scheme").problem("the source's tokens are not bound to a key; expected dpop: true there")
