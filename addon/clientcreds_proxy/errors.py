"""Everything that can go wrong, one class for each decision a caller can take.

    ClientcredsError
    ├── ConfigError                the file is wrong: every problem at once, one line each
    └── Refusal                    a request is answered by us; one class per reason of the answer
        ├── AmbiguousPath          400
        ├── NoRule                 403
        ├── ClientDenied           403
        ├── PlaintextRefused       403
        ├── CrossSite              403
        ├── HeaderPresent          403
        ├── CallerUnauthorized     401  no credentials of the caller's own, or refused ones
        │   └── ProxyCallerUnauthorized  407  the same, where the proxy's credentials are meant


        ├── ClaimsDenied           403
        ├── MethodRefused          405
        ├── DestinationMismatch    421
        ├── InternalError          500  a bug of ours
        ├── ModifierFailed         500  a modifier can't do its work on this message
        ├── UpstreamNotVerified    502
        ├── ShuttingDown           503
        └── TokenFailure                no token: what `on_token_failure` decides about
            ├── TokenRejected      502  the authorization server said no
            ├── TokenUnavailable   502  it gave no answer, or a 5xx
            ├── TokenMalformed     502  its answer holds no usable token
            ├── TokenInvalid       502  the token is not what `verify` asks for
            ├── SecretUnavailable  502  a secret that the token request needs is gone
            ├── TokenBackoff       503  a remembered failure, an open circuit, a 429
            └── TokenTimeout       504  the deadline passed

How an answer looks on the wire is decided in `proxy/refusal.py`. Nothing here carries a secret: a
`detail` is read by whoever sent the request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class ClientcredsError(Exception):
    """The root: whatever this package raises on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One line about a file: where it is, which value is meant, what was expected instead."""

    file: str
    line: int
    column: int
    path: str  # `rules[2].match.host`; empty for the file as a whole
    message: str

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {where}{self.message}"


class ConfigError(ClientcredsError):
    """A configuration that can't be used; `problems` holds every one of them, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Refusal(ClientcredsError):
    """A request that we answer ourselves: `status` and `reason` are promises, `detail` is for people."""

    status: ClassVar[int]
    reason: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, detail: str, *, error: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.error = error  # the RFC 6749 §5.2 code, where the server gave one
        self.retry_after = retry_after  # seconds


class AmbiguousPath(Refusal):
    """Two servers could read this path differently."""

    status, reason, title = 400, "ambiguous_path", "The path can be read in more than one way"


class NoRule(Refusal):
    """`unmatched: block`, and no rule wins."""

    status, reason, title = 403, "no_rule", "No rule allows this request"


class ClientDenied(Refusal):
    """The client is not in `allowed_clients`."""

    status, reason, title = 403, "client_denied", "This client may not use the proxy here"


class PlaintextRefused(Refusal):
    """A token would leave over plain http."""

    status, reason, title = 403, "plaintext_refused", "A token is not sent over plain http"


class CrossSite(Refusal):
    """A browser page of another site sent it."""

    status, reason, title = 403, "cross_site", "A page of another site may not use this authority"


class HeaderPresent(Refusal):
    """The client brought a header of its own, and the rule says `when_present: refuse`."""

    status, reason, title = 403, "header_present", "The request brings a header that the rule attaches"


class CallerUnauthorized(Refusal):
    """The caller brings no credentials of its own, or the authorization server refuses them."""

    status, reason, title = 401, "caller_unauthorized", "The caller's own credentials are missing or refused"


class ProxyCallerUnauthorized(CallerUnauthorized):
    """The same, where a client is to say them to its proxy."""

    status, reason, title = 407, "caller_unauthorized", "The caller's own credentials are missing or refused"


class ClaimsDenied(Refusal):
    """The token does not say what the rule asks for."""

    status, reason, title = 403, "claims_denied", "The token does not fulfil the rule's claims"


class MethodRefused(Refusal):
    """TRACE would echo the token."""

    status, reason, title = 405, "method_refused", "This method is not forwarded"


class DestinationMismatch(Refusal):
    """Destination, TLS server name and Host header do not name the same server."""

    status, reason, title = 421, "destination_mismatch", "The request names two different servers"


class InternalError(Refusal):
    """A bug of ours: the log has its traceback."""

    status, reason, title = 500, "internal_error", "The proxy made a mistake"


class ModifierFailed(Refusal):
    """A modifier can't do its work on this message: a request is not sent, an answer not passed on."""

    status, reason, title = 500, "modifier_failed", "A modifier of the rule failed"


class UpstreamNotVerified(Refusal):
    """The API's certificate would not be verified."""

    status, reason, title = 502, "upstream_not_verified", "The API's certificate is not verified"


class ShuttingDown(Refusal):
    """SIGTERM was received."""

    status, reason, title = 503, "shutting_down", "The proxy is shutting down"


class TokenFailure(Refusal):
    """No token for this request, whatever the cause."""

    def __init__(
        self,
        detail: str,
        *,
        error: str | None = None,
        retry_after: float | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(detail, error=error, retry_after=retry_after)
        self.hint = hint  # what whoever runs the proxy may try: for the log, not for the request's sender


class TokenRejected(TokenFailure):
    """The authorization server said no (a 4xx, or an `error` member)."""

    status, reason, title = 502, "token_rejected", "The authorization server refused to give a token"


class TokenUnavailable(TokenFailure):
    """The authorization server gave no answer, or a 5xx."""

    status, reason, title = 502, "token_unavailable", "The authorization server did not give a token"


class TokenMalformed(TokenFailure):
    """The authorization server's answer holds no usable token."""

    status, reason, title = 502, "token_malformed", "The authorization server's answer holds no usable token"


class TokenInvalid(TokenFailure):
    """The token is not what the source's `verify` asks for, or that can't be found out."""

    status, reason, title = 502, "token_invalid", "The token could not be verified"


class SecretUnavailable(TokenFailure):
    """A secret that the token request needs can't be read any more."""

    status, reason, title = 502, "secret_unavailable", "A secret that the token request needs is gone"


class TokenBackoff(TokenFailure):
    """No token request is made now: a remembered failure, an open circuit, or a 429."""

    status, reason, title = 503, "token_backoff", "No token request is made for now"


class TokenTimeout(TokenFailure):
    """The token did not come within the source's `timeout_seconds`."""

    status, reason, title = 504, "token_timeout", "The authorization server took too long"
