"""The token request as bytes (RFC 6749 §4.4.2).

Not in it: sending (`tokens/fetch.py`), the answer (`answer.py`).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import SourceSpec
from clientcreds_proxy.tokens.proof.client_auth import Attempt, authorization, body_credentials

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What is posted to the token endpoint."""

    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)


def encode(
    spec: SourceSpec, attempt: Attempt, assertion: Secret | None = None, *, proof: Secret | None = None
) -> Grant:
    """The token request, authenticated in exactly one way; `assertion` is for the way `jwt`.

    `proof` is the request's own, where the token is to be bound to a key (RFC 9449 §5).
    """
    params = list(_params(spec, attempt, assertion))
    if spec.token_request.format == "json":
        content_type = "application/json"
        # A list of one value goes as that value: servers that read JSON want `"audience": "x"`.
        members = {name: values[0] if len(values) == 1 else values for name, values in params}
        body = json.dumps(members, ensure_ascii=False).encode()
    else:
        content_type = "application/x-www-form-urlencoded"
        body = urlencode(params, doseq=True).encode()
    headers = _headers(spec, attempt, content_type)
    if proof is not None:
        headers = (*headers, ("DPoP", proof.reveal()))
    return Grant(headers=headers, body=body)


def _params(
    spec: SourceSpec, attempt: Attempt, assertion: Secret | None
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every parameter once, in the order they are sent; an empty one counts as absent (RFC 6749 §3.2)."""
    extra = dict(spec.endpoint_params)
    yield "grant_type", extra.pop("grant_type", (spec.token_request.grant_type,))[:1]
    scope = spec.token_request.scope_separator.join(dict.fromkeys(spec.scopes))
    for name, values in (("scope", (scope,)), ("audience", spec.audience), ("resource", spec.resource)):
        if given := tuple(value for value in values if value):
            yield name, given
    for name, value in body_credentials(spec, attempt, assertion):
        extra.pop(name, None)
        yield name, (value,)
    if attempt.way in {"jwt", "jwt_without_kid", "name_only"}:
        extra.pop("client_secret", None)
    yield from extra.items()


def _headers(spec: SourceSpec, attempt: Attempt, content_type: str) -> Headers:
    ours = {
        "Accept": "application/json",  # without it GitHub answers with a form
        "Accept-Encoding": "identity",  # a small answer; a compressed one could be a bomb
        "Content-Type": content_type,
        "User-Agent": "clientcreds",
    }
    given = {name.lower() for name, _ in spec.token_request.headers}
    headers = [(name, value) for name, value in ours.items() if name.lower() not in given]
    basic = authorization(spec, attempt)
    if basic is None:
        return (*headers, *spec.token_request.headers)
    others = [(name, value) for name, value in spec.token_request.headers if name.lower() != "authorization"]
    return (*headers, *others, ("Authorization", basic))
