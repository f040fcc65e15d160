"""Group H of the checklist, and what A, C promise for its requests: bounds, failures, keeping."""

import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from clientcreds_proxy.errors import (
    TokenBackoff,
    TokenFailure,
    TokenMalformed,
    TokenTimeout,
    TokenUnavailable,
)
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.model import Client, ClientTls
from clientcreds_proxy.tokens.server.discovery import Discovery
from clientcreds_proxy.tokens.server.look import HttpLook
from clientcreds_proxy.tokens.server.session import Sessions
from tests.conformance.discovering import (
    OAUTH,
    OIDC,
    failure_of,
    fetch,
    issuer_of,
    publish,
    spec_for,
    targets,
)
from tests.simulators.authorization_server import AuthorizationServer, Reply
from tests.simulators.parent_proxy import ParentProxy
from tests.unit.tokens.making import FakeClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server() -> AsyncIterator[AuthorizationServer]:
    async with AuthorizationServer().running() as server:
        yield server


async def test_metadata_request_brings_no_credentials(server: AuthorizationServer) -> None:
    """H02, A24 to A26."""
    publish(server)

    await fetch(spec_for(server))

    headers = server.seen[0].headers
    assert headers["accept"] == "application/json"
    assert headers["accept-encoding"] == "identity"
    assert not {"authorization", "cookie", "content-length"} & headers.keys()


async def test_metadata_of_more_than_256_kib_is_not_read(server: AuthorizationServer) -> None:
    """H04."""
    publish(server, junk="x" * 256 * 1024)

    failure = await failure_of(spec_for(server))

    assert isinstance(failure, TokenMalformed)
    assert failure.detail == f"localhost:{server.port} answered with more than 256 KiB"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(server: AuthorizationServer, status: int) -> None:
    """H04."""
    publish(server, at="/elsewhere")
    server.documents[OIDC] = Reply(status=status, headers={"Location": "/elsewhere"})

    failure = await failure_of(spec_for(server))

    assert isinstance(failure, TokenMalformed)
    assert failure.detail.endswith(f"{OIDC} answered {status}, expected 200; redirects are never followed")
    assert "GET /elsewhere" not in targets(server.seen)


async def test_metadata_comes_with_status_200(server: AuthorizationServer) -> None:
    """H04."""
    publish(server)
    server.documents[OIDC].status = 203

    assert isinstance(await failure_of(spec_for(server)), TokenMalformed)


async def test_missing_metadata_is_said_with_both_places(server: AuthorizationServer) -> None:
    """H02, H04."""
    failure = await failure_of(spec_for(server, path="/realms/x"))

    assert isinstance(failure, TokenMalformed)
    assert failure.detail == (
        f"localhost:{server.port} has no metadata at {issuer_of(server)}/realms/x{OIDC} "
        f"nor at {issuer_of(server)}{OAUTH}/realms/x; expected its issuer, or a token_url instead"
    )


async def test_metadata_is_kept_within_bounds(server: AuthorizationServer) -> None:
    """H07."""
    publish(server)
    server.documents[OIDC].headers = {"Cache-Control": "max-age=1"}
    clock = FakeClock()
    one, spec = HttpFetch(clock=clock), spec_for(server)

    for seconds, looks in ((0, 1), (299, 1), (1, 2)):
        clock.advance(seconds)
        await one(spec)
        assert targets(server.seen).count(f"GET {OIDC}") == looks


async def test_old_metadata_serves_on(server: AuthorizationServer) -> None:
    """H07."""
    publish(server)
    clock = FakeClock()
    one, spec = HttpFetch(clock=clock, chance=lambda: 0), spec_for(server)
    await one(spec)
    server.documents.clear()
    clock.advance(86_400)

    assert (await one(spec)).token.value.reveal()


async def test_ill_server_is_asked_for_its_metadata_again(server: AuthorizationServer) -> None:
    """C06, for discovery."""
    publish(server)
    server.replies = [Reply(status=500), Reply(cut=True)]

    assert (await fetch(spec_for(server))).token.value.reveal() == "t4"


async def test_server_that_stays_ill_is_unavailable(server: AuthorizationServer) -> None:
    """C06, for discovery."""
    server.replies = [Reply(status=500)] * 9

    failure = await failure_of(spec_for(server, client=Client(max_retries=2)))

    assert isinstance(failure, TokenUnavailable)
    assert failure.detail == f"{issuer_of(server)}{OIDC} answered 500"
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [(Reply(status=429), 30), (Reply(status=503, headers={"Retry-After": "7"}), 7)],
)
async def test_pause_that_the_server_asks_for_is_kept(
    server: AuthorizationServer, reply: Reply, seconds: float
) -> None:
    """C07, for discovery."""
    server.replies = [reply]

    failure = await failure_of(spec_for(server))

    assert isinstance(failure, TokenBackoff)
    assert failure.retry_after == seconds
    assert len(server.seen) == 1


async def test_server_that_is_down_is_unavailable(server: AuthorizationServer) -> None:
    """H07: lazy, nothing is asked before a token is."""
    spec = spec_for(server, issuer="http://localhost:9", client=Client(max_retries=0))

    failure = await failure_of(spec)

    assert isinstance(failure, TokenUnavailable)
    assert failure.detail == "localhost:9 refused the connection"


async def test_deadline_bounds_the_metadata_too(server: AuthorizationServer) -> None:
    """A27: one deadline for all of it."""
    server.silent = True

    failure = await failure_of(spec_for(server, client=Client(timeout_seconds=0.05)))

    assert isinstance(failure, TokenTimeout)
    assert failure.detail == f"localhost:{server.port} gave no token within 0.05 s"


@pytest.mark.parametrize("reply", [Reply(status=404), Reply(status=308), Reply(body=b"<html>gone</html>")])
async def test_endpoint_that_is_gone_is_looked_for_again(server: AuthorizationServer, reply: Reply) -> None:
    """H07, H08: the server moved it before its Cache-Control let us look."""
    publish(server)
    server.documents[OIDC].headers = {"Cache-Control": "max-age=86400"}
    clock = FakeClock()
    one, spec = HttpFetch(clock=clock), spec_for(server)
    await one(spec)
    clock.advance(60)
    server.replies = [reply]
    with pytest.raises(TokenFailure):
        await one(spec)

    await one(spec)

    assert targets(server.seen) == [f"GET {OIDC}", "POST /token", "POST /token", f"GET {OIDC}", "POST /token"]


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [(Reply(status=404), 59), (Reply(status=401, body=b'{"error":"invalid_client"}'), 60)],
)
async def test_endpoint_is_not_looked_for_at_every_failure(
    server: AuthorizationServer, reply: Reply, seconds: float
) -> None:
    """H07."""
    publish(server)
    clock = FakeClock()
    one, spec = HttpFetch(clock=clock), spec_for(server, client_auth="client_secret_basic")
    await one(spec)
    clock.advance(seconds)
    server.replies = [reply]
    with pytest.raises(TokenFailure):
        await one(spec)

    await one(spec)

    assert targets(server.seen).count(f"GET {OIDC}") == 1


async def test_metadata_is_fetched_with_the_sources_trust() -> None:
    """A09, for discovery; what one source took unverified is not another one's truth."""
    ca, tls = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost").configure_cert(tls)
    async with AuthorizationServer().running(tls) as server:
        issuer = f"https://localhost:{server.port}"
        publish(server, issuer=issuer)
        clock = FakeClock()
        discovery = Discovery(clock=clock, look=HttpLook(Sessions(clock=clock)))
        one = HttpFetch(clock=clock, discovery=discovery)
        careless, trusting, unknowing = (
            spec_for(server, issuer=issuer, client=Client(max_retries=0, tls=tls))
            for tls in (
                ClientTls(insecure_skip_verify=True),
                ClientTls(ca=ca.cert_pem.bytes().decode()),
                ClientTls(),
            )
        )

        await one(careless)
        await one(trusting)
        with pytest.raises(TokenUnavailable, match="is not trusted"):
            await one(unknowing)

        assert targets(server.seen).count(f"GET {OIDC}") == 2


async def test_metadata_is_fetched_through_the_sources_proxy(server: AuthorizationServer) -> None:
    """A24, for discovery."""
    publish(server)
    async with ParentProxy().running() as parent:
        spec = spec_for(server, client=Client(proxy=Secret(f"http://127.0.0.1:{parent.port}"), max_retries=0))

        await failure_of(spec)  # this proxy answers plain requests itself

    assert [request.target for request in parent.seen] == [
        f"{issuer_of(server)}{OIDC}",
        f"{issuer_of(server)}{OAUTH}",
    ]
    assert server.seen == []
