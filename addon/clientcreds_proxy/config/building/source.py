"""A token source's keys among each other: what contradicts, what is risky, and the `SourceSpec` they make."""

import re
from collections.abc import Iterator, Mapping

from clientcreds_proxy.config.building.assertion import build_assertion
from clientcreds_proxy.config.building.bound import check_bound
from clientcreds_proxy.config.building.caller import build_caller
from clientcreds_proxy.config.building.client_auth import (
    CREDENTIALS,
    check_method,
    has_callers,
    method,
    sends_twice,
)
from clientcreds_proxy.config.building.place import Place
from clientcreds_proxy.config.building.tls import build_tls
from clientcreds_proxy.config.building.verify import build_verify
from clientcreds_proxy.config.keys.model_source import TokenSource
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import (
    Client,
    Expiry,
    Params,
    SourceSpec,
    TokenRequest,
    TokenResponse,
)

_OUTSIDE_ASCII = "holds characters outside ASCII, which many servers refuse (RFC 6749 appendix A)"
_ABSOLUTE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.")


def build_source(name: str, model: TokenSource, place: Place) -> SourceSpec:
    """The source, its problems and warnings noted at `place`."""
    client_auth = method(model)
    check_method(model, client_auth, place)
    caller = build_caller(model, client_auth, place)
    _check_secrets(model, place.at("client_secret"))
    if not model.client_id.isascii():
        place.at("client_id").warn(_OUTSIDE_ASCII)
    if _has_colon(model):
        place.at("client_id").problem("a colon in it ends the id where basic_encoding is raw (RFC 7617 §2)")
    _check_endpoint_params(model, place.at("endpoint_params"))
    _check_audiences(model, place)
    check_bound(model, place)
    return SourceSpec(
        name=name,
        token_url=model.token_url,
        issuer=model.issuer or None,
        client_id=model.client_id,
        client_secrets=tuple(Secret(secret) for secret in model.client_secret),
        client_auth=client_auth,
        assertion=build_assertion(model, client_auth, place),
        scopes=tuple(model.scopes),
        audience=tuple(model.audience),
        resource=tuple(model.resource),
        endpoint_params=_params(model.endpoint_params),
        token_request=_token_request(model),
        token_response=_token_response(model),
        expiry=Expiry(
            skew_seconds=model.expiry.skew_seconds, default_ttl_seconds=model.expiry.default_ttl_seconds
        ),
        client=_client(model, place.at("client")),
        api_headers=tuple(model.api_headers.items()),
        dpop=model.dpop,
        certificate_bound=model.certificate_bound,
        verify=build_verify(model, place),
        caller=caller,
    )


def _check_secrets(model: TokenSource, place: Place) -> None:
    for index, secret in enumerate(model.client_secret):
        item = place.at(index)
        # A single secret has no index in the file.
        if not secret and (item.is_reference or place.is_reference):
            item.problem("the reference gives an empty text")
        if not secret.isascii():
            item.warn(_OUTSIDE_ASCII)


def _has_colon(model: TokenSource) -> bool:
    is_raw = "basic_encoding" in model.token_request.model_fields_set and (
        model.token_request.basic_encoding == "raw"
    )
    return is_raw and ":" in model.client_id and model.client_auth in ("auto", "client_secret_basic")


def _check_endpoint_params(model: TokenSource, place: Place) -> None:
    for name, values in model.endpoint_params.items():
        for problem in _endpoint_param_problems(model, name, values):
            place.at(name).problem(problem)


def _endpoint_param_problems(model: TokenSource, name: str, values: list[str]) -> Iterator[str]:
    keys = {"scope": ("scopes", model.scopes), "audience": ("audience", model.audience)}
    keys["resource"] = ("resource", model.resource)
    own: Mapping[str, list[str]] = {"client_id": [model.client_id], "client_secret": model.client_secret}
    if name in keys and keys[name][1]:
        yield f"{name} is here and in the key {keys[name][0]}; expected one of them"
    elif name == "grant_type" and values != values[:1]:
        yield "expected one grant_type"
    elif name.startswith("client_assertion"):
        yield "client authentication is not set here: see client_auth"
    elif name in own:
        if has_callers(model):
            yield f"each caller brings a {name} of its own; expected none here"
        elif not set(values) <= set(own[name]):
            yield f"other credentials than the source's; expected {name} to be the same as the source's key"
        elif sends_twice(model, name):
            yield f"the credentials would be sent in two ways; expected client_auth auto, or no {name} here"


def _check_audiences(model: TokenSource, place: Place) -> None:
    for index, resource in enumerate(model.resource):
        if "#" in resource:
            place.at("resource", index).problem("expected a URI without a fragment (RFC 8707 §2)")
        elif not _ABSOLUTE_URI.match(resource):
            place.at("resource", index).warn("no absolute URI, which RFC 8707 §2 wants; few servers take it")


def _params(params: Mapping[str, list[str]]) -> Params:
    taken = (*CREDENTIALS, "grant_type")  # they are in the spec already
    return tuple((name, tuple(values)) for name, values in params.items() if name not in taken)


def _token_request(model: TokenSource) -> TokenRequest:
    request = model.token_request
    encoding = request.basic_encoding if "basic_encoding" in request.model_fields_set else None
    return TokenRequest(
        format=request.format,
        grant_type=next(iter(model.endpoint_params.get("grant_type", ())), request.grant_type),
        scope_separator=request.scope_separator,
        basic_encoding=encoding,
        headers=tuple(request.headers.items()),
    )


def _token_response(model: TokenSource) -> TokenResponse:
    response = model.token_response
    return TokenResponse(
        token=response.token,
        expires_in=response.expires_in,
        expires_in_unit=response.expires_in_unit,
        expires_at=response.expires_at or None,
        token_types=tuple(response.token_types),
    )


def _client(model: TokenSource, place: Place) -> Client:
    client = model.client
    return Client(
        timeout_seconds=client.timeout_seconds,
        max_retries=client.max_retries,
        proxy=Secret(client.proxy) if client.proxy else None,
        tls=build_tls(client.tls, place.at("tls"), server="the authorization server"),
    )
