"""The nouns of a token source: what it is told (`SourceSpec`), what it gives (`Token`), and its clock."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

from clientcreds_proxy.errors import TokenFailure
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.claims.values import Claims

ClientAuth = Literal[
    "auto",
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
    "none",
]
SharedKeyAlgorithm = Literal["HS256", "HS384", "HS512"]
PrivateKeyAlgorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"
]
Thumbprint = Literal["x5t#S256", "x5t", "x5c", "none"]
Place = Literal["proxy_authorization", "header", "body", "query"]
Params = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """One moment, read from two clocks: a token is past when either of them says so."""

    boot: float  # seconds since boot, suspended time included (CLOCK_BOOTTIME)
    wall: float  # seconds since the epoch


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> Instant:
        """The present moment on both clocks."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """How the token request is written."""

    format: Literal["form", "json"] = "form"
    grant_type: str = "client_credentials"
    scope_separator: str = " "
    basic_encoding: Literal["form", "raw"] | None = None  # None: form, and `auto` may try raw as well
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # a value may be an API key


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenResponse:
    """Where the answer holds what: member names, or JSON pointers (RFC 6901) where they start with `/`."""

    token: str = "access_token"
    expires_in: str = "expires_in"
    expires_in_unit: Literal["seconds", "milliseconds"] = "seconds"
    expires_at: str | None = None
    token_types: tuple[str, ...] = ("Bearer",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """When a token counts as past."""

    skew_seconds: float = 10
    default_ttl_seconds: float | Literal["never"] = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    """TLS towards the authorization server. PEM text, never a path."""

    ca: str | None = None  # None: the system's trust store
    cert: str | None = None
    key: Secret | None = None
    insecure_skip_verify: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """How the authorization server is reached."""

    timeout_seconds: float = 5  # the whole fetch, retries included
    max_retries: int = 3
    proxy: Secret | None = None  # a URL, which may hold a password
    tls: ClientTls = field(default_factory=ClientTls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What the client signs to prove itself (RFC 7523 §2.2), anew for each token request."""

    algorithm: SharedKeyAlgorithm | PrivateKeyAlgorithm
    key: Secret | None  # PKCS#8 PEM that fits the algorithm; None: the client secret (client_secret_jwt)
    key_id: str | None = None  # the `kid` header; None: no such header
    guesses_key_id: bool = False  # nobody said which: an assertion without that header is tried, too
    certificate: str | None = None  # PEM of the key's certificate and its chain, for the thumbprint
    thumbprint: Thumbprint = "none"  # the header that says which certificate
    lifetime_seconds: float = 60
    audience: str | None = None  # None: the token endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionFile:
    """Where somebody else puts a ready-made assertion; read at every use."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Each caller brings a client id and secret of its own."""

    places: tuple[Place, ...] = ("header",)  # where to look, in this order
    hide_credentials: bool = True  # the API does not see them


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelSpec:
    """Who knows which Redis is the master."""

    master_set: str
    username: str | None = None
    password: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSpec:
    """How Redis is reached."""

    endpoints: tuple[tuple[str, int], ...]  # of Redis, of some of the cluster's nodes, or of the sentinels
    username: str | None = None
    password: Secret | None = None
    database: int = 0
    cluster: bool = False
    sentinel: SentinelSpec | None = None
    tls: ClientTls | None = None  # None: no TLS


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSpec:
    """Where several processes share their tokens."""

    name: str = field(compare=False)  # two stores that differ in nothing else are one
    redis: RedisSpec
    key_prefix: str = "clientcreds"
    secrets: tuple[Secret, ...]  # the first seals, all open


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """What is looked at before a token is used."""

    signature: bool = True
    issuer: str | None = None  # None: unchecked
    audience: tuple[str, ...] = ()  # one of them; empty: unchecked
    scopes_required: tuple[str, ...] = ()  # all of them
    leeway_seconds: float = 10
    jwks_url: str | None = field(default=None, repr=False)  # None: of the issuer's metadata
    introspection_url: str | None = field(default=None, repr=False)  # the same
    # Who asks about callers' tokens; None: whoever asked for the token.
    inspector: tuple[str, tuple[Secret, ...]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """One token source of the configuration, validated, its secrets resolved."""

    name: str
    token_url: str = field(default="", repr=False)  # its query may hold a key; empty: the issuer says it
    issuer: str | None = None  # as configured; its metadata says what `token_url` does not
    client_id: str  # may be empty where callers bring their own
    client_secrets: tuple[Secret, ...]  # tried in order; empty with `none`
    client_auth: ClientAuth = "auto"
    assertion: Assertion | AssertionFile | None = None  # with the …_jwt methods alone
    scopes: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    resource: tuple[str, ...] = ()
    endpoint_params: Params = field(default=(), repr=False)  # KrakenD's recipes put secrets here
    token_request: TokenRequest = field(default_factory=TokenRequest)
    token_response: TokenResponse = field(default_factory=TokenResponse)
    expiry: Expiry = field(default_factory=Expiry)
    client: Client = field(default_factory=Client)
    api_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # sent along with this token
    dpop: bool = False  # the token is bound to a key of ours (RFC 9449)
    verify: Verify | None = None  # None: the token is used unread
    certificate_bound: bool = False  # the token is bound to `client.tls.cert` (RFC 8705 §3)
    caller: Caller | None = None  # None: the source's own credentials serve everybody
    store: StoreSpec | None = None  # None: this process's memory alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token as the authorization server gave it."""

    value: Secret
    token_type: str | None = "Bearer"  # as the server wrote it; None where the answer does not say: Bearer
    scope: tuple[str, ...] | None = None  # granted; None where the answer does not say
    lifetime: float | None  # seconds from `requested`; None: never expires; 0 or less: not to be cached
    requested: Instant  # the moment before the token request left
    # A JWT's payload, or what introspection said; None: the token is opaque.
    claims: Claims | None = field(default=None, repr=False, compare=False)
    taken: bool = False  # from a store: another process asked for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Obtained:
    """A token for one request, and whether that request waited for it."""

    token: Token
    how: Literal["cached", "fetched"]
    key: str  # of the cache entry it came from, for `reject`


class ErrorAnswer(Exception):
    """An authorization server's answer without a token: its status, `error` and `error_description`."""

    def __init__(self, *, status: int, error: str | None, description: str | None) -> None:
        super().__init__(f"status {status}, error {error}")
        self.status = status
        self.error = error  # RFC 6749 §5.2; None where there is none or it is no error code
        self.description = description  # for the log alone: printable, 200 characters at most


def described(failure: TokenFailure) -> str | None:
    """The server's `error_description`: for people who run the proxy, never for the request's sender."""
    cause = failure.__cause__
    return cause.description if isinstance(cause, ErrorAnswer) else None


Change = Literal["fetched", "recovered", "circuit_closed", "failed", "circuit_opened"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEvent:
    """How one fetch of a source ended."""

    source: str
    caller: str | None = None  # whose token it was, where callers bring their own credentials
    change: Change
    news: bool  # False: the same again (one more renewal, one more failure of the same kind)
    fingerprint: str | None = None  # of the token that came
    lifetime: float | None = None  # of that token, in seconds; None also where it never expires
    taken: bool = False  # that token came from a store
    failure: TokenFailure | None = None
    next_try_seconds: float | None = None  # no token request is made for this long after a failure


class Observer(Protocol):
    """Who is told how fetches end."""

    def __call__(self, event: SourceEvent, /) -> None:
        """Take note; called after the waiting requests were served."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceWarning:
    """What works, and whoever runs the proxy should look at."""

    source: str
    message: str


class Warn(Protocol):
    """Who is told such things."""

    def __call__(self, warning: SourceWarning, /) -> None:
        """Take note."""
        ...
