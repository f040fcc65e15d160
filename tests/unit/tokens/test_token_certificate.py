"""Clients that prove themselves by the certificate of the connection (RFC 8705 §2)."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from clientcreds_proxy.errors import TokenUnavailable
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.clock import SystemClock
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.model import Client, ClientTls, SourceSpec
from tests.simulators.authorization_server import AuthorizationServer
from tests.unit.tokens.making import a_spec

pytestmark = pytest.mark.anyio

AUTHORITY = trustme.CA()


def strict(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    AUTHORITY.issue_cert("localhost").configure_cert(context)
    AUTHORITY.configure_trust(context)
    return context


@asynccontextmanager
async def asking_for_certificates(version: ssl.TLSVersion) -> AsyncIterator[AuthorizationServer]:
    async with AuthorizationServer(accepts=frozenset({"name"})).running(strict(version)) as server:
        yield server


def with_certificate(server: AuthorizationServer, own: trustme.LeafCert | None) -> SourceSpec:
    cert = key = None
    if own is not None:
        cert = "".join(blob.bytes().decode() for blob in own.cert_chain_pems)
        key = Secret(own.private_key_pem.bytes().decode())
    tls = ClientTls(ca=AUTHORITY.cert_pem.bytes().decode(), cert=cert, key=key)
    return a_spec(
        token_url=server.token_url,
        client_auth="tls_client_auth",
        client_secrets=(),
        client=Client(tls=tls, max_retries=0),
    )


VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@VERSIONS
async def test_certificate_proves_the_client_that_the_request_names(version: ssl.TLSVersion) -> None:
    """F01."""
    async with asking_for_certificates(version) as server:
        spec = with_certificate(server, AUTHORITY.issue_cert("client.example"))
        granted = await HttpFetch(clock=SystemClock())(spec)

    assert granted.token.value.reveal() == "t1"
    assert server.seen[0].form == {"grant_type": "client_credentials", "client_id": "app"}
    assert "authorization" not in server.seen[0].headers


def refuse_one(listener: socket.socket, version: ssl.TLSVersion) -> None:
    """A handshake by hand: asyncio's servers close the connection without a word."""
    connection, _ = listener.accept()
    guarded = strict(version).wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
    with suppress(ssl.SSLError):
        guarded.do_handshake()
    with socket.socket(fileno=guarded.detach()) as plain:
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(65_536):
            pass


EXPIRED = datetime.now(UTC) - timedelta(days=1)
REFUSED = "the server does not accept our client certificate"
CERTIFICATES = pytest.mark.parametrize(
    ("own", "hint"),
    [
        (None, "want a client certificate: set client.tls.cert and key"),
        (trustme.CA().issue_cert("client.example"), REFUSED),
        (AUTHORITY.issue_cert("client.example", not_after=EXPIRED), REFUSED),
    ],
    ids=["none", "of another authority", "expired"],
)


@VERSIONS
@CERTIFICATES
async def test_certificate_that_the_server_refuses_is_named(
    version: ssl.TLSVersion, own: trustme.LeafCert | None, hint: str
) -> None:
    """F07."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        refusing = asyncio.create_task(asyncio.to_thread(refuse_one, listener, version))
        server = AuthorizationServer(scheme="https", port=listener.getsockname()[1])
        with pytest.raises(TokenUnavailable) as failed:
            await HttpFetch(clock=SystemClock())(with_certificate(server, own))
        await refusing

    assert failed.value.detail.startswith(f"no TLS connection with localhost:{server.port}: ")
    assert " alert " in failed.value.detail
    assert hint in (failed.value.hint or "").replace("wants", "want")


@VERSIONS
async def test_certificate_may_be_why_the_server_hung_up(version: ssl.TLSVersion) -> None:
    """F07: not a bare EOF."""
    stranger = trustme.CA().issue_cert("client.example")
    async with asking_for_certificates(version) as server:
        with pytest.raises(TokenUnavailable) as failed:
            await HttpFetch(clock=SystemClock())(with_certificate(server, stranger))

    assert (failed.value.hint or "").startswith("the server may not accept our client certificate")


async def test_certificate_of_ours_relaxes_nothing() -> None:
    """F06."""
    async with asking_for_certificates(ssl.TLSVersion.TLSv1_3) as server:
        spec = with_certificate(server, AUTHORITY.issue_cert("client.example"))
        distrusting = ClientTls(cert=spec.client.tls.cert, key=spec.client.tls.key)
        other = with_certificate(server, None)
        with pytest.raises(TokenUnavailable) as failed:
            await HttpFetch(clock=SystemClock())(
                a_spec(token_url=other.token_url, client=Client(tls=distrusting, max_retries=0))
            )

    assert "is not trusted" in failed.value.detail
    assert server.seen == []
