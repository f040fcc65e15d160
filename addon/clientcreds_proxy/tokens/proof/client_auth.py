"""How a client proves itself at the token endpoint (RFC 6749 §2.3): which ways to try, and in which order.

Not in it: signing (`assertion.py`), sending (`tokens/fetch.py`), and remembering what worked
(`tokens/source.py`).
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from clientcreds_proxy.errors import TokenFailure
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import Assertion, ClientAuth, ErrorAnswer, SourceSpec, Token

Way = Literal["basic_form", "basic_raw", "post", "jwt", "jwt_without_kid", "name_only"]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 §2.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One way to authenticate with one secret."""

    way: Way
    secret: Secret  # empty where this way needs none


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A token, and the way to authenticate that brought it."""

    token: Token
    attempt: Attempt


_WITHOUT_SECRET: Mapping[ClientAuth, tuple[Way, ...]] = {
    "private_key_jwt": ("jwt", "jwt_without_kid"),
    # RFC 8705 §2: the connection proves who it is, the request only says it
    "tls_client_auth": ("name_only",),
    "self_signed_tls_client_auth": ("name_only",),
    "none": ("name_only",),
}


def presents_certificate(spec: SourceSpec) -> bool:
    """Whether the server must see our certificate: then `mtls_endpoint_aliases` count (RFC 8705 §5)."""
    return spec.certificate_bound or spec.client_auth in {"tls_client_auth", "self_signed_tls_client_auth"}


def attempts(
    spec: SourceSpec, worked: Attempt | None = None, *, advertised: Sequence[str] = ()
) -> tuple[Attempt, ...]:
    """All that may be tried, in order; each one only after the one before was refused as client.

    What worked last comes first, then the same way with the other secrets, then the methods that the server
    advertises, as it lists them. What it does not list is tried all the same: servers advertise what they
    refuse.
    """
    if spec.client_auth in _WITHOUT_SECRET:
        without = [Attempt(way=way, secret=Secret("")) for way in _WITHOUT_SECRET[spec.client_auth]]
        if not (isinstance(spec.assertion, Assertion) and spec.assertion.guesses_key_id):
            without = without[:1]
        return tuple(sorted(without, key=lambda attempt: attempt != worked))
    # A secret at a time: a server that wants another way is more common than a first secret that is dead.
    everything = [
        Attempt(way=way, secret=secret)
        for secret in spec.client_secrets or (Secret(""),)
        for way in sorted(_ways(spec, secret), key=lambda way: _rank(way, advertised))
    ]
    if worked is not None:
        everything.sort(key=lambda attempt: (attempt != worked, attempt.way != worked.way))
    return tuple(everything)


def refused_as_client(failure: TokenFailure) -> bool:
    """Whether the server did not accept the client itself, so that another way or secret may help.

    glewlwyd says so with an empty 403, node-oidc-provider with 400 `invalid_request`.
    """
    said = failure.__cause__
    if not isinstance(said, ErrorAnswer) or said.status not in {400, 401, 403}:
        return False
    return said.error in {None, "invalid_client"} or (said.status == 400 and said.error == "invalid_request")


def authorization(spec: SourceSpec, attempt: Attempt) -> str | None:
    """The `Authorization` header of the token request, where this way has one."""
    match attempt.way:
        case "basic_form":
            pair = f"{_form(spec.client_id)}:{_form(attempt.secret.reveal())}"
        case "basic_raw":
            pair = f"{spec.client_id}:{attempt.secret.reveal()}"
        case _:
            return None
    return (
        "Basic " + base64.b64encode(pair.encode()).decode()
    )  # `basic` in small letters fails at three servers


def body_credentials(
    spec: SourceSpec, attempt: Attempt, assertion: Secret | None
) -> tuple[tuple[str, str], ...]:
    """The members of the token request's body that authenticate the client; an empty secret is left out."""
    name = ("client_id", spec.client_id)
    match attempt.way:
        case "basic_form" | "basic_raw":
            return ()
        case "post":
            secret = attempt.secret.reveal()
            return (name, ("client_secret", secret)) if secret else (name,)
        case "jwt" | "jwt_without_kid" if assertion is not None:
            signed = assertion.reveal()
            return (name, ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", signed))
        case _:
            return (name,)


def hint(spec: SourceSpec) -> str | None:
    """What a refused client may try: only where Basic is written in one of two ways, and nobody chose it."""
    chosen = spec.client_auth != "client_secret_basic" or spec.token_request.basic_encoding is not None
    if chosen or not any(_encodings_differ(spec, secret) for secret in spec.client_secrets):
        return None
    return "some servers read these credentials only with token_request.basic_encoding: raw"


def _encodings_differ(spec: SourceSpec, secret: Secret) -> bool:
    """Whether a server that does not form-decode Basic credentials would read other ones."""
    return any(_form(text) != text for text in (spec.client_id, secret.reveal()))


def _ways(spec: SourceSpec, secret: Secret) -> Iterator[Way]:
    if spec.client_auth == "client_secret_jwt":
        yield "jwt"
        return
    if spec.client_auth == "client_secret_post" or any(n == "client_secret" for n, _ in spec.endpoint_params):
        # KrakenD's Auth0 recipe repeats the credentials in endpoint_params: Basic beside them would be two
        # methods in one request, which strict servers refuse.
        yield "post"
        return
    encoding = spec.token_request.basic_encoding
    yield "basic_raw" if encoding == "raw" else "basic_form"
    if spec.client_auth == "auto":
        yield "post"
        # RFC 7617 §2: unencoded, a colon in the id would shift where the secret begins.
        if encoding is None and ":" not in spec.client_id and _encodings_differ(spec, secret):
            yield "basic_raw"


def _rank(way: Way, advertised: Sequence[str]) -> int:
    """Where a way comes among the advertised methods; an unencoded Basic is the last resort anyway."""
    method = {"basic_form": "client_secret_basic", "post": "client_secret_post"}.get(way)
    return advertised.index(method) if method in advertised else len(advertised)


def _form(text: str) -> str:
    # A space as %20: every server that decodes reads it, while `+` fails at Authlib and Canaille.
    return quote(text, safe="")
