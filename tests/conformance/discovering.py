"""What the tests of discovery are made of."""

import json
from typing import Any

import pytest

from clientcreds_proxy.errors import TokenFailure
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.model import SourceSpec
from clientcreds_proxy.tokens.proof.client_auth import Granted
from tests.simulators.authorization_server import AuthorizationServer, Reply, Seen
from tests.unit.tokens.making import FakeClock, a_spec

OIDC = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"


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
