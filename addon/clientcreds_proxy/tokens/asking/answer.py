"""The token endpoint's answer as a token, or as the failure it means (RFC 6749 §5).

Deliberately tolerant where servers differ, strict where a token could be something else than a token.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from clientcreds_proxy.errors import TokenBackoff, TokenMalformed, TokenRejected, TokenUnavailable
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.asking import hints
from clientcreds_proxy.tokens.asking.document import Document, UnreadableError, find, last_member, read
from clientcreds_proxy.tokens.asking.lifetime import lifetime
from clientcreds_proxy.tokens.claims.jwt import payload
from clientcreds_proxy.tokens.model import ErrorAnswer, Instant, SourceSpec, Token
from clientcreds_proxy.tokens.proof.client_auth import Attempt, Way, authorization

RETRY_AFTER_MAX_SECONDS = 300.0  # a server that asks for an hour is asked again sooner
MAX_BYTES = 1 << 20  # KrakenD's (golang/oauth2) limit too

# RFC 6749 App. A.12, but no space at either end: what is not printable ASCII could end the header.
ACCESS_TOKEN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
ERROR_CODE = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]{1,64}")  # RFC 6749 App. A.7
KNOWN_ERRORS = {  # these are what they are, even if a secret is a part of one
    *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client"),
    *("unsupported_grant_type", "invalid_scope", "invalid_target", "use_dpop_nonce", "invalid_dpop_proof"),
}
TYPE_NAME = re.compile(r"[A-Za-z0-9 ._~/-]{1,40}")
JWT = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_.-]+")
SECRET_NAME = re.compile(r"secret|passw|token|key|assertion", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back from the token endpoint."""

    status: int
    body: bytes = field(repr=False)
    retry_after: float | None = None  # seconds; None: no such header, or not a usable one
    ahead_seconds: float | None = None  # of our wall clock, before the server's `Date`
    leads_to: str | None = None  # host and port of a redirect's target


def parse_answer(spec: SourceSpec, answer: Answer, requested: Instant) -> Token:
    """The token, or `TokenRejected`, `TokenUnavailable`, `TokenBackoff`, `TokenMalformed`.

    Where the server said something, the failure's cause is an `ErrorAnswer`.
    """
    host = host_of(spec.token_url)
    try:
        once = last_member(spec.token_response.token)
        document: Document = read(answer.body, once=once)
        unreadable = None
    except UnreadableError as error:
        document, unreadable = {}, str(error)
    _refuse_status(spec, answer, document)
    if unreadable is not None:
        raise TokenMalformed(
            f"{host} answered {answer.status}, but not with a token: {unreadable}",
            hint=hints.no_endpoint(spec),
        )
    if find(document, "error"):  # GitHub says no with a 200
        said = _error_answer(spec, answer, document)
        raise _rejected(spec, answer, said) from said
    value = _access_token(spec, document, host)
    return Token(
        value=Secret(value),
        token_type=_token_type(spec, document, host),
        scope=_scope(find(document, "scope")),
        lifetime=lifetime(
            document, spec, token=value, requested=requested, ahead_seconds=answer.ahead_seconds
        ),
        requested=requested,
        claims=payload(value),
    )


def host_of(url: str) -> str:
    """Host and port as a message may name them: never a user, never the query."""
    return urlsplit(url).netloc.rpartition("@")[2]


def backoff_seconds(retry_after: float | None) -> float:
    """How long a server that asks for a pause is left alone."""
    return 30.0 if retry_after is None else min(retry_after, RETRY_AFTER_MAX_SECONDS)


def _refuse_status(spec: SourceSpec, answer: Answer, document: Document) -> None:
    status = answer.status
    if 200 <= status < 300:
        return
    host = host_of(spec.token_url)
    said = _error_answer(spec, answer, document)
    words = f"{host} answered {status} to the token request" + (f": {said.error}" if said.error else "")
    if status == 429 or (status == 503 and answer.retry_after is not None):
        raise TokenBackoff(words, error=said.error, retry_after=backoff_seconds(answer.retry_after)) from said
    if status >= 500 or status in {408, 425}:
        raise TokenUnavailable(words, error=said.error) from said
    if status >= 400:
        raise _rejected(spec, answer, said) from said
    leads_to = f"it leads to {answer.leads_to}" if answer.leads_to else None
    raise TokenMalformed(
        f"{host} answered {status} to the token request; redirects are never followed",
        hint=hints.joined(leads_to, hints.no_endpoint(spec)),
    ) from said


def _rejected(spec: SourceSpec, answer: Answer, said: ErrorAnswer) -> TokenRejected:
    host = host_of(spec.token_url)
    reason = f": {said.error}" if said.error else ", without an error code"
    return TokenRejected(
        f"{host} refused the token request ({said.status}){reason}",
        error=said.error,
        hint=hints.rejected(spec, said, host=host, ahead_seconds=answer.ahead_seconds),
    )


def _error_answer(spec: SourceSpec, answer: Answer, document: Document) -> ErrorAnswer:
    error, description = find(document, "error"), find(document, "error_description")
    return ErrorAnswer(
        status=answer.status,
        error=error if isinstance(error, str) and _is_error_code(error, spec) else None,
        description=_printable(_masked(description, spec)) if isinstance(description, str) else None,
    )


def _is_error_code(error: str, spec: SourceSpec) -> bool:
    return error in KNOWN_ERRORS or (
        ERROR_CODE.fullmatch(error) is not None and error == _masked(error, spec)
    )


def _masked(text: str, spec: SourceSpec) -> str:
    """Without the secrets that the request held: a server may quote what it was sent."""
    sent = [secret.reveal() for secret in spec.client_secrets]
    sent += [value for name, values in spec.endpoint_params if SECRET_NAME.search(name) for value in values]
    for secret in sorted(sent, key=len, reverse=True):
        if len(secret) >= 4:  # anything shorter is part of ordinary words, and guessed at once
            for form in (secret, quote(secret, safe=""), quote_plus(secret)):
                text = text.replace(form, "***")
    for credentials in _in_basic(spec):
        text = text.replace(credentials, "***").replace(credentials.rstrip("="), "***")
    return JWT.sub("***", text)  # an assertion


def _in_basic(spec: SourceSpec) -> Iterator[str]:
    """Id and secret as `Authorization: Basic` holds them."""
    ways: tuple[Way, ...] = ("basic_form", "basic_raw")
    headers = (
        authorization(spec, Attempt(way=way, secret=secret))
        for way, secret in product(ways, spec.client_secrets)
    )
    return (header.removeprefix("Basic ") for header in headers if header is not None)


def _printable(text: str) -> str | None:
    return "".join(char if char.isprintable() else " " for char in text[:1000]).strip()[:200] or None


def _access_token(spec: SourceSpec, document: Document, host: str) -> str:
    value = find(document, spec.token_response.token)
    if not isinstance(value, str) or not value:
        raise TokenMalformed(
            f"{host} answered without a token: no text in {spec.token_response.token!r}",
            hint="check token_response.token, and token_url",
        )
    if not ACCESS_TOKEN.fullmatch(value):
        raise TokenMalformed(f"{host} answered with a token that holds characters no header may carry")
    return value


def _token_type(spec: SourceSpec, document: Document, host: str) -> str | None:
    """As the server wrote it; None: missing, which means Bearer, although RFC 6749 §5.1 requires it."""
    expected = ("DPoP",) if spec.dpop else spec.token_response.token_types
    written = find(document, "token_type")
    if written in (None, ""):
        if not spec.dpop:
            return None
        written = "Bearer"
    if isinstance(written, str) and written.lower() in {known.lower() for known in expected}:
        return written
    if spec.dpop and isinstance(written, str) and written.lower() == "bearer":
        raise TokenMalformed(
            f"{host} took a DPoP proof and answered with a Bearer token, which anybody could use; "
            "let the server bind this client's tokens, or set dpop: false"
        )
    shown = isinstance(written, str) and TYPE_NAME.fullmatch(written) and written == _masked(written, spec)
    name = f" {written!r}" if shown else ""
    hint = "; set dpop: true" if isinstance(written, str) and written.lower() == "dpop" else ""
    raise TokenMalformed(f"{host} answered with the token_type{name}, expected {', '.join(expected)}{hint}")


def _scope(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    if not isinstance(value, list):
        return None
    return tuple(scope for scope in value if isinstance(scope, str)) or None
