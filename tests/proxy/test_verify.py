"""`verify` through the proxy: 502 `token_invalid`, remembered, and never a token that failed."""

import json
from pathlib import Path

import pytest

from tests.proxy.harness import mitmdump
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer, Reply, Seen
from tests.unit.tokens.jwts import jwks, jwt, public_jwk
from tests.unit.tokens.signing import P256, RSA

pytestmark = pytest.mark.anyio

CLAIMS = {"aud": "https://api.example.com", "exp": 4_000_000_000, "grp": "admin"}


def answer(request: Seen) -> Reply:
    if request.target == "/introspect":
        return Reply(body=b'{"active": true, "grp": "admin"}')
    token = "opaque" if "opaque" in request.form["scope"] else jwt(CLAIMS)
    return Reply(body=json.dumps({"access_token": token, "token_type": "Bearer"}).encode())


async def test_token_that_fails_is_refused_and_remembered(
    api: Api, idp: AuthorizationServer, folder: Path
) -> None:
    idp.answers = answer
    here = f"http://localhost:{idp.port}"
    idp.documents = {
        "/jwks": Reply(body=jwks(public_jwk(RSA, kid="k1"))),
        "/others": Reply(body=jwks(public_jwk(P256, kid="k1"))),
    }
    verify = {
        "good": {"jwks_url": f"{here}/jwks", "audience": CLAIMS["aud"]},
        "forged": {"jwks_url": f"{here}/others"},
        "elsewhere": {"jwks_url": f"{here}/jwks", "audience": "https://other.example"},
        "opaque": {"introspection_url": f"{here}/introspect"},
    }
    own = {"token_url": idp.token_url, "client_id": "app", "client_secret": "s3cr3t"}
    sources = {name: own | {"scopes": [name], "verify": keys} for name, keys in verify.items()}
    rules = [
        {"name": name, "match": {"host": "localhost", "port": "any", "path": f"/{name}"}}
        | {"token_source": name, "claims": "Equals(`grp`, `admin`)"}
        for name in verify
    ]
    text = json.dumps({"version": 1, "token_sources": sources, "rules": rules})

    async with mitmdump(text, folder=folder) as proxy, proxy.client() as client:
        answers = {name: await client.get(f"http://localhost:{api.port}/{name}") for name in verify}
        again = await client.get(f"http://localhost:{api.port}/forged")
        await proxy.said("by a key that its issuer does not publish")

    assert {name: response.status_code for name, response in answers.items()} == {
        "good": 200,
        "forged": 502,
        "elsewhere": 502,
        "opaque": 200,
    }
    assert answers["forged"].json()["reason"] == answers["elsewhere"].json()["reason"] == "token_invalid"
    assert answers["elsewhere"].json()["detail"] == "the token is for another audience"
    assert again.json()["reason"] == "token_backoff"
    assert [request.target for request in api.seen] == ["/good", "/opaque"]
    assert "eyJ" not in proxy.output
