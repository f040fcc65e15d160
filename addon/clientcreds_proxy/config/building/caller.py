"""A token source's `caller`: what it can't stand beside, and the value it makes."""

from clientcreds_proxy.config.building.client_auth import has_callers
from clientcreds_proxy.config.building.place import Place
from clientcreds_proxy.config.keys.model_source import TokenSource
from clientcreds_proxy.tokens.model import Caller, ClientAuth

_WITH_A_SECRET = ("auto", "client_secret_basic", "client_secret_post", "client_secret_jwt")


def build_caller(model: TokenSource, client_auth: ClientAuth, place: Place) -> Caller | None:
    """Where callers say who they are; None where the source's own credentials serve everybody."""
    if not has_callers(model):
        return None
    if client_auth not in _WITH_A_SECRET:
        expected = ", ".join(_WITH_A_SECRET)
        place.at("client_auth").problem(
            f"callers bring a secret, which {client_auth} does not send; expected one of {expected}"
        )
    if model.client_secret and not model.client_id:
        place.at("client_secret").problem("belongs to a client_id; expected both or none beside caller")
    return Caller(places=tuple(model.caller.places), hide_credentials=model.caller.hide_credentials)
