"""Group H of the checklist: discovery."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from clientcreds_proxy.errors import (
    TokenBackoff,
    TokenFailure,
    TokenMalformed,
    TokenTimeout,
    TokenUnavailable,
)
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.client_auth import Granted
from clientcreds_proxy.tokens.discovery import Discovery
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.key import cache_key
from clientcreds_proxy.tokens.look import HttpLook
from clientcreds_proxy.tokens.model import Assertion, Client, SourceSpec, SourceWarning
from clientcreds_proxy.tokens.session import Sessions
from tests.simulators.authorization_server import AuthorizationServer, Reply, Seen
from tests.unit.tokens.making import FakeClock, a_spec

pytestmark = pytest.mark.anyio

OIDC = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server() -> AsyncIterator[AuthorizationServer]:
    async with AuthorizationServer().running() as server:
        yield server


def issuer_of(server: AuthorizationServer, path: str = "") -> str:
    return f"http://localhost:{server.port}{path}"


def publish(server: AuthorizationServer, *, at: str = OIDC, path: str = "", **changes: Any) -> None:
    document = {"issuer": issuer_of(server, path), "token_endpoint": server.token_url} | changes
    server.documents[at] = Reply(body=json.dumps(document).encode())


def spec_for(server: AuthorizationServer, *, path: str = "", **changes: Any) -> SourceSpec:
    return a_spec(**({"token_url": "", "issuer": issuer_of(server, path)} | changes))


async def fetch(spec: SourceSpec) -> Granted:
    return await HttpFetch(clock=FakeClock(), chance=lambda: 0)(spec)


async def failure_of(spec: SourceSpec) -> TokenFailure:
    with pytest.raises(TokenFailure) as caught:
        await fetch(spec)
    return caught.value


def targets(seen: list[Seen]) -> list[str]:
    return [f"{request.method} {request.target}" for request in seen]


async def test_metadata_is_looked_for_at_openid_connects_place_first(server: AuthorizationServer) -> None:
    """H02."""
    publish(server, at="/realms/x" + OIDC, path="/realms/x")

    await fetch(spec_for(server, path="/realms/x"))

    assert targets(server.seen) == [f"GET /realms/x{OIDC}", "POST /token"]


@pytest.mark.parametrize(
    "first",
    [
        Reply(status=404),
        Reply(status=403),
        Reply(body=b"<html>we are a single-page application</html>"),
        Reply(status=302, headers={"Location": "/login"}),
    ],
)
async def test_metadata_is_looked_for_at_rfc_8414s_place_next(
    server: AuthorizationServer, first: Reply
) -> None:
    """H02."""
    server.documents["/realms/x" + OIDC] = first
    publish(server, at=OAUTH + "/realms/x", path="/realms/x")

    await fetch(spec_for(server, path="/realms/x"))

    assert targets(server.seen) == [f"GET /realms/x{OIDC}", f"GET {OAUTH}/realms/x", "POST /token"]


async def test_metadata_request_brings_no_credentials(server: AuthorizationServer) -> None:
    """H02, A24 to A26."""
    publish(server)

    await fetch(spec_for(server))

    headers = server.seen[0].headers
    assert headers["accept"] == "application/json"
    assert headers["accept-encoding"] == "identity"
    assert not {"authorization", "cookie", "content-length"} & headers.keys()


async def test_issuer_must_be_identical(server: AuthorizationServer) -> None:
    """H03."""
    publish(server, issuer=issuer_of(server) + "/")

    failure = await failure_of(spec_for(server))

    assert isinstance(failure, TokenMalformed)
    assert f"'{issuer_of(server)}/'" in failure.detail
    assert f"'{issuer_of(server)}';" in failure.detail
    assert [request.method for request in server.seen] == ["GET", "GET"]


async def test_issuer_may_end_in_a_slash(server: AuthorizationServer) -> None:
    """H03: Auth0's does."""
    publish(server, path="/")

    await fetch(spec_for(server, path="/"))

    assert targets(server.seen)[0] == f"GET {OIDC}"


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


@pytest.mark.parametrize(
    ("supported", "ways"),
    [
        (None, ["basic", "post"]),
        (["client_secret_post"], ["post", "basic"]),
        (["client_secret_post", "client_secret_basic"], ["post", "basic"]),
        (["private_key_jwt", "client_secret_basic"], ["basic", "post"]),
        (["private_key_jwt"], ["basic", "post"]),
    ],
)
async def test_supported_methods_decide_the_order_and_nothing_else(
    server: AuthorizationServer, supported: list[str] | None, ways: list[str]
) -> None:
    """H05; contract section 4: servers advertise what they refuse."""
    publish(server, token_endpoint_auth_methods_supported=supported)
    server.accepts = frozenset({ways[1]})

    await fetch(spec_for(server))

    sent = ["basic" if "authorization" in request.headers else "post" for request in server.seen[1:]]
    assert sent == ways


async def test_configured_method_is_not_changed(server: AuthorizationServer) -> None:
    """H05."""
    publish(server, token_endpoint_auth_methods_supported=["client_secret_post"])

    await fetch(spec_for(server, client_auth="client_secret_basic"))

    assert "authorization" in server.seen[1].headers


async def test_method_that_worked_goes_before_the_supported_ones(server: AuthorizationServer) -> None:
    """H05."""
    publish(server, token_endpoint_auth_methods_supported=["client_secret_post"])
    server.accepts = frozenset({"basic"})
    one, spec = HttpFetch(clock=FakeClock()), spec_for(server)
    granted = await one(spec)

    await one(spec, granted.attempt)

    assert "authorization" in server.seen[-1].headers
    assert len(server.seen) == 4


async def test_grant_that_is_not_listed_is_asked_for_all_the_same(server: AuthorizationServer) -> None:
    """H06."""
    publish(server, grant_types_supported=["authorization_code"])
    warnings: list[SourceWarning] = []
    clock = FakeClock()
    discovery = Discovery(clock=clock, look=HttpLook(Sessions(clock=clock)), warn=warnings.append)

    granted = await HttpFetch(clock=clock, discovery=discovery)(spec_for(server))

    assert granted.token.value.reveal() == "t2"
    assert len(warnings) == 1


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


@pytest.mark.parametrize("url", ["http://idp.example.com/token", "https://u:p@idp.example.com/token"])
async def test_endpoint_is_held_to_the_rules_of_token_url(server: AuthorizationServer, url: str) -> None:
    """H08."""
    publish(server, token_endpoint=url)

    failure = await failure_of(spec_for(server))

    assert isinstance(failure, TokenMalformed)
    assert "names a token_endpoint that can't be used" in failure.detail


async def test_unknown_members_and_signed_metadata_are_not_looked_at(server: AuthorizationServer) -> None:
    """H09, H10."""
    publish(server, signed_metadata="nonsense", other=[{}])

    assert (await fetch(spec_for(server))).token.value.reveal() == "t2"


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


async def test_given_endpoint_goes_before_the_issuer(server: AuthorizationServer) -> None:
    """Contract section 2: token_url wins if both are given."""
    await fetch(spec_for(server, token_url=server.token_url))

    assert targets(server.seen) == ["POST /token"]


async def test_assertion_is_for_the_endpoint_that_was_found(server: AuthorizationServer) -> None:
    """E05, for discovery."""
    publish(server)
    spec = spec_for(
        server,
        client_auth="client_secret_jwt",
        client_secrets=(Secret("s" * 32),),
        assertion=Assertion(algorithm="HS256", key=None),
    )

    await failure_of(spec)  # this server knows no assertions

    payload = server.seen[-1].form["client_assertion"].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(payload + "=="))["aud"] == server.token_url


def test_tokens_of_two_issuers_are_kept_apart() -> None:
    """M13."""
    one, other = (a_spec(token_url="", issuer=f"https://{name}.example.com") for name in ("a", "b"))

    assert cache_key(one) != cache_key(other)


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
