"""An authorization server that knows client credentials and nothing else (RFC 6749 §4.4).

Clients authenticate with HTTP Basic, in a form body, or in a JSON body as Auth0 has it; never in two ways at
once. Tokens are ES256-signed JWTs in RFC 9068's shape. Nothing is stored but a count.
"""

import hmac
import json
import secrets
import time
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qsl, unquote_plus

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from tornado.web import Application, RequestHandler

from clientcreds_proxy.secret import Secret

ALGORITHM = "ES256"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredClient:
    """A client that may ask for tokens, for one API."""

    client_id: str
    client_secret: Secret
    audience: str
    scopes: tuple[str, ...] = ()  # what it may ask for, and gets when it names none


class TokenError(Exception):
    """A token request that is answered with an error of RFC 6749 §5.2."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


class AuthorizationServer:
    """Registered clients, a signing key made at start, and how many tokens were asked for and given."""

    def __init__(
        self, *, issuer: str, clients: Sequence[RegisteredClient], lifetime_seconds: int = 300
    ) -> None:
        self.issuer = issuer
        self.clients = {client.client_id: client for client in clients}
        self.lifetime_seconds = lifetime_seconds
        self.token_requests = 0
        self.tokens_issued = 0
        self._key = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)

    @property
    def public_keys(self) -> KeySet:
        """What an API verifies the tokens with."""
        return KeySet([ECKey.import_key(self._key.as_dict(private=False))])

    def application(self) -> Application:
        """The endpoints, to be put on a port."""
        own = {"server": self}
        return Application(
            [
                (r"/oauth/token", TokenEndpoint, own),
                (r"/\.well-known/jwks\.json", Jwks, own),
                (r"/stats", Stats, own),
            ],
            log_function=lambda _: None,
        )

    def answer(self, parameters: Mapping[str, str], basic: tuple[str, str] | None) -> dict[str, object]:
        """The successful token response, or a `TokenError`."""
        client = self._authenticate(parameters, basic)
        grant_type = parameters.get("grant_type")
        if grant_type is None:
            raise TokenError("invalid_request", "grant_type is missing")
        if grant_type != "client_credentials":
            raise TokenError("unsupported_grant_type", "only client_credentials is supported")
        audience = parameters.get("audience") or parameters.get("resource") or client.audience
        if audience != client.audience:
            # Auth0's answer to an API that it does not know; RFC 6749 has no code for this.
            raise TokenError("access_denied", f"service not found: {audience}", status=403)
        scopes = tuple(parameters.get("scope", "").split()) or client.scopes
        if not set(scopes) <= set(client.scopes):
            raise TokenError("invalid_scope", "this client may not have that scope")
        self.tokens_issued += 1
        return {
            "access_token": self._sign(client.client_id, audience, scopes),
            "token_type": "Bearer",
            "expires_in": self.lifetime_seconds,
            "scope": " ".join(scopes),
        }

    def _authenticate(self, parameters: Mapping[str, str], basic: tuple[str, str] | None) -> RegisteredClient:
        if basic and "client_secret" in parameters:
            raise TokenError("invalid_request", "the client authenticates in two ways at once")
        client_id, secret = basic or (parameters.get("client_id", ""), parameters.get("client_secret", ""))
        client = self.clients.get(client_id)
        expected = client.client_secret.reveal() if client else secrets.token_hex()
        if not hmac.compare_digest(secret.encode(), expected.encode()) or client is None:
            raise TokenError("invalid_client", "unknown client or wrong secret", status=401)
        return client

    def _sign(self, client_id: str, audience: str, scopes: Sequence[str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": audience,
            "sub": client_id,
            "client_id": client_id,
            "scope": " ".join(scopes),
            "iat": now,
            "exp": now + self.lifetime_seconds,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode({"alg": ALGORITHM, "typ": "at+jwt", "kid": self._key.kid}, claims, self._key)


class Endpoint(RequestHandler):
    """What the three endpoints share."""

    def initialize(self, server: AuthorizationServer) -> None:
        """Tornado's hook for what the route holds."""
        self.server = server

    def reply(self, status: int, content: Mapping[str, object]) -> None:
        """JSON that nobody keeps (RFC 6749 §5.1)."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(content))


class TokenEndpoint(Endpoint):
    """`POST /oauth/token`."""

    def post(self) -> None:
        """A token, or RFC 6749 §5.2's error."""
        self.server.token_requests += 1
        try:
            parameters = read_parameters(self.request.headers.get("Content-Type", ""), self.request.body)
            basic = read_basic(self.request.headers.get("Authorization"))
            self.reply(200, self.server.answer(parameters, basic))
        except TokenError as refused:
            if refused.status == 401 and "Authorization" in self.request.headers:
                self.set_header("WWW-Authenticate", 'Basic realm="demo"')
            self.reply(refused.status, {"error": refused.error, "error_description": refused.description})


class Jwks(Endpoint):
    """`GET /.well-known/jwks.json`."""

    def get(self) -> None:
        """The public key (RFC 7517 §5)."""
        self.reply(200, cast("dict[str, object]", self.server.public_keys.as_dict()))


class Stats(Endpoint):
    """`GET /stats`."""

    def get(self) -> None:
        """How often the token endpoint was asked."""
        counts = {"token_requests": self.server.token_requests, "tokens_issued": self.server.tokens_issued}
        self.reply(200, counts)


def read_parameters(content_type: str, body: bytes) -> dict[str, str]:
    """The body's parameters; empty ones count as omitted, repeated ones are an error (RFC 6749 §3.2)."""
    media_type = content_type.partition(";")[0].strip().lower()
    try:
        if media_type == "application/json":
            content = json.loads(body)
            if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
                raise TokenError("invalid_request", "the JSON body is no object of strings")
            pairs = list(content.items())
        elif media_type == "application/x-www-form-urlencoded":
            pairs = parse_qsl(body.decode(), errors="strict")
        else:
            raise TokenError("invalid_request", "the body is neither a form nor JSON")
    except ValueError as error:
        raise TokenError("invalid_request", "the body can't be read") from error
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        raise TokenError("invalid_request", "a parameter is repeated")
    return {name: value for name, value in parameters.items() if value}


def read_basic(header: str | None) -> tuple[str, str] | None:
    """Client id and secret, each form-decoded (RFC 6749 §2.3.1), or nothing where the header is absent."""
    if header is None:
        return None
    scheme, _, encoded = header.partition(" ")
    try:
        client_id, colon, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError as error:
        raise TokenError("invalid_client", "the Basic credentials can't be read", status=401) from error
    if scheme.lower() != "basic" or not colon:
        raise TokenError("invalid_client", "this is no Basic authentication", status=401)
    return unquote_plus(client_id), unquote_plus(secret)
