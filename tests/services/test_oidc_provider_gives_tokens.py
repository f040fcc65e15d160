import pytest

from clientcreds_proxy.errors import TokenRejected
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.clock import SystemClock
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.model import ClientAuth, SourceSpec, TokenRequest
from clientcreds_proxy.tokens.proof.client_auth import Granted
from tests.services.conftest import BASIC, POST, SPECIAL, Client, OidcProvider

pytestmark = pytest.mark.anyio

RESOURCE = "https://orders.example/"


async def fetch(
    server: OidcProvider,
    client: Client,
    *,
    client_auth: ClientAuth = "auto",
    secret: str | None = None,
    token_request: TokenRequest | None = None,
) -> Granted:
    spec = SourceSpec(
        name="oidc-provider",
        token_url=server.token_url,
        client_id=client.client_id,
        client_secrets=(Secret(secret or client.client_secret),),
        client_auth=client_auth,
        scopes=("orders:read",),
        resource=(RESOURCE,),
        token_request=token_request or TokenRequest(),
    )
    return await HttpFetch(clock=SystemClock())(spec)


@pytest.mark.parametrize("client", [BASIC, POST, SPECIAL], ids=lambda client: client.client_id)
async def test_auto_client_auth_gets_a_token(oidc_provider: OidcProvider, client: Client) -> None:
    granted = await fetch(oidc_provider, client)

    assert granted.token.value.reveal().count(".") == 2
    assert granted.token.lifetime == 600
    assert granted.token.scope == ("orders:read",)


@pytest.mark.parametrize("client_auth", ["client_secret_basic", "client_secret_post"])
async def test_a_secret_of_special_characters_arrives(
    oidc_provider: OidcProvider, client_auth: ClientAuth
) -> None:
    """RFC 6749 §2.3.1: both parts of Basic credentials are form-encoded first."""
    granted = await fetch(oidc_provider, SPECIAL, client_auth=client_auth)

    assert granted.token.token_type == "Bearer"


async def test_a_secret_of_special_characters_needs_the_encoding(oidc_provider: OidcProvider) -> None:
    """The server is a strict one: sent raw, the same secret is refused."""
    raw = TokenRequest(basic_encoding="raw")

    with pytest.raises(TokenRejected):
        await fetch(oidc_provider, SPECIAL, client_auth="client_secret_basic", token_request=raw)


async def test_a_wrong_secret_is_rejected_with_the_servers_code(oidc_provider: OidcProvider) -> None:
    with pytest.raises(TokenRejected) as refused:
        await fetch(oidc_provider, BASIC, secret="another")

    assert refused.value.error == "invalid_client"
