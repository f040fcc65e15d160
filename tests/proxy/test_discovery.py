import json
from pathlib import Path

import pytest

from tests.proxy.harness import free_port, mitmdump
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer, Reply

pytestmark = pytest.mark.anyio

PLACE = "/.well-known/openid-configuration"


def rules(source: str, port: int) -> str:
    return f"""
version: 1
log: {{format: json}}
token_sources:
  idp: {{client_id: app, client_secret: s3cr3t, {source}}}
rules:
  - name: api
    match: {{host: localhost, port: {port}}}
    token_source: idp
"""


def publish(idp: AuthorizationServer, **changes: object) -> str:
    """Publish the server's metadata; its issuer."""
    issuer = f"http://localhost:{idp.port}"
    document = {"issuer": issuer, "token_endpoint": idp.token_url} | changes
    idp.documents[PLACE] = Reply(body=json.dumps(document).encode())
    return issuer


async def test_proxy_finds_the_token_endpoint_once(idp: AuthorizationServer, api: Api, folder: Path) -> None:
    issuer = publish(idp, grant_types_supported=["authorization_code"])

    config = rules(f"issuer: '{issuer}'", api.port)
    async with mitmdump(config, folder=folder) as proxy, proxy.client() as client:
        answers = [await client.get(f"http://localhost:{api.port}/") for _ in range(3)]
        await proxy.said("does not name client_credentials among its grant_types_supported")

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert api.tokens == ["Bearer t2"] * 3
    assert [seen.target for seen in idp.seen] == [PLACE, "/token"]
    (line,) = [json.loads(line) for line in proxy.lines if "grant_types_supported" in line]
    assert (line["level"], line["token_source"]) == ("warning", "idp")


async def test_proxy_starts_while_the_server_is_down(api: Api, folder: Path) -> None:
    """H07."""
    idp = AuthorizationServer(port=await free_port())
    config = rules(f"issuer: 'http://localhost:{idp.port}', client: {{max_retries: 0}}", api.port)

    async with mitmdump(config, folder=folder) as proxy, proxy.client() as client:
        down = await client.get(f"http://localhost:{api.port}/")
        async with idp.running():
            publish(idp)
            up = await client.get(f"http://localhost:{api.port}/")

    assert (down.status_code, down.json()["reason"]) == (502, "token_unavailable")
    assert down.json()["detail"] == f"localhost:{idp.port} refused the connection"
    assert up.status_code == 200


async def test_proxy_says_both_issuers_where_they_differ(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    """H03."""
    issuer = publish(idp, issuer=f"http://localhost:{idp.port}/")

    config = rules(f"issuer: '{issuer}'", api.port)
    async with mitmdump(config, folder=folder) as proxy, proxy.client() as client:
        answer = await client.get(f"http://localhost:{api.port}/")

    assert (answer.status_code, answer.json()["reason"]) == (502, "token_malformed")
    assert f"'{issuer}/'" in answer.json()["detail"]
    assert f"'{issuer}';" in answer.json()["detail"]
    assert api.seen == []


async def test_preset_decides_how_a_token_leaves(idp: AuthorizationServer, api: Api, folder: Path) -> None:
    config = rules(f"preset: shopify, token_url: '{idp.token_url}'", api.port)

    async with mitmdump(config, folder=folder) as proxy, proxy.client() as client:
        await client.get(f"http://localhost:{api.port}/")

    (seen,) = api.seen
    assert seen.one("x-shopify-access-token") == "t1"
    assert seen.one("authorization") is None
    assert "authorization" not in idp.seen[0].headers


async def test_preset_brings_the_headers_that_the_api_wants(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    config = rules(f"preset: twitch, token_url: '{idp.token_url}'", api.port)

    async with mitmdump(config, folder=folder) as proxy, proxy.client() as client:
        await client.get(f"http://localhost:{api.port}/", headers={"Client-Id": "mine"})

    assert api.seen[0].one("client-id") == "app"
    assert api.tokens == ["Bearer t1"]
