from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from clientcreds_proxy.demo.api import ProtectedApi
from clientcreds_proxy.demo.authorization_server import AuthorizationServer, RegisteredClient
from clientcreds_proxy.demo.listening import listening
from clientcreds_proxy.secret import Secret

ISSUER = "https://login.example/"
AUDIENCE = "https://orders.example/"
SECRET = "p%ss: w+rd"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def authorization_server() -> AuthorizationServer:
    client = RegisteredClient(
        client_id="app:1", client_secret=Secret(SECRET), audience=AUDIENCE, scopes=("read", "write")
    )
    return AuthorizationServer(issuer=ISSUER, clients=[client], lifetime_seconds=60)


@pytest.fixture
async def tokens(authorization_server: AuthorizationServer) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks to the authorization server."""
    async with listening(authorization_server.application()) as url, client_of(url) as client:
        yield client


@pytest.fixture
async def api(authorization_server: AuthorizationServer) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks to the API, with a token."""
    protected = ProtectedApi(keys=authorization_server.public_keys, issuer=ISSUER, audience=AUDIENCE)
    async with listening(protected.application()) as url, client_of(url) as client:
        client.headers["Authorization"] = f"Bearer {a_token(authorization_server)}"
        client.headers["Accept"] = "application/json"
        yield client


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        yield client


def a_token(server: AuthorizationServer) -> str:
    return str(server.answer({"grant_type": "client_credentials"}, ("app:1", SECRET))["access_token"])
