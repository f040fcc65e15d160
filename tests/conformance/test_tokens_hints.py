"""Groups A, C, E and G of the checklist: what the log says to do about a failed token request."""

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from clientcreds_proxy.errors import TokenFailure, TokenMalformed, TokenRejected, TokenUnavailable
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.model import AssertionFile, Client, ClientTls, SourceSpec
from tests.simulators.authorization_server import AuthorizationServer, Reply
from tests.unit.tokens.making import FakeClock, a_spec

pytestmark = pytest.mark.anyio

NOW = "Fri, 15 Jan 2027 08:00:00 GMT"  # the fake clock's


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def failure_of(spec: SourceSpec) -> TokenFailure:
    with pytest.raises(TokenFailure) as raised:
        await HttpFetch(clock=FakeClock(), chance=lambda: 0)(spec)
    return raised.value


async def failure_after(*replies: Reply, **spec: Any) -> TokenFailure:
    async with AuthorizationServer(replies=list(replies)).running() as server:
        return await failure_of(a_spec(token_url=server.token_url, **spec))


def refusal(error: str | None, *, status: int = 400, date: str = NOW) -> Reply:
    body = b"" if error is None else json.dumps({"error": error}).encode()
    return Reply(status=status, body=body, headers={"Date": date})


async def test_encodings_are_named_where_they_differ() -> None:
    """A12."""
    basic: dict[str, Any] = {"client_auth": "client_secret_basic"}

    differ = await failure_after(refusal("invalid_client"), client_secrets=(Secret("p%+"),), **basic)
    agree = await failure_after(refusal("invalid_client"), client_secrets=(Secret("plain"),), **basic)

    assert "basic_encoding: raw" in (differ.hint or "")
    assert "basic_encoding" not in (agree.hint or "")


@pytest.mark.parametrize(
    ("error", "spec", "words"),
    [
        ("invalid_target", {"resource": ("https://orders.example/",)}, "https://orders.example/"),
        ("invalid_scope", {"scopes": ("orders:read",)}, "orders:read"),
        ("unauthorized_client", {}, "client_credentials"),
        ("unsupported_grant_type", {}, "token_url"),
        ("access_denied", {"audience": ("https://orders.example/",)}, "https://orders.example/"),
    ],
)
async def test_refusal_comes_with_what_to_do(error: str, spec: dict[str, Any], words: str) -> None:
    """C05, G03: the log names the value, the answer to the app does not."""
    failure = await failure_after(refusal(error), **spec)

    assert isinstance(failure, TokenRejected)
    assert words in (failure.hint or "")
    assert failure.detail.endswith(f"refused the token request (400): {error}")


async def test_not_found_and_pages_are_a_doubt_about_the_url() -> None:
    """C04."""
    missing = await failure_after(*[refusal(None, status=404)] * 2)
    page = await failure_after(Reply(body=b"<html>Sign in</html>"))

    assert (type(missing), type(page)) == (TokenRejected, TokenMalformed)
    assert "check token_url" in (missing.hint or "")
    assert "check token_url" in (page.hint or "")


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://login.example.com/sign-in?state=s3cr3t", "it leads to login.example.com; "),
        ("https://user:s3cr3t@[2001:db8::1]:8443/", "it leads to [2001:db8::1]:8443; "),
        ("http://[", ""),
    ],
)
async def test_redirect_names_where_it_leads_and_nothing_else(location: str, words: str) -> None:
    """C10."""
    failure = await failure_after(Reply(status=302, headers={"Location": location}))

    assert isinstance(failure, TokenMalformed)
    assert failure.hint == f"{words}check token_url: no tokens are given there"


@pytest.mark.parametrize(
    ("date", "words"),
    [
        ("Fri, 15 Jan 2027 07:00:00 GMT", "3600 s ahead of localhost"),
        ("Fri, 15 Jan 2027 09:00:00 GMT", "3600 s behind localhost"),
        ("Fri, 15 Jan 2027 08:00:59 GMT", None),
        ("yesterday", None),
    ],
)
@pytest.mark.parametrize("error", ["invalid_client", None])
async def test_clock_that_is_off_is_named(date: str, words: str | None, error: str | None) -> None:
    """E16."""
    failure = await failure_after(*[refusal(error, status=401, date=date)] * 2)

    assert words in (failure.hint or "") if words else "this machine's clock" not in (failure.hint or "")


async def test_clock_is_named_for_an_assertion_whatever_the_error(tmp_path: Path) -> None:
    """E16: servers disagree about the error for an assertion that is not valid yet."""
    (tmp_path / "assertion").write_text("eyJhbGciOiJub25lIn0.e30.x")
    spec = {
        "client_auth": "private_key_jwt",
        "client_secrets": (),
        "assertion": AssertionFile(path=str(tmp_path / "assertion")),
    }

    failure = await failure_after(refusal("invalid_request", date="Fri, 15 Jan 2027 07:00:00 GMT"), **spec)

    assert (failure.hint or "").startswith("this machine's clock is 3600 s ahead of localhost")


async def test_certificate_that_is_not_trusted_names_the_key_that_trusts_it() -> None:
    """A09."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    async with AuthorizationServer().running(context) as server:
        failure = await failure_of(a_spec(token_url=server.token_url, client=Client(max_retries=0)))

    assert isinstance(failure, TokenUnavailable)
    assert "client.tls.ca" in (failure.hint or "")


async def test_certificate_of_another_server_is_told_from_an_unknown_authority() -> None:
    """A09."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example").configure_cert(context)
    tls = ClientTls(ca=authority.cert_pem.bytes().decode())
    async with AuthorizationServer().running(context) as server:
        spec = a_spec(token_url=server.token_url, client=Client(max_retries=0, tls=tls))
        failure = await failure_of(spec)

    assert "another server's certificate" in (failure.hint or "")
