"""The keys of a token source. What they mean for each other is checked in `building/source.py`."""

from typing import Annotated, Any, Literal, cast

from pydantic import ConfigDict, Field, Tag

from clientcreds_proxy.config.keys import fields
from clientcreds_proxy.config.keys.model_keys import BY_WAY, INLINE, NAMED, Keys, Tls
from clientcreds_proxy.config.keys.model_store import Store
from clientcreds_proxy.tokens.model import ClientAuth, PrivateKeyAlgorithm, SharedKeyAlgorithm, Thumbprint


class TokenRequest(Keys):
    """How the token request is written."""

    format: Literal["form", "json"] = "form"
    """Body of the token request: form (RFC 6749) or json (Auth0 and a few others take both)."""
    grant_type: fields.Text = "client_credentials"
    """The grant_type parameter."""
    scope_separator: Annotated[str, Field(min_length=1)] = " "
    """What stands between two scopes. A blank in RFC 6749; some providers want a comma."""
    basic_encoding: Literal["form", "raw"] = "form"
    """Whether client id and secret are form-urlencoded inside Basic (RFC 6749 §2.3.1) or sent raw. Absent:
    form, and client_auth auto may try raw as well."""
    headers: fields.TokenRequestHeaders = Field(default={}, repr=False)
    """Further headers of the token request."""


class TokenResponse(Keys):
    """Where the answer holds what: names of members, or JSON pointers that start with /."""

    token: fields.Member = "access_token"
    """Member that holds the token."""
    expires_in: fields.Member = "expires_in"
    """Member that holds the token's lifetime."""
    expires_in_unit: Literal["seconds", "milliseconds"] = "seconds"
    """Unit of that lifetime."""
    expires_at: fields.Member = ""
    """Member that holds the time of expiry, where there is one."""
    token_types: Annotated[list[fields.Text], Field(min_length=1)] = ["Bearer"]
    """The token types to accept, compared without case."""


class Assertion(Keys):
    """What client_secret_jwt and private_key_jwt sign (RFC 7523)."""

    key: str = Field(default="", repr=False)
    """The private key of private_key_jwt: RSA, EC or Ed25519, as PEM or JWK text, or the path of its file."""
    passphrase: str = Field(default="", repr=False)
    """The passphrase of that key, where it is encrypted."""
    key_id: fields.TextOrEmpty = ""
    """The kid header. Absent: the JWK's own, else, where no thumbprint is sent, the key's thumbprint by
    RFC 7638, and where that is refused none. Empty: no such header."""
    algorithm: Literal[SharedKeyAlgorithm, PrivateKeyAlgorithm] = cast("Any", "")
    """The algorithm. Absent: the one that fits the key (RS256 for RSA, HS256 for client_secret_jwt)."""
    certificate: fields.Certificates = ""
    """The key's certificate, with its chain: PEM text, or the path of a PEM file."""
    thumbprint: Thumbprint = "none"
    """The header that names the certificate. Entra wants x5t#S256."""
    lifetime_seconds: fields.Seconds = 60
    """How long an assertion is valid. Each is used once."""
    audience: fields.Text = "token_endpoint"
    """Whom the assertion is for: token_endpoint, issuer, or the text to send."""
    file: fields.TextOrEmpty = ""
    """The path of a ready-made assertion, alone here. Read at every use."""


class Expiry(Keys):
    """When a token counts as past."""

    skew_seconds: fields.SecondsOrZero = 10
    """A token is not used any more this long before its expiry."""
    default_ttl_seconds: fields.Ttl = 300
    """Lifetime of a token whose answer names none. never: until the API refuses it, as KrakenD does."""


class SourceAttach(Keys):
    """What a rule's attach starts from."""

    header: fields.HeaderName = "Authorization"
    """Header that carries the token."""
    scheme: fields.AuthScheme = "Bearer"
    """Word before the token. Empty: the token alone."""


class Client(Keys):
    """How the authorization server is reached."""

    timeout_seconds: fields.Seconds = 5
    """Bound on one whole fetch of a token, retries included."""
    max_retries: Annotated[int, Field(ge=0)] = 3
    """Further attempts after a 408, a 5xx or a connection that fails."""
    proxy: fields.ProxyUrl = Field(default="", repr=False)
    """Proxy for token requests. HTTP_PROXY and its like are ignored: they may point to this proxy."""
    tls: Tls = Tls()
    """TLS towards the authorization server."""


class Caller(Keys):
    """Where a caller's own client id and secret stand in its request."""

    places: Annotated[fields.Places, Field(alias="from")] = ["header"]
    """Where to look, in this order: proxy_authorization (HTTP_PROXY=http://id:secret@…), header
    (Authorization: Basic), body (a form) or query, both with client_id and client_secret. One or a list."""
    hide_credentials: bool = True
    """Remove the credentials that were used before the request goes on."""


class Verify(Keys):
    """What is looked at before a token is used."""

    signature: bool = True
    """Verify the signature of a token that is a JWT, by the keys of its issuer."""
    issuer: fields.TextOrEmpty = ""
    """The issuer that the token must name, in the very same letters. Absent: the source's issuer."""
    audience: fields.Texts = []
    """Audiences of which the token must name one. Absent: any."""
    scopes_required: fields.Scopes = []
    """Scopes that the token must have, all of them. Absent: any."""
    leeway_seconds: fields.SecondsOrZero = 10
    """How far this machine's clock may be off."""
    jwks_url: fields.TokenUrl = Field(default="", repr=False)
    """Where the issuer's keys are. Absent: where its metadata says."""
    introspection_url: fields.TokenUrl = Field(default="", repr=False)
    """Where the server is asked about opaque tokens (RFC 7662). Absent: where its metadata says."""


class TokenSource(Keys):
    """Where tokens come from: one client of one authorization server."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["client_id"]}, {"required": ["caller"]}]}
    )

    preset: fields.Preset = ""
    """A provider: fills what it needs. Every key here goes before it."""
    issuer: fields.Issuer = ""
    """The authorization server's issuer: its metadata names the token endpoint (OpenID Connect Discovery,
    RFC 8414). https, unless it is on loopback."""
    token_url: fields.TokenUrl = Field(default="", repr=False)
    """The token endpoint. https, unless it is on loopback. Goes before issuer."""
    client_id: fields.Text = ""
    """The client id that the authorization server gave to this application. Numbers need quotes. Required
    unless caller is given."""
    client_secret: fields.Secrets = Field(default=[], repr=False)
    """The client secret, best as a reference like ${env:NAME} or ${file:PATH}. Or a list, tried in order:
    [current, next]."""
    client_auth: ClientAuth = "auto"
    """How the client authenticates. auto: with client_secret by whichever method works, client_secret_basic
    first; without one, with what assertion says."""
    scopes: fields.Scopes = []
    """The scopes to ask for: a list, or one text separated by commas or blanks. Absent: no scope
    parameter."""
    audience: fields.Texts = []
    """The audience parameter (Auth0 and others), one or a list."""
    resource: fields.Texts = []
    """The resource parameter (RFC 8707), one or a list."""
    endpoint_params: dict[fields.Text, fields.Params] = Field(default={}, repr=False)
    """Further fields of the token request, each with one value or a list of them."""
    token_request: TokenRequest = TokenRequest()
    """How the token request is written, for providers that differ."""
    token_response: TokenResponse = TokenResponse()
    """Where the answer holds what, for providers that differ."""
    assertion: Assertion = Assertion()
    """What client_secret_jwt and private_key_jwt sign; or a ready-made assertion."""
    expiry: Expiry = Expiry()
    """When a token counts as past."""
    dpop: bool = False
    """Bind tokens to a key in memory, and prove with every request that we hold it (RFC 9449)."""
    certificate_bound: bool = False
    """The server binds tokens to client.tls.cert (RFC 8705): present it to the API, too."""
    attach: SourceAttach = SourceAttach()
    """Where rules that use this source put the token, unless they say otherwise themselves."""
    api_headers: fields.Headers = Field(default={}, repr=False)
    """Headers to set on every API request that gets this token, such as an API key."""
    client: Client = Client()
    """How the authorization server is reached."""
    verify: Verify = Verify()
    """What is looked at before a token is used. Absent: tokens are used unread."""
    caller: Caller = Caller()
    """Each caller brings a client id and secret of its own, and gets a token of its own."""
    store: Annotated[Annotated[fields.Name, Tag(NAMED)] | Annotated[Store, Tag(INLINE)], BY_WAY] = ""
    """Where several processes share this source's tokens: a name of stores, or a store written here in full.
    Absent: memory."""
