import pytest

from clientcreds_proxy.errors import TokenInvalid
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.clock import SystemClock
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.model import SourceSpec, Token, Verify
from tests.services.conftest import BASIC, OidcProvider

pytestmark = pytest.mark.anyio

RESOURCE = "https://orders.example/"


async def token_of(server: OidcProvider, verify: Verify, *, resource: tuple[str, ...]) -> Token:
    """A token that the server gives: a JWT where it is for a resource, else opaque."""
    spec = SourceSpec(
        name="oidc-provider",
        issuer=server.issuer,
        client_id=BASIC.client_id,
        client_secrets=(Secret(BASIC.client_secret),),
        scopes=("orders:read",),
        resource=resource,
        verify=verify,
    )
    return (await HttpFetch(clock=SystemClock())(spec)).token


async def test_jwt_is_verified_by_the_keys_that_the_server_publishes(oidc_provider: OidcProvider) -> None:
    verify = Verify(issuer=oidc_provider.issuer, audience=(RESOURCE,), scopes_required=("orders:read",))

    token = await token_of(oidc_provider, verify, resource=(RESOURCE,))

    assert token.claims is not None
    assert (token.claims["iss"], token.claims["aud"]) == (oidc_provider.issuer, RESOURCE)


async def test_jwt_for_another_audience_is_refused(oidc_provider: OidcProvider) -> None:
    verify = Verify(issuer=oidc_provider.issuer, audience=("https://billing.example/",))

    with pytest.raises(TokenInvalid, match="for another audience"):
        await token_of(oidc_provider, verify, resource=(RESOURCE,))


async def test_opaque_token_is_introspected(oidc_provider: OidcProvider) -> None:
    verify = Verify(issuer=oidc_provider.issuer, scopes_required=("orders:read",))

    token = await token_of(oidc_provider, verify, resource=())

    assert token.claims is not None
    assert token.claims["active"] is True
    assert token.claims["client_id"] == BASIC.client_id
