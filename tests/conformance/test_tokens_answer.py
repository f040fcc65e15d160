"""Groups B and C of the checklist: what the authorization server answers."""

import asyncio
import json
import logging
from typing import Any

import pytest

from clientcreds_proxy.errors import (
    TokenBackoff,
    TokenFailure,
    TokenMalformed,
    TokenRejected,
    TokenTimeout,
    TokenUnavailable,
)
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.asking.answer import Answer, parse_answer
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.model import (
    Client,
    Expiry,
    SourceWarning,
    Token,
    TokenResponse,
    described,
)
from clientcreds_proxy.tokens.remarks import Remarking, remarks
from tests.simulators.authorization_server import AuthorizationServer, Reply
from tests.unit.tokens.making import START, FakeClock, a_spec


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def read(body: Any, *, status: int = 200, **spec: Any) -> Token:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_answer(a_spec(**spec), Answer(status=status, body=raw), START)


def failure_of(body: Any, *, status: int = 200, **spec: Any) -> TokenFailure:
    with pytest.raises(TokenFailure) as raised:
        read(body, status=status, **spec)
    return raised.value


async def fetched(*replies: Reply, **client: Any) -> tuple[Token | TokenFailure, AuthorizationServer]:
    """What comes of it when the server gives these replies first."""
    async with AuthorizationServer(replies=list(replies)).running() as server:
        spec = a_spec(token_url=server.token_url, client=Client(**client))
        try:
            granted = await HttpFetch(clock=FakeClock(), chance=lambda: 0)(spec)
        except TokenFailure as failure:
            return failure, server
        return granted.token, server


@pytest.mark.parametrize("status", [200, 201, 202])
def test_any_2xx_with_a_token_is_a_token(status: int) -> None:
    """B01."""
    assert read({"access_token": "t"}, status=status).value == Secret("t")


@pytest.mark.parametrize("value", [None, "", 123, True, ["t"], {"value": "t"}])
def test_answer_without_a_token_is_an_error(value: object) -> None:
    """B02."""
    assert type(failure_of({"access_token": value, "token_type": "Bearer"})) is TokenMalformed
    assert type(failure_of({"token_type": "Bearer"})) is TokenMalformed


@pytest.mark.parametrize("written", ["Bearer", "bearer", "BEARER"])
def test_token_type_compares_without_case(written: str) -> None:
    """B03."""
    assert read({"access_token": "t", "token_type": written}).token_type == written


def test_unknown_token_type_is_refused_unless_the_source_knows_it() -> None:
    """B04 (eBay)."""
    body = {"access_token": "t", "token_type": "Application Access Token"}

    assert type(failure_of(body)) is TokenMalformed
    known = TokenResponse(token_types=("Bearer", "application access token"))
    assert read(body, token_response=known).value == Secret("t")


@pytest.mark.anyio
async def test_missing_token_type_is_bearer_and_told_once() -> None:
    """B05."""
    told: list[SourceWarning] = []
    reply = Reply(body=b'{"access_token": "t"}')
    async with AuthorizationServer(replies=[reply] * 2).running() as server:
        spec = a_spec(token_url=server.token_url)
        fetch = Remarking(HttpFetch(clock=FakeClock()), told.append)
        granted = [await fetch(spec) for _ in range(2)]

    assert [one.token.value for one in granted] == [Secret("t")] * 2
    assert [(warning.source, "Bearer" in warning.message) for warning in told] == [("billing", True)]


def test_missing_expiry_takes_the_default() -> None:
    """B06."""
    assert read({"access_token": "t"}).lifetime == 300
    assert read({"access_token": "t"}, expiry=Expiry(default_ttl_seconds="never")).lifetime is None


@pytest.mark.parametrize("written", [0, -1])
def test_expiry_of_nothing_is_not_cached_unless_never(written: int) -> None:
    """B07."""
    body = {"access_token": "t", "expires_in": written}

    assert (read(body).lifetime or 0) <= 0
    assert read(body, expiry=Expiry(default_ttl_seconds="never")).lifetime is None


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (b'"3599"', 3599),
        (b'"3600.5"', 3600.5),
        (b"3600.7", 3600.7),
        (b'"abc"', 300),
        (b"true", 300),
        (b"null", 300),
        (b"NaN", 300),
        (b"1e400", 300),
        (b"[]", 300),
        (b'"3_600"', 300),
        ('"\uff13\uff16"'.encode(), 300),
        (b"9" * 400, 300),
    ],
)
def test_expires_in_is_read_or_counts_as_missing(written: bytes, seconds: float) -> None:
    """B08, B09."""
    assert read(b'{"access_token": "t", "expires_in": ' + written + b"}").lifetime == seconds


def test_number_of_over_4300_digits_is_a_malformed_answer() -> None:
    """B09."""
    body = b'{"access_token": "t", "expires_in": ' + b"9" * 4301 + b"}"

    assert type(failure_of(body)) is TokenMalformed


def test_expiry_can_be_milliseconds_or_a_moment() -> None:
    """B11 (Fiserv, GitHub App)."""
    milliseconds = TokenResponse(expires_in_unit="milliseconds")
    moment = TokenResponse(expires_at="expires_at")

    assert read({"access_token": "t", "expires_in": 60_000}, token_response=milliseconds).lifetime == 60
    body = {"access_token": "t", "expires_at": "2027-01-15T09:00:00Z"}
    assert read(body, token_response=moment).lifetime == 3600


@pytest.mark.parametrize("scope", ["a b", ["a", "b"], "a,b"])
def test_scope_is_read_however_it_is_written(scope: object) -> None:
    """B14, B15."""
    assert read({"access_token": "t", "scope": scope}).scope == ("a", "b")


@pytest.mark.parametrize(
    ("granted", "told"),
    [
        (None, []),
        ("b a", []),
        ("a b c", []),
        ("a", ["the server did not grant b"]),
        (["x"], ["the server did not grant a b"]),
    ],
)
def test_less_than_was_asked_for_is_told(granted: object, told: list[str]) -> None:
    """B14."""
    spec = a_spec(scopes=("a", "b"))
    body = {"access_token": "t", "token_type": "Bearer", "scope": granted}

    assert list(remarks(spec, read(body))) == told


def test_unknown_members_and_a_refresh_token_change_nothing() -> None:
    """B16, B17."""
    body = {"access_token": "t", "refresh_token": "r", "id_token": "i", "junk": "x" * 500_000, "nonce": None}

    token = read(body)

    assert token.value == Secret("t")
    assert "refresh" not in repr(token)


def test_long_token_is_a_token() -> None:
    """B18."""
    assert read({"access_token": "t" * 60_000}).value == Secret("t" * 60_000)


@pytest.mark.parametrize(
    "value", ["t\r\nX: y", "t\nu", "t\x00", "té", "t\u2028", "\ud800", " t", "t ", "t\t", "\x7f"]
)
def test_token_that_no_header_may_carry_is_refused(value: str) -> None:
    """B19, B20."""
    assert type(failure_of({"access_token": value})) is TokenMalformed


@pytest.mark.parametrize("value", ["v^1.1#i^1#p^3", "AAAA%2FAAA%3D", "a b"])
def test_token_need_not_be_b64token(value: str) -> None:
    """B19 (eBay, Twitter)."""
    assert read({"access_token": value}).value == Secret(value)


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\r\n  "])
@pytest.mark.parametrize(
    "content_type", ["application/json; charset=ISO-8859-1", "text/plain", "text/html", ""]
)
@pytest.mark.anyio
async def test_json_wins_over_its_content_type(start: bytes, content_type: str) -> None:
    """B21."""
    reply = Reply(body=start + b'{"access_token": "t"}', headers={"Content-Type": content_type})

    token, _ = await fetched(reply)

    assert isinstance(token, Token)


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", ""])
@pytest.mark.anyio
async def test_form_is_read(content_type: str) -> None:
    """B22 (GitHub)."""
    body = b"access_token=a%2Bb&token_type=bearer&expires_in=60&scope=x+y"

    token, _ = await fetched(Reply(body=body, headers={"Content-Type": content_type}))

    assert isinstance(token, Token)
    assert (token.value.reveal(), token.lifetime, token.scope) == ("a+b", 60, ("x", "y"))


@pytest.mark.parametrize("body", [b"", b"<html><body>Sign in</body></html>", b'<?xml version="1.0"?><t/>'])
def test_page_instead_of_a_token_is_malformed(body: bytes) -> None:
    """B22 (Envoy #42009)."""
    assert type(failure_of(body)) is TokenMalformed


def test_token_named_twice_is_refused() -> None:
    """B23."""
    assert type(failure_of(b'{"access_token": "t", "a": 1, "access_token": "u"}')) is TokenMalformed


def test_deep_nesting_is_malformed() -> None:
    """B24."""
    assert type(failure_of(b'{"a":' * 150_000 + b"1" + b"}" * 150_000)) is TokenMalformed


def test_token_can_stand_elsewhere() -> None:
    """B25."""
    body = {"data": {"accessToken": "t"}, "id_token": "i"}

    assert read(body, token_response=TokenResponse(token="/data/accessToken")).value == Secret("t")
    assert read(body, token_response=TokenResponse(token="id_token")).value == Secret("i")


def test_error_in_a_200_is_an_error_even_beside_a_token() -> None:
    """B27."""
    failure = failure_of({"error": "bad_verification_code", "access_token": "t"})

    assert type(failure) is TokenRejected
    assert failure.error == "bad_verification_code"


def test_error_answer_is_read_in_full_and_its_description_kept_apart() -> None:
    """C01; contract section 11: the description goes to the log, not into the answer."""
    body = {"error": "invalid_scope", "error_description": "no such\nscope", "error_uri": "https://x"}

    failure = failure_of(body, status=400)

    assert failure.error == "invalid_scope"
    assert described(failure) == "no such scope"
    assert "no such" not in failure.detail


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"message": "no"}',
        b'{"code": 38187, "title": "Invalid parameters"}',
        b"<html>no</html>",
        b"error=invalid_client",
        b"\x1f\x8b\x08\x00",
    ],
)
def test_refusal_needs_no_error_member(status: int, body: bytes) -> None:
    """C02, C03, C04."""
    failure = failure_of(body, status=status)

    assert type(failure) is TokenRejected
    assert failure.error == ("invalid_client" if b"error" in body else None)


@pytest.mark.parametrize(
    "error", ["unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_target"]
)
@pytest.mark.anyio
async def test_refusal_is_not_retried(error: str) -> None:
    """C05, G03."""
    failure, server = await fetched(Reply(status=400, body=json.dumps({"error": error}).encode()))

    assert isinstance(failure, TokenRejected)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "reply", [*[Reply(status=s) for s in (408, 425, 500, 502, 503, 504)], Reply(cut=True)]
)
@pytest.mark.anyio
async def test_what_may_pass_is_retried(reply: Reply) -> None:
    """C06, C09."""
    token, server = await fetched(reply)

    assert isinstance(token, Token)
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({"Retry-After": "60"}, 60),
        ({"Retry-After": "Fri, 15 Jan 2027 08:01:00 GMT", "Date": "Fri, 15 Jan 2027 08:00:00 GMT"}, 60),
        ({"Retry-After": "-1"}, 30),
        ({"Retry-After": "in a while"}, 30),
        ({"Retry-After": "7200"}, 300),
        ({}, 30),
    ],
)
@pytest.mark.anyio
async def test_retry_after_is_honoured(header: dict[str, str], seconds: float) -> None:
    """C07; contract section 4 caps it at 300 s."""
    failure, server = await fetched(Reply(status=429, headers=header))

    assert isinstance(failure, TokenBackoff)
    assert failure.retry_after == seconds
    assert len(server.seen) == 1


@pytest.mark.anyio
async def test_retries_can_be_switched_off() -> None:
    """C08."""
    failure, server = await fetched(Reply(status=500), max_retries=0)

    assert isinstance(failure, TokenUnavailable)
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.anyio
async def test_credentials_follow_no_redirect(status: int) -> None:
    """C10."""
    async with AuthorizationServer().running() as other:
        failure, server = await fetched(Reply(status=status, headers={"Location": other.token_url}))

    assert isinstance(failure, TokenMalformed)
    assert (len(server.seen), len(other.seen)) == (1, 0)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=400, body=b'{"error": "c4nary/", "error_description": "c4nary/ c4nary%2F"}'),
        Reply(status=500, body=b"c4nary/"),
        Reply(status=302, headers={"Location": "https://x/?c4nary/"}),
        Reply(body=b'{"access_token": "t", "token_type": "c4nary/"}'),
        Reply(cut=True),
    ],
)
@pytest.mark.anyio
async def test_secret_shows_in_no_failure_and_no_log(reply: Reply, caplog: pytest.LogCaptureFixture) -> None:
    """C11; the token URL's query may hold a key."""
    caplog.set_level(logging.DEBUG, logger="stamina")
    async with AuthorizationServer(replies=[reply] * 4).running() as server:
        spec = a_spec(token_url=server.token_url + "?key=c4nary", client_secrets=(Secret("c4nary/"),))
        with pytest.raises(TokenFailure) as raised:
            await HttpFetch(clock=FakeClock(), chance=lambda: 0)(spec)

    failure = raised.value
    shown = [
        repr(failure),
        failure.error,
        repr(failure.__cause__),
        described(failure),
        repr(spec),
        caplog.text,
    ]
    assert "c4nary" not in str(shown)


@pytest.mark.parametrize("reply", [Reply(status=429), Reply(status=500), Reply(status=503)])
@pytest.mark.anyio
async def test_no_other_way_is_probed_at_an_ill_server(reply: Reply) -> None:
    """C12."""
    _, server = await fetched(*[reply] * 4, max_retries=1)

    assert all("authorization" in seen.headers for seen in server.seen)


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.anyio
async def test_one_deadline_bounds_a_dripping_server(status: int) -> None:
    """A27."""
    reply = Reply(status=status, body=b"x" * 2000, drip_seconds=0.01)

    async with asyncio.timeout(2):
        failure, _ = await fetched(reply, timeout_seconds=0.2)

    assert isinstance(failure, TokenTimeout)


@pytest.mark.anyio
async def test_answer_over_one_mebibyte_is_malformed_and_not_retried() -> None:
    """A26, contract section 4."""
    failure, server = await fetched(Reply(body=b"x" * (1 << 20) + b"x"))

    assert isinstance(failure, TokenMalformed)
    assert len(server.seen) == 1


def test_raw_body_goes_nowhere() -> None:
    """Contract section 11."""
    failure = failure_of(b"teapot-body", status=418)

    assert "teapot-body" not in f"{failure!r} {failure.__cause__!r} {described(failure)}"
