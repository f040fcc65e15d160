"""Verify a token that was just fetched, as its source's `verify` says; its claims go with it from then on.

A JWT by the keys of its issuer, an opaque token by asking the server about it (RFC 7662). What comes out
lives as long as the token in the cache. Not in it: what must be true (`checks.py`), signatures (`jwks.py`).
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from urllib.parse import urlencode

from clientcreds_proxy.errors import (
    TokenBackoff,
    TokenFailure,
    TokenInvalid,
    TokenMalformed,
    TokenUnavailable,
)
from clientcreds_proxy.tokens.asking.answer import MAX_BYTES, host_of
from clientcreds_proxy.tokens.claims.values import Claims
from clientcreds_proxy.tokens.model import Clock, SourceSpec, Token, Verify
from clientcreds_proxy.tokens.proof.client_auth import Attempt, Granted, authorization, body_credentials
from clientcreds_proxy.tokens.proof.mint import Mint
from clientcreds_proxy.tokens.server.discovery import Discovery
from clientcreds_proxy.tokens.server.session import Request, Session
from clientcreds_proxy.tokens.verify.checks import check_introspected, check_jwt, check_opaque
from clientcreds_proxy.tokens.verify.jwks import signature_header, verified
from clientcreds_proxy.tokens.verify.keys import Keys

_UNREACHABLE = (TokenUnavailable, TokenBackoff, TokenMalformed)


class Verifier:
    """Verifies the tokens of one source."""

    def __init__(self, *, clock: Clock, discovery: Discovery, keys: Keys, mint: Mint) -> None:
        self._clock = clock
        self._discovery = discovery
        self._keys = keys
        self._mint = mint

    async def __call__(self, session: Session, spec: SourceSpec, granted: Granted) -> Token:
        """The token with its claims; raises `TokenInvalid`. `spec` has its token endpoint."""
        verify, token = spec.verify, granted.token
        if verify is None:
            return token
        jwks_url, introspection_url = await self._places(spec, verify, token)
        wall = self._clock.now().wall
        if token.claims is not None and (jwks_url is not None or not verify.signature):
            claims = await self._of_jwt(spec, verify, token, jwks_url)
            check_jwt(verify, claims, wall=wall)
        elif introspection_url is not None:
            claims = await self._introspected(session, spec, granted, introspection_url)
            check_introspected(verify, claims, wall=wall)
        elif token.claims is not None:
            raise TokenInvalid(
                "nothing says where the keys of its issuer are, so the token's signature can't be checked",
                hint="set verify.jwks_url, verify.introspection_url or issuer",
            )
        else:
            check_opaque(spec, verify, token)
            return token
        return replace(token, claims=claims)

    async def _places(self, spec: SourceSpec, verify: Verify, token: Token) -> tuple[str | None, str | None]:
        """Where the keys are and where tokens are asked about: as configured, else as discovered.

        Nothing is discovered where what this token needs is configured.
        """
        jwks_url, introspection_url = verify.jwks_url, verify.introspection_url
        is_known = introspection_url if token.claims is None else jwks_url or not verify.signature
        if is_known or spec.issuer is None:
            return jwks_url, introspection_url
        try:
            metadata = await self._discovery.metadata(spec, spec.issuer)
        except _UNREACHABLE as failure:
            if introspection_url is None:
                raise _unverifiable(failure) from failure
            return None, introspection_url  # it can be asked about a JWT, too
        return jwks_url or metadata.jwks_uri, introspection_url or metadata.introspection_endpoint

    async def _of_jwt(self, spec: SourceSpec, verify: Verify, token: Token, jwks_url: str | None) -> Claims:
        if not verify.signature or jwks_url is None:
            return token.claims or {}
        value = token.value.reveal()
        header = signature_header(value)
        known = await self._keys.candidates(spec, jwks_url, header)
        try:
            return verified(value, header, known)
        except TokenInvalid:
            others = await self._keys.candidates(spec, jwks_url, header, again=True)
        return verified(value, header, others)

    async def _introspected(self, session: Session, spec: SourceSpec, granted: Granted, url: str) -> Claims:
        refusals: list[TokenInvalid] = []
        for asking, attempt in _as_client(spec, granted.attempt):
            try:
                ask = partial(self._ask, session, asking, replace(granted, attempt=attempt), url)
                return await session.patiently(ask)
            except _UNREACHABLE as failure:
                raise _unverifiable(failure) from failure
            except TokenInvalid as refusal:
                refusals.append(refusal)
        raise refusals[0]

    async def _ask(self, session: Session, spec: SourceSpec, granted: Granted, url: str) -> Claims:
        params = {"token": granted.token.value.reveal(), "token_type_hint": "access_token"}
        attempt = granted.attempt
        params |= dict(body_credentials(spec, attempt, self._mint(spec, attempt)))
        headers = [
            ("Accept", "application/json"),
            ("Accept-Encoding", "identity"),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("User-Agent", "clientcreds"),
        ]
        basic = authorization(spec, attempt)
        if basic is not None:
            headers.append(("Authorization", basic))
        received = await session.send(
            Request(
                method="POST",
                url=url,
                host=host_of(url),
                headers=tuple(headers),
                body=urlencode(params).encode(),
            ),
            max_bytes=MAX_BYTES,
        )
        return _read(received.status, received.body, url)


def _unverifiable(failure: TokenFailure) -> TokenInvalid:
    return TokenInvalid(f"the token can't be verified: {failure.detail}", hint=failure.hint)


def _as_client(spec: SourceSpec, worked: Attempt) -> Iterator[tuple[SourceSpec, Attempt]]:
    """Who asks, and how: whoever asked for the token, or the client that asks about callers' tokens."""
    inspector = spec.verify.inspector if spec.verify else None
    if inspector is None:
        yield spec, worked
        return
    client_id, secrets = inspector
    for secret in secrets:
        yield replace(spec, client_id=client_id), replace(worked, secret=secret)


def _read(status: int, body: bytes, url: str) -> Claims:
    words = f"{host_of(url)} answered {status} when it was asked about its token"
    if status >= 500 or status in {408, 425, 429}:
        raise TokenUnavailable(words)
    if status in {401, 403}:
        raise TokenInvalid(words, hint="let this client introspect tokens")
    try:
        claims = json.loads(body.decode("utf-8-sig")) if status == 200 else None
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise TokenInvalid(f"{words}; expected 200 and JSON")
    return claims
