"""Sections 3.6 and 3.7: what of the client's own headers reaches the API."""

from pathlib import Path

import pytest

from tests.proxy.harness import mitmdump
from tests.proxy.lines import dial
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio

LOGIN = "Proxy-Authorization: Basic bWU6c2VjcmV0"


def rules(idp: AuthorizationServer, port: int) -> str:
    """One rule for each way to treat the client's own header."""
    return f"""
version: 1
log: {{format: json}}
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - name: replace
    match: {{host: localhost, port: {port}, path: /replace}}
    token_source: idp
  - name: keep
    match: {{host: localhost, port: {port}, path: /keep}}
    token_source: idp
    attach: {{when_present: keep}}
  - name: refuse
    match: {{host: localhost, port: {port}, path: /refuse}}
    token_source: idp
    attach: {{when_present: refuse}}
  - name: key
    match: {{host: localhost, port: {port}, path: /key}}
    token_source: idp
    attach: {{header: X-Api-Key, scheme: ""}}
"""


async def test_own_header_is_treated_as_the_rule_says(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    """D02, D06, D18."""
    here = f"localhost:{api.port}"
    own = ("Authorization: Basic b3du", "authorization: Bearer another", "AUTHORIZATION:")

    async with mitmdump(rules(idp, api.port), folder=folder) as proxy:
        async with dial(proxy.port) as line:
            with_own = {
                path: await line.get(f"http://{here}/{path}", here, *own)
                for path in ("keep", "refuse", "replace", "key")
            }
            await line.get(f"http://{here}/key", here, "X-Api-Key: own", "x-api-key: two")
            without = [await line.get(f"http://{here}/{path}", here) for path in ("keep", "refuse")]
        lines = await proxy.logged(7)

    assert {path: answer.reason for path, answer in with_own.items()} == {
        "keep": None,
        "refuse": "header_present",
        "replace": None,
        "key": None,
    }
    assert [answer.status for answer in without] == [200, 200]
    assert [
        (request.target, request.all("authorization"), request.all("x-api-key")) for request in api.seen
    ] == [
        ("/keep", ["Basic b3du", "Bearer another", ""], []),
        ("/replace", ["Bearer t1"], []),
        ("/key", ["Basic b3du", "Bearer another", ""], ["t1"]),
        ("/key", [], ["t1"]),
        ("/keep", ["Bearer t1"], []),
        ("/refuse", ["Bearer t1"], []),
    ]
    assert [line["token"] for line in lines] == [
        "kept", "none", "fetched", "cached", "cached", "cached", "cached"
    ]  # fmt: skip


async def test_headers_for_the_proxy_do_not_reach_the_api(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    here = f"localhost:{api.port}"

    async with mitmdump(rules(idp, api.port), folder=folder) as proxy:
        async with dial(proxy.port) as line:
            await line.get(f"http://{here}/replace", here, LOGIN, "Proxy-Connection: keep-alive")
            await line.get(f"http://{here}/keep", here, LOGIN, "Authorization: own")
            await line.get(f"http://{here}/other", here, LOGIN, "Proxy-Connection: keep-alive")
        async with dial(proxy.port) as line:
            await line.connect(here, dict([LOGIN.split(": ")]))
            await line.get("/replace", here, LOGIN)

    assert len(api.seen) == 4
    for request in api.seen:
        assert request.all("proxy-authorization") == []
        assert request.all("proxy-connection") == []


async def test_client_can_not_have_the_token_dropped_by_the_next_hop(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    here = f"localhost:{api.port}"

    async with mitmdump(rules(idp, api.port), folder=folder) as proxy, dial(proxy.port) as line:
        await line.get(
            f"http://{here}/replace",
            here,
            "Connection: keep-alive, authorization, X-Hop",
            "connection: HOST",
            "X-Hop: 1",
            "X-Stays: 1",
        )
        await line.get(f"http://{here}/key", here, "Connection: X-Api-Key")

    replaced, key = api.seen
    assert replaced.all("connection") == ["keep-alive"]
    assert replaced.all("authorization") == ["Bearer t1"]
    assert replaced.all("x-hop") == []
    assert replaced.all("x-stays") == ["1"]
    assert replaced.all("host") == [here]
    assert key.all("connection") == []
    assert key.all("x-api-key") == ["t1"]
