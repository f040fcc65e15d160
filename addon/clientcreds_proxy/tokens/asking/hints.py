"""What whoever runs the proxy may try after a failed token request: one line for the log.

Never in the answer to an app. What a server says is a code; what it means at which provider stands in tables.
Not in it: connections that fail (`tokens/server/transport.py`).
"""

from collections.abc import Mapping

from clientcreds_proxy.tokens.model import ClientAuth, ErrorAnswer, SourceSpec

CLOCK_SECONDS = 60.0  # servers allow an assertion as much; a `Date` that differs by less says nothing

# RFC 6749 §5.2, RFC 8707 §2, and what providers add to them
_ERRORS: Mapping[str, str] = {
    "invalid_client": "check client_id and {credential}",
    "invalid_request": "a parameter is missing or not wanted: check scopes, audience and resource",
    "invalid_scope": "check scopes ({scopes}): this client may not have all of them",
    "invalid_target": "check resource ({resource}) and audience ({audience}): the server does not know it",
    "unauthorized_client": "allow this client the grant {grant_type} at the authorization server",
    "unsupported_grant_type": "check token_url: this endpoint does not give {grant_type}",
    "access_denied": "Auth0: grant this application the API, and check audience ({audience})",
}
_CREDENTIALS: Mapping[ClientAuth, str] = {
    "private_key_jwt": "assertion: its key must be the one that the server knows",
    "tls_client_auth": "client.tls.cert",
    "self_signed_tls_client_auth": "client.tls.cert",
    "none": "client_auth: the server may want a secret",
}
_NO_ENDPOINT = {404, 405, 410}
# What a server also says where it takes an assertion or a proof for expired, or not valid yet
_ABOUT_TIME = {"invalid_client", "invalid_grant", "invalid_dpop_proof"}


def rejected(spec: SourceSpec, said: ErrorAnswer, *, host: str, ahead_seconds: float | None) -> str | None:
    """After a refusal; `ahead_seconds`: how far this machine's clock is ahead of the server's `Date`."""
    is_about_time = spec.assertion is not None or said.status == 401 or said.error in _ABOUT_TIME
    clock = clock_differs(host, ahead_seconds) if is_about_time else None
    template = _ERRORS.get(said.error or "")
    if template is not None:
        words = template.format(
            credential=_CREDENTIALS.get(spec.client_auth, "client_secret"),
            scopes=_listed(spec.scopes),
            audience=_listed(spec.audience),
            resource=_listed(spec.resource),
            grant_type=spec.token_request.grant_type,
        )
    else:
        words = no_endpoint(spec) if said.error is None and said.status in _NO_ENDPOINT else ""
    return joined(clock, words)


def clock_differs(host: str, ahead_seconds: float | None) -> str | None:
    """That the two clocks do not agree, where they do not."""
    if ahead_seconds is None or abs(ahead_seconds) <= CLOCK_SECONDS:
        return None
    side = "ahead of" if ahead_seconds > 0 else "behind"
    return f"this machine's clock is {abs(ahead_seconds):.0f} s {side} {host}: set it"


def no_endpoint(spec: SourceSpec) -> str:
    """Where to look when something else than a token endpoint answers."""
    return f"check {'token_url' if spec.issuer is None else 'token_url or issuer'}: no tokens are given there"


def joined(*hints: str | None) -> str | None:
    """All that there are, as one."""
    return "; ".join(hint for hint in hints if hint) or None


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(values) or "none is set"
