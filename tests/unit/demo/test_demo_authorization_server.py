import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.unit.demo.conftest import AUDIENCE, ISSUER, SECRET

pytestmark = pytest.mark.anyio

GRANT = {"grant_type": "client_credentials"}
POST = {**GRANT, "client_id": "app:1", "client_secret": SECRET}
BASIC = (quote("app:1", safe=""), quote(SECRET, safe=""))


@pytest.mark.parametrize(
    "request_of",
    [
        pytest.param({"data": GRANT, "auth": BASIC}, id="basic"),
        pytest.param({"data": POST}, id="post"),
        pytest.param({"json": POST}, id="json"),
    ],
)
async def test_token_endpoint_takes_three_ways_to_authenticate(
    tokens: httpx.AsyncClient, request_of: dict[str, Any]
) -> None:
    answer = await tokens.post("/oauth/token", **request_of)

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["token_type"] == "Bearer"
    assert answer.json()["expires_in"] == 60


async def test_token_is_verifiable_with_the_published_keys(tokens: httpx.AsyncClient) -> None:
    token = (await tokens.post("/oauth/token", data={**POST, "scope": "read"})).json()["access_token"]
    keys = KeySet.import_key_set((await tokens.get("/.well-known/jwks.json")).json())

    claims = jwt.decode(token, keys, algorithms=["ES256"]).claims

    assert {name: claims[name] for name in ("iss", "aud", "sub", "scope")} == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "app:1",
        "scope": "read",
    }
    assert claims["exp"] - claims["iat"] == 60


async def test_jwks_holds_no_private_key(tokens: httpx.AsyncClient) -> None:
    keys = (await tokens.get("/.well-known/jwks.json")).json()["keys"]

    assert [key["kty"] for key in keys] == ["EC"]
    assert not any("d" in key for key in keys)


@pytest.mark.parametrize(
    ("request_of", "expected"),
    [
        ({"data": {**POST, "client_secret": "wrong"}}, (401, "invalid_client")),
        ({"data": {**POST, "client_id": "nobody"}}, (401, "invalid_client")),
        ({"data": GRANT}, (401, "invalid_client")),
        ({"data": GRANT, "headers": {"Authorization": "Basic ???"}}, (401, "invalid_client")),
        ({"data": GRANT, "headers": {"Authorization": "Bearer abcd"}}, (401, "invalid_client")),
        ({"data": POST, "auth": BASIC}, (400, "invalid_request")),
        ({"data": {**POST, "grant_type": ""}}, (400, "invalid_request")),
        ({"data": {**POST, "grant_type": "password"}}, (400, "unsupported_grant_type")),
        ({"data": {**POST, "scope": "read admin"}}, (400, "invalid_scope")),
        ({"data": {**POST, "audience": "https://other.example/"}}, (403, "access_denied")),
        ({"data": {**POST, "scope": ["read", "write"]}}, (400, "invalid_request")),
        ({"json": [POST]}, (400, "invalid_request")),
        ({"json": {**POST, "scope": 1}}, (400, "invalid_request")),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, (400, "invalid_request")),
        ({"content": b"a=b", "headers": {"Content-Type": "text/plain"}}, (400, "invalid_request")),
        (
            {"content": b"a=%ff", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            (400, "invalid_request"),
        ),
    ],
)
async def test_token_endpoint_answers_with_the_error_of_rfc_6749(
    tokens: httpx.AsyncClient, request_of: dict[str, Any], expected: tuple[int, str]
) -> None:
    answer = await tokens.post("/oauth/token", **request_of)

    assert (answer.status_code, answer.json()["error"]) == expected


async def test_token_endpoint_challenges_whoever_used_basic(tokens: httpx.AsyncClient) -> None:
    """RFC 6749 §5.2: the challenge has the scheme that the client used."""
    with_basic = await tokens.post("/oauth/token", data=GRANT, auth=("app:1", "wrong"))
    with_post = await tokens.post("/oauth/token", data={**POST, "client_secret": "wrong"})

    assert with_basic.headers["WWW-Authenticate"].startswith("Basic ")
    assert "WWW-Authenticate" not in with_post.headers


async def test_stats_count_requests_and_tokens(tokens: httpx.AsyncClient) -> None:
    await tokens.post("/oauth/token", data=POST)
    await tokens.post("/oauth/token", data=GRANT)

    assert json.loads((await tokens.get("/stats")).text) == {"token_requests": 2, "tokens_issued": 1}
