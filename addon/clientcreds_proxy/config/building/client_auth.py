"""A token source's `client_auth`: which method it comes to, and what that method needs."""

from clientcreds_proxy.config.building.place import Place
from clientcreds_proxy.config.keys.model_source import TokenSource
from clientcreds_proxy.tokens.model import ClientAuth

CREDENTIALS = ("client_id", "client_secret")
_BY_CERTIFICATE = ("tls_client_auth", "self_signed_tls_client_auth")
_NAMES_THE_CLIENT = ("client_secret_post", "client_secret_jwt", "private_key_jwt", *_BY_CERTIFICATE)


def method(model: TokenSource) -> ClientAuth:
    """The method: `auto` means what the credentials that are there are good for."""
    if model.client_auth != "auto":
        return model.client_auth
    if any(name in model.endpoint_params for name in CREDENTIALS):
        return "client_secret_post"  # KrakenD's recipe for Auth0 repeats the credentials there
    if not (model.client_secret or has_callers(model)) and (model.assertion.key or model.assertion.file):
        return "private_key_jwt"
    return "auto"


def has_callers(model: TokenSource) -> bool:
    """Whether callers bring credentials of their own."""
    return "caller" in model.model_fields_set


def sends_twice(model: TokenSource, name: str) -> bool:
    """Whether the credential `name` in endpoint_params stands beside another way to authenticate."""
    names_only = name == "client_id" and model.client_auth in _NAMES_THE_CLIENT
    return not names_only and model.client_auth not in ("auto", "client_secret_post")


def check_method(model: TokenSource, client_auth: ClientAuth, place: Place) -> None:
    """Note what the method lacks, and what it leaves unused."""
    if client_auth in _BY_CERTIFICATE:
        _check_connection(model, client_auth, place)
    _check_secret(model, client_auth, place)


def _check_secret(model: TokenSource, client_auth: ClientAuth, place: Place) -> None:
    at, secret = place.at("client_auth"), place.at("client_secret")
    match client_auth, bool(model.client_secret):
        case "none", given:
            at.warn("none: whoever knows the client id gets tokens")
            if given:
                secret.problem("client_auth none sends no secret; expected no client_secret")
        case "private_key_jwt" | "tls_client_auth" | "self_signed_tls_client_auth", given:
            if given:
                secret.warn(f"is not sent with client_auth {client_auth}")
        case _, False if has_callers(model):
            pass  # theirs is used
        case "client_secret_jwt", False:
            at.problem("client_secret_jwt signs with client_secret; expected one")
        case _, False:
            place.warn("no client_secret; say client_auth: none if the client has none")
        case _:
            pass


def _check_connection(model: TokenSource, client_auth: ClientAuth, place: Place) -> None:
    if not (model.client.tls.cert and model.client.tls.key):
        place.at("client_auth").problem(f"{client_auth} needs client.tls.cert and client.tls.key")
    if model.token_url.startswith("http:"):
        place.at("token_url").warn(f"no certificate is presented over plain http: {client_auth} can't work")
