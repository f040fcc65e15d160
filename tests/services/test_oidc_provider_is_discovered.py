import pytest

from clientcreds_proxy.errors import TokenMalformed
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.clock import SystemClock
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.model import SourceSpec
from tests.services.conftest import BASIC, OidcProvider

pytestmark = pytest.mark.anyio


def source(issuer: str) -> SourceSpec:
    return SourceSpec(
        name="oidc-provider",
        issuer=issuer,
        client_id=BASIC.client_id,
        client_secrets=(Secret(BASIC.client_secret),),
        scopes=("orders:read",),
        resource=("https://orders.example/",),
    )


async def test_token_endpoint_is_found_from_the_issuer(oidc_provider: OidcProvider) -> None:
    """H02."""
    granted = await HttpFetch(clock=SystemClock())(source(oidc_provider.issuer))

    assert granted.token.lifetime == 600


async def test_issuer_with_a_slash_is_another_one(oidc_provider: OidcProvider) -> None:
    """H03."""
    with pytest.raises(TokenMalformed, match="they must be equal, a trailing slash included"):
        await HttpFetch(clock=SystemClock())(source(oidc_provider.issuer + "/"))
