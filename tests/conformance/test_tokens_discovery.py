"""Group H of the checklist: discovery."""

import base64
import json
from collections.abc import AsyncIterator

import pytest

from clientcreds_proxy.errors import (
    TokenMalformed,
)
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.keeping.key import cache_key
from clientcreds_proxy.tokens.model import Assertion, SourceWarning
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
from tests.unit.tokens.making import FakeClock, a_spec

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server() -> AsyncIterator[AuthorizationServer]:
    async with AuthorizationServer().running() as server:
        yield server


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
