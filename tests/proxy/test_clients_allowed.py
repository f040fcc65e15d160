"""Who may use the proxy, and who a rule: `allowed_clients` by address and by user of `proxyauth`."""

import base64
from pathlib import Path

import pytest

from tests.proxy.harness import mitmdump
from tests.proxy.lines import dial
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio

FRIEND, STRANGER = "127.0.0.1", "127.0.0.2"


def rules(idp: AuthorizationServer, *ports: int, proxy: str, rule: str) -> str:
    """`allowed_clients` of the proxy and of the one rule, which is for `/ruled`."""
    return f"""
version: 1
log: {{format: json}}
allowed_clients: {proxy}
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - name: api
    match: {{host: localhost, port: {list(ports)}, path: /ruled}}
    token_source: idp
    allowed_clients: {rule}
"""


def login(user: str) -> str:
    """A header for `proxyauth`."""
    return f"Proxy-Authorization: Basic {base64.b64encode(f'{user}:x'.encode()).decode()}"


async def test_stranger_gets_nothing_from_a_proxy_that_is_not_his(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    here, elsewhere = f"localhost:{api.port}", f"127.0.0.1:{api.port}"
    text = rules(idp, api.port, proxy="[127.0.0.1/32]", rule="[127.0.0.0/8]")

    async with mitmdump(text, folder=folder) as proxy:
        async with dial(proxy.port, source=STRANGER) as line:
            plain = [await line.get(f"http://{name}/ruled", name) for name in (here, elsewhere)]
            connects = [await line.connect(name) for name in (here, elsewhere)]
        async with dial(proxy.port, source=FRIEND) as line:
            friend = await line.get(f"http://{here}/ruled", here)

    assert [(answer.status, answer.reason) for answer in plain] == [(403, "client_denied")] * 2
    assert [(answer.status, answer.phrase) for answer in connects] == [
        (403, "clientcreds: client_denied")
    ] * 2
    assert connects[0].reason == "client_denied"
    assert friend.status == 200
    assert api.tokens == ["Bearer t1"]


async def test_stranger_gets_no_token_from_a_rule_that_is_not_his(
    idp: AuthorizationServer, api: Api, tls_api: Api, *, trusted: Path, folder: Path
) -> None:
    here, secure = f"localhost:{api.port}", f"localhost:{tls_api.port}"
    text = rules(idp, api.port, tls_api.port, proxy="[127.0.0.0/8]", rule="[127.0.0.1]")
    option = f"ssl_verify_upstream_trusted_ca={trusted}"

    async with mitmdump(text, "--set", option, folder=folder) as proxy:
        async with dial(proxy.port, source=STRANGER) as line:
            plain = await line.get(f"http://{here}/ruled", here)
            other = await line.get(f"http://{here}/other", here)
            tunnel = await line.connect(secure)
            await line.tls(proxy.ca, "localhost")
            inside = await line.get("/ruled", secure)
        async with dial(proxy.port, source=FRIEND) as line:
            friend = await line.get(f"http://{here}/ruled", here)

    assert tunnel.status == 200
    assert [(answer.status, answer.reason) for answer in (plain, inside)] == [(403, "client_denied")] * 2
    assert plain.problem["rule"] == "api"
    assert (other.status, friend.status) == (200, 200)
    assert api.tokens == [None, "Bearer t1"]
    assert tls_api.seen == []


async def test_user_of_proxyauth_may_use_what_names_him(
    idp: AuthorizationServer, api: Api, tls_api: Api, *, trusted: Path, folder: Path
) -> None:
    here, secure = f"localhost:{api.port}", f"localhost:{tls_api.port}"
    text = rules(idp, api.port, tls_api.port, proxy='["user:alice", "user:bob"]', rule='["user:alice"]')
    options = ("--set", "proxyauth=any", "--set", f"ssl_verify_upstream_trusted_ca={trusted}")

    async with mitmdump(text, *options, folder=folder) as proxy:
        plain = {}
        tunnels = {}
        inside = {}
        for user in ("alice", "bob", "carol"):
            async with dial(proxy.port) as line:
                plain[user] = await line.get(f"http://{here}/ruled", here, login(user))
            async with dial(proxy.port) as line:
                name, _, value = login(user).partition(": ")
                tunnels[user] = await line.connect(secure, {name: value})
                if tunnels[user].status == 200:
                    await line.tls(proxy.ca, "localhost")
                    inside[user] = await line.get("/ruled", secure)
        async with dial(proxy.port) as line:
            nobody = await line.get(f"http://{here}/ruled", here)

    assert {user: answer.status for user, answer in plain.items()} == {"alice": 200, "bob": 403, "carol": 403}
    assert {user: answer.reason for user, answer in inside.items()} == {"alice": None, "bob": "client_denied"}
    assert (tunnels["carol"].status, tunnels["carol"].phrase) == (403, "clientcreds: client_denied")
    assert nobody.status == 407
    assert api.tokens + tls_api.tokens == ["Bearer t1"] * 2
    assert not any(request.all("proxy-authorization") for request in api.seen + tls_api.seen)


async def test_user_of_socks_may_use_what_names_him(idp: AuthorizationServer, api: Api, folder: Path) -> None:
    text = rules(idp, api.port, proxy='["user:alice", "user:bob"]', rule='["user:alice"]')
    replies, answers = {}, {}

    async with mitmdump(text, "--mode", "socks5", "--set", "proxyauth=any", folder=folder) as proxy:
        for user in ("alice", "bob", "carol"):
            async with dial(proxy.port) as line:
                replies[user] = await line.socks("localhost", api.port, user=user)
                if replies[user] == 0:
                    answers[user] = await line.get("/ruled", f"localhost:{api.port}")

    assert replies["carol"] != 0
    assert {user: answer.reason for user, answer in answers.items()} == {
        "alice": None,
        "bob": "client_denied",
    }
    assert api.tokens == ["Bearer t1"]
