"""The two servers that config/demo.yaml is written for, in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from clientcreds_proxy.demo.api import ProtectedApi
from clientcreds_proxy.demo.authorization_server import AuthorizationServer, RegisteredClient
from clientcreds_proxy.demo.listening import listening
from clientcreds_proxy.secret import Secret

CHECKOUT = Path(__file__).parents[3]
SCRIPT = CHECKOUT / "addon" / "clientcreds.py"
CONFIG = CHECKOUT / "config" / "demo.yaml"
SECRET_FILE = CHECKOUT / "config" / "demo-secret.txt"

AUTHORIZATION_SERVER_PORT = 18081
API_PORT = 18082
PROXY_PORT = 8080

ISSUER = "https://login.example/"
AUDIENCE = "https://orders.example/"
CLIENT_ID = "demo-app"


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Where the two servers listen."""

    authorization_server: str  # a base URL, without a slash at its end
    api: str


@asynccontextmanager
async def servers(
    *, authorization_server_port: int, api_port: int, lifetime_seconds: int = 300
) -> AsyncIterator[Servers]:
    """Both servers, with the demo's one client; a port that is taken is an `OSError`."""
    client = RegisteredClient(
        client_id=CLIENT_ID,
        client_secret=Secret(SECRET_FILE.read_text().removesuffix("\n")),
        audience=AUDIENCE,
        scopes=("orders:read",),
    )
    authorization = AuthorizationServer(issuer=ISSUER, clients=[client], lifetime_seconds=lifetime_seconds)
    api = ProtectedApi(keys=authorization.public_keys, issuer=ISSUER, audience=AUDIENCE)
    async with (
        listening(authorization.application(), port=authorization_server_port) as authorization_url,
        listening(api.application(), port=api_port) as api_url,
    ):
        yield Servers(authorization_server=authorization_url, api=api_url)
