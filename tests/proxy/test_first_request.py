from pathlib import Path

import pytest

from tests.proxy.harness import mitmdump
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio


def rules(idp: AuthorizationServer, port: int, extra: str = "") -> str:
    """One source, one rule for loopback."""
    return f"""
version: 1
log: {{format: json}}
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - name: api
    match: {{host: [localhost, 127.0.0.1], port: {port}}}
    token_source: idp
{extra}
"""


async def test_proxy_attaches_one_token_to_many_requests(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    """D01."""
    async with mitmdump(rules(idp, api.port), folder=folder) as proxy, proxy.client() as client:
        answers = [await client.get(f"http://localhost:{api.port}/a?b=c") for _ in range(3)]
        lines = await proxy.logged(3)

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert api.tokens == ["Bearer t1"] * 3
    assert len(idp.seen) == 1
    assert [line["token"] for line in lines] == ["fetched", "cached", "cached"]
    assert lines[0]["path"] == "/a"


async def test_proxy_attaches_a_token_inside_tls(
    idp: AuthorizationServer, tls_api: Api, trusted: Path, folder: Path
) -> None:
    """D01."""
    option = f"ssl_verify_upstream_trusted_ca={trusted}"
    async with (
        mitmdump(rules(idp, tls_api.port), "--set", option, folder=folder) as proxy,
        proxy.client() as client,
    ):
        answer = await client.get(f"https://localhost:{tls_api.port}/a")

    assert answer.status_code == 200
    assert tls_api.tokens == ["Bearer t1"]


async def test_proxy_sends_a_request_once_more_after_a_401(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    """D10."""
    api.unauthorized.add("Bearer t1")

    async with mitmdump(rules(idp, api.port), folder=folder) as proxy, proxy.client() as client:
        answer = await client.post(f"http://localhost:{api.port}/a", content=b"body")
        lines = await proxy.logged(1)

    assert answer.status_code == 200
    assert api.tokens == ["Bearer t1", "Bearer t2"]
    assert [request.body for request in api.seen] == [b"body", b"body"]
    assert lines[0]["token"] == "retried"
