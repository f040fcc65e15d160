"""The name under which a source's token is cached: equal for two sources whose tokens are interchangeable."""

import hashlib
import json

from clientcreds_proxy.tokens.model import Assertion, AssertionFile, SourceSpec, Verify


def cache_key(spec: SourceSpec, *, proof_key: str | None = None) -> str:
    """SHA-256 (hex) over canonical JSON of everything that shapes the token, the secrets as hashes.

    `proof_key`: the thumbprint of the key that DPoP binds the token to.

    Not in it: the source's name, timeouts, retries, TLS trust, the proxy, an assertion's lifetime, and the
    API's headers.
    """
    request, response, expiry = spec.token_request, spec.token_response, spec.expiry
    identity = {
        "format": 1,
        "token_url": spec.token_url,
        "issuer": spec.issuer,
        "client_id": spec.client_id,
        "client_secrets": [_hash(secret.reveal()) for secret in spec.client_secrets],
        "client_auth": spec.client_auth,
        "client_certificate": spec.client.tls.cert,
        "verify": _verify(spec.verify),
        "bound": [spec.dpop, proof_key, spec.certificate_bound],
        "assertion": _assertion(spec.assertion),
        "scopes": sorted(set(spec.scopes)),  # RFC 6749 §3.3: the order means nothing
        "audience": spec.audience,
        "resource": spec.resource,
        "endpoint_params": sorted((name, _hashes(values)) for name, values in spec.endpoint_params),
        "request": [request.format, request.grant_type, request.scope_separator, request.basic_encoding],
        "headers": sorted((name.lower(), _hash(value)) for name, value in request.headers),
        "response": [response.token, response.expires_in, response.expires_in_unit, response.expires_at],
        "token_types": sorted({name.lower() for name in response.token_types}),
        "expiry": [expiry.skew_seconds, expiry.default_ttl_seconds],
    }
    return _hash(json.dumps(identity, sort_keys=True, separators=(",", ":")))


def _assertion(assertion: Assertion | AssertionFile | None) -> list[str | None] | None:
    if assertion is None:
        return None
    if isinstance(assertion, AssertionFile):
        return ["file", assertion.path]
    key = None if assertion.key is None else _hash(assertion.key.reveal())
    header = [assertion.key_id, assertion.thumbprint, assertion.certificate]
    return [assertion.algorithm, key, *header, assertion.audience]


def _verify(verify: Verify | None) -> list[object] | None:
    """How a token was looked at: one that passed here might not pass elsewhere."""
    if verify is None:
        return None
    must = [verify.signature, verify.issuer, verify.audience, sorted(verify.scopes_required)]
    places = [verify.jwks_url, verify.introspection_url]
    inspector = None
    if verify.inspector is not None:
        client_id, secrets = verify.inspector
        inspector = [client_id, [_hash(secret.reveal()) for secret in secrets]]
    return [*must, verify.leeway_seconds, *places, inspector]


def _hashes(values: tuple[str, ...]) -> list[str]:
    return [_hash(value) for value in values]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
