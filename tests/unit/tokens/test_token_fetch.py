import asyncio
import gc
import ssl
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from clientcreds_proxy.errors import (
    TokenBackoff,
    TokenFailure,
    TokenMalformed,
    TokenRejected,
    TokenTimeout,
    TokenUnavailable,
)
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.model import Client, ClientTls, SourceSpec, TokenRequest, described
from clientcreds_proxy.tokens.proof.client_auth import Granted
from clientcreds_proxy.tokens.server.session import CONTEXTS_KEPT, Sessions, retry_after
from tests.simulators.authorization_server import AuthorizationServer, Reply
from tests.unit.tokens.making import START, FakeClock, a_spec

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server() -> AsyncIterator[AuthorizationServer]:
    async with AuthorizationServer().running() as server:
        yield server


def spec_for(server: AuthorizationServer, client: Client | None = None, **changes: Any) -> SourceSpec:
    return a_spec(token_url=server.token_url, client=client or Client(), **changes)


async def fetch(spec: SourceSpec, *, chance: float = 0.0) -> Granted:
    return await HttpFetch(clock=FakeClock(), chance=lambda: chance)(spec)


async def failure_of(spec: SourceSpec, *, chance: float = 0.0) -> TokenFailure:
    try:
        await fetch(spec, chance=chance)
    except TokenFailure as failure:
        return failure
    raise AssertionError("a token came")


async def test_fetch_brings_a_token(server: AuthorizationServer) -> None:
    granted = await fetch(spec_for(server))

    assert granted.token.value.reveal() == "t1"
    assert granted.token.lifetime == 3600
    assert granted.token.requested == START


async def test_fetch_posts_once_with_length_and_accept(server: AuthorizationServer) -> None:
    await fetch(spec_for(server))

    (seen,) = server.seen
    assert seen.method == "POST"
    assert seen.body == b"grant_type=client_credentials"
    assert seen.headers["content-length"] == str(len(seen.body))
    assert seen.headers["accept"] == "application/json"
    assert seen.headers["accept-encoding"] == "identity"
    assert "cookie" not in seen.headers
    assert "transfer-encoding" not in seen.headers


async def test_fetch_keeps_the_token_urls_query(server: AuthorizationServer) -> None:
    server.path = "/token?realm=main&x=%2F"

    await fetch(spec_for(server))

    assert server.seen[0].target == "/token?realm=main&x=%2F"


async def test_fetch_does_not_take_credentials_out_of_the_url(server: AuthorizationServer) -> None:
    spec = a_spec(token_url=server.token_url.replace("//", "//user:pass@"), client_auth="client_secret_post")

    await fetch(spec)

    assert "authorization" not in server.seen[0].headers


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504])
async def test_fetch_tries_again_when_the_server_could_not_answer(
    server: AuthorizationServer, status: int
) -> None:
    server.replies = [Reply(status=status)] * 3

    assert (await fetch(spec_for(server))).token.value.reveal() == "t4"


async def test_fetch_tries_again_when_the_connection_breaks(server: AuthorizationServer) -> None:
    server.replies = [Reply(cut=True)]

    assert (await fetch(spec_for(server))).token.value.reveal() == "t2"


async def test_fetch_gives_up_after_max_retries(server: AuthorizationServer) -> None:
    """C09."""
    server.replies = [Reply(status=500)] * 9

    failure = await failure_of(spec_for(server, Client(max_retries=2)))

    assert isinstance(failure, TokenUnavailable)
    assert failure.detail == f"localhost:{server.port} answered 500 to the token request"
    assert len(server.seen) == 3


async def test_fetch_asks_once_when_retries_are_zero(server: AuthorizationServer) -> None:
    server.replies = [Reply(status=500)]

    assert isinstance(await failure_of(spec_for(server, Client(max_retries=0))), TokenUnavailable)
    assert len(server.seen) == 1


async def test_fetch_does_not_wait_beyond_its_deadline(server: AuthorizationServer) -> None:
    """C06."""
    server.replies = [Reply(status=500)]

    failure = await failure_of(spec_for(server, Client(timeout_seconds=0.2)), chance=1.0)

    assert isinstance(failure, TokenUnavailable)
    assert len(server.seen) == 1


async def test_fetch_waits_as_the_server_asks_where_it_fits(server: AuthorizationServer) -> None:
    """C07."""
    server.replies = [
        Reply(status=429, headers={"Retry-After": "0"}),
        Reply(status=503, headers={"Retry-After": "0"}),
    ]

    assert (await fetch(spec_for(server), chance=1.0)).token.value.reveal() == "t3"


async def test_fetch_backs_off_also_where_the_server_asks_for_no_wait(server: AuthorizationServer) -> None:
    server.replies = [Reply(status=429, headers={"Retry-After": "0"})]

    failure = await failure_of(spec_for(server, Client(timeout_seconds=0.2)), chance=1.0)

    assert isinstance(failure, TokenBackoff)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        (Reply(status=429), 30),
        (Reply(status=429, headers={"Retry-After": "soon"}), 30),
        (Reply(status=429, headers={"Retry-After": "120"}), 120),
        (Reply(status=503, headers={"Retry-After": "86400"}), 300),
    ],
)
async def test_fetch_reports_a_wait_that_does_not_fit(
    server: AuthorizationServer, reply: Reply, seconds: float
) -> None:
    server.replies = [reply]

    failure = await failure_of(spec_for(server))

    assert isinstance(failure, TokenBackoff)
    assert failure.retry_after == seconds
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_fetch_follows_no_redirect(server: AuthorizationServer, status: int) -> None:
    server.replies = [Reply(status=status, headers={"Location": "/elsewhere"})]

    failure = await failure_of(spec_for(server))

    assert isinstance(failure, TokenMalformed)
    assert [seen.target for seen in server.seen] == ["/token"]


async def test_fetch_takes_one_mebibyte_and_not_more(server: AuthorizationServer) -> None:
    right = b'{"access_token": "t", "junk": "' + b"x" * 1_000_000 + b'"}'
    server.replies = [Reply(body=right), Reply(body=right + b" " * 100_000)]

    assert (await fetch(spec_for(server))).token.value.reveal() == "t"
    failure = await failure_of(spec_for(server))

    assert isinstance(failure, TokenMalformed)
    assert failure.detail.endswith("answered with more than 1 MiB")
    assert len(server.seen) == 2


async def test_fetch_ends_at_its_deadline_when_the_server_is_silent(server: AuthorizationServer) -> None:
    server.silent = True
    begun = time.monotonic()

    failure = await failure_of(spec_for(server, Client(timeout_seconds=0.2)))

    assert isinstance(failure, TokenTimeout)
    assert failure.detail == f"localhost:{server.port} gave no token within 0.2 s"
    assert time.monotonic() - begun < 1


async def test_fetch_ends_at_its_deadline_when_the_server_drips(server: AuthorizationServer) -> None:
    server.replies = [Reply(body=b'{"access_token": "t"}' * 100, drip_seconds=0.02)]

    assert isinstance(await failure_of(spec_for(server, Client(timeout_seconds=0.2))), TokenTimeout)


async def test_fetch_survives_many_cancelled_fetches_before_it(server: AuthorizationServer) -> None:
    server.silent = True
    spec, one = spec_for(server), HttpFetch(clock=FakeClock())
    for _ in range(20):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await one(spec)
    server.silent = False

    granted = await one(spec)

    assert granted.token.value.reveal() == f"t{len(server.seen)}"


async def test_fetch_keeps_no_cookies_between_its_attempts(server: AuthorizationServer) -> None:
    """A25."""
    server.replies = [Reply(status=500, headers={"Set-Cookie": "sid=1; Path=/"})]

    await fetch(spec_for(server))

    assert ["cookie" in seen.headers for seen in server.seen] == [False, False]


async def test_fetch_ignores_the_environments_proxy(
    server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert (await fetch(spec_for(server))).token.value.reveal() == "t1"


async def test_fetch_goes_through_the_proxy_it_is_told(server: AuthorizationServer) -> None:
    """A24."""
    proxy = Secret(f"http://user:pass@127.0.0.1:{server.port}")
    spec = a_spec(token_url="http://idp.example/token", client=Client(proxy=proxy))

    await fetch(spec)

    assert server.seen[0].target == "http://idp.example/token"
    assert server.seen[0].headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"


async def test_fetch_tries_the_other_way_when_refused_as_client(server: AuthorizationServer) -> None:
    """A16."""
    server.accepts = frozenset({"post"})

    granted = await fetch(spec_for(server))

    assert granted.attempt.way == "post"
    assert ["authorization" in seen.headers for seen in server.seen] == [True, False]
    assert server.seen[1].form["client_secret"] == "s3cr3t"


async def test_fetch_tries_basic_raw_last_where_it_differs(server: AuthorizationServer) -> None:
    server.accepts, server.decodes_basic, server.client_secret = frozenset({"basic"}), False, "a+b/c%"

    granted = await fetch(spec_for(server, client_secrets=(Secret("a+b/c%"),)))

    assert granted.attempt.way == "basic_raw"
    assert len(server.seen) == 3


async def test_fetch_tries_the_next_secret(server: AuthorizationServer) -> None:
    server.client_secret = "next"
    spec = spec_for(
        server, client_secrets=(Secret("current"), Secret("next")), client_auth="client_secret_basic"
    )

    granted = await fetch(spec)

    assert granted.attempt.secret == Secret("next")
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(status=400, body=b'{"error": "invalid_scope"}'), TokenRejected),
        (Reply(status=401, body=b'{"error": "unauthorized_client"}'), TokenRejected),
        (Reply(status=404), TokenRejected),
        (Reply(status=429), TokenBackoff),
        (Reply(status=200, body=b"<html>"), TokenMalformed),
    ],
)
async def test_fetch_tries_no_other_way_when_the_client_was_not_the_reason(
    server: AuthorizationServer, reply: Reply, expected: type[TokenFailure]
) -> None:
    """C12."""
    server.replies = [reply]

    assert type(await failure_of(spec_for(server))) is expected
    assert len(server.seen) == 1


async def test_fetch_reports_the_refusal_that_names_the_client(server: AuthorizationServer) -> None:
    server.replies = [Reply(status=400)]

    failure = await failure_of(spec_for(server, client_secrets=(Secret("wrong"),)))

    assert isinstance(failure, TokenRejected)
    assert failure.error == "invalid_client"
    assert described(failure) == "who are you?"
    assert len(server.seen) == 2


async def test_fetch_reports_the_first_refusal_where_none_names_the_client(
    server: AuthorizationServer,
) -> None:
    server.replies = [Reply(status=403), Reply(status=401)]

    failure = await failure_of(spec_for(server))

    assert failure.detail == f"localhost:{server.port} refused the token request (403), without an error code"


async def test_fetch_hints_at_raw_credentials_where_that_could_help(server: AuthorizationServer) -> None:
    spec = spec_for(server, client_secrets=(Secret("a+b"),), client_auth="client_secret_basic")

    assert (await failure_of(spec)).hint == (
        "check client_id and client_secret; "
        "some servers read these credentials only with token_request.basic_encoding: raw"
    )


async def test_fetch_spends_one_budget_of_retries_on_all_ways(server: AuthorizationServer) -> None:
    unavailable, refused = Reply(status=500), Reply(status=401)
    server.replies = [unavailable, unavailable, refused, unavailable, unavailable]

    assert isinstance(await failure_of(spec_for(server, Client(max_retries=3))), TokenUnavailable)
    assert len(server.seen) == 5


async def test_fetch_names_what_went_wrong_with_the_connection() -> None:
    async with AuthorizationServer().running() as server:
        url = server.token_url
    client = Client(max_retries=0)

    refused = await failure_of(a_spec(token_url=url, client=client))
    unknown = await failure_of(a_spec(token_url="https://idp.invalid/token?key=k3y", client=client))

    assert refused.detail == f"localhost:{server.port} refused the connection"
    assert unknown.detail == "the name idp.invalid can't be resolved"


async def test_fetch_says_when_the_server_speaks_no_tls() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    failure = await failure_of(
        a_spec(token_url=f"https://localhost:{port}/token", client=Client(max_retries=0))
    )

    server.close()
    assert failure.detail.startswith(f"no TLS connection with localhost:{port}: ")


class Authority:
    """A certificate authority, the TLS of a server of its own, and a client's certificate."""

    def __init__(self) -> None:
        self.ca = trustme.CA()
        self.pem = self.ca.cert_pem.bytes().decode()
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.ca.issue_cert("localhost").configure_cert(self.server)
        client = self.ca.issue_cert("client@example.com")
        self.cert = "".join(blob.bytes().decode() for blob in client.cert_chain_pems)
        self.key = client.private_key_pem.bytes().decode()


def keys_on_disk() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob("clientcreds-key-*"))


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


async def test_fetch_refuses_a_certificate_that_nobody_vouches_for(authority: Authority) -> None:
    async with AuthorizationServer().running(authority.server) as server:
        failure = await failure_of(spec_for(server, Client(max_retries=0)))

    assert isinstance(failure, TokenUnavailable)
    assert failure.detail.startswith(f"the certificate of localhost:{server.port} is not trusted: ")
    assert server.seen == []


async def test_fetch_refuses_a_certificate_of_another_name(authority: Authority) -> None:
    async with AuthorizationServer().running(authority.server) as server:
        url = server.token_url.replace("localhost", "127.0.0.1")
        client = Client(max_retries=0, tls=ClientTls(ca=authority.pem))

        failure = await failure_of(a_spec(token_url=url, client=client))

    assert "is not trusted" in failure.detail


@pytest.mark.parametrize("comment", ["", "# Főtanúsítvány\n"])
async def test_fetch_trusts_the_ca_it_is_given(authority: Authority, comment: str) -> None:
    async with AuthorizationServer().running(authority.server) as server:
        tls = ClientTls(ca=comment + authority.pem)

        assert (await fetch(spec_for(server, Client(tls=tls)))).token.value.reveal() == "t1"


async def test_fetch_skips_verification_only_when_told(authority: Authority) -> None:
    async with AuthorizationServer().running(authority.server) as server:
        tls = ClientTls(insecure_skip_verify=True)

        assert (await fetch(spec_for(server, Client(tls=tls)))).token.value.reveal() == "t1"


async def test_fetch_presents_its_certificate_and_leaves_no_key_on_disk(
    authority: Authority,
) -> None:
    mutual = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority.pem)
    mutual.verify_mode = ssl.CERT_REQUIRED
    authority.ca.issue_cert("localhost").configure_cert(mutual)

    async with AuthorizationServer().running(mutual) as server:
        tls = ClientTls(ca=authority.pem, cert=authority.cert, key=Secret(authority.key))
        granted = await fetch(spec_for(server, Client(tls=tls)))

    assert granted.token.value.reveal() == "t1"
    assert keys_on_disk() == []


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        (ClientTls(ca="nonsense"), "`ca` holds no usable certificate"),
        (ClientTls(cert="nonsense"), "`cert` and `key` are not a certificate and its unencrypted key"),
    ],
)
async def test_fetch_says_which_part_of_tls_is_unusable(tls: ClientTls, words: str) -> None:
    failure = await failure_of(a_spec(client=Client(tls=tls)))

    assert failure.detail == f"no TLS with idp.example.com: {words}"


async def test_sessions_read_a_trust_store_once_for_all_who_share_them(server: AuthorizationServer) -> None:
    sessions = Sessions(clock=FakeClock())

    for _ in range(2):
        await HttpFetch(clock=FakeClock(), sessions=sessions)(spec_for(server))

    assert list(sessions._contexts) == [ClientTls()]


async def test_sessions_keep_no_more_trust_stores_than_there_may_be_sources() -> None:
    authority, sessions = trustme.CA().cert_pem.bytes().decode(), Sessions(clock=FakeClock())
    kinds = [ClientTls(ca=authority + "\n" * number) for number in range(CONTEXTS_KEPT + 1)]

    for tls in kinds:
        async with sessions.open(Client(tls=tls), "idp"):
            pass

    assert list(sessions._contexts) == kinds[1:]


async def test_fetch_sends_the_headers_it_is_told(server: AuthorizationServer) -> None:
    await fetch(spec_for(server, token_request=TokenRequest(headers=(("X-Tenant", "acme"),))))

    assert server.seen[0].headers["x-tenant"] == "acme"


async def test_fetch_leaves_nothing_behind(server: AuthorizationServer) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    server.silent = True

    await failure_of(spec_for(server, Client(timeout_seconds=0.05)))

    gc.collect()
    await asyncio.sleep(0)
    assert told == []


DATE = "Fri, 15 Jan 2027 08:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "-7"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "٣"}, None),
        ({"Retry-After": "9" * 5000}, 999_999_999),
        ({"Retry-After": "Fri, 15 Jan 2027 08:00:20 GMT", "Date": DATE}, 20),
        ({"Retry-After": "Fri, 15 Jan 2027 08:00:20 GMT"}, 20),
        ({"Retry-After": "Fri, 15 Jan 2027 07:00:00 GMT", "Date": DATE}, 0),
        ({"Retry-After": "Fri, 99 Foo 2027"}, None),
    ],
)
async def test_retry_after_is_read_as_seconds_or_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(httpx.Headers(headers, encoding="utf-8"), START.wall) == seconds
