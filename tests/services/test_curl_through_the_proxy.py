import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from joserfc.jwk import KeySet

from clientcreds_proxy.demo.api import ProtectedApi
from clientcreds_proxy.demo.listening import listening
from tests.proxy.harness import Proxy, mitmdump
from tests.services.conftest import BASIC, POST, SPECIAL, Client, OidcProvider

pytestmark = pytest.mark.anyio

RESOURCE = "https://orders.example/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """curl, the proxy, the API, and the authorization server that the API trusts."""

    curl: str
    proxy: Proxy
    api: str
    server: OidcProvider

    async def ask(self, path: str, *options: str) -> tuple[int, str]:
        """Status and body of what curl got through the proxy."""
        process = await asyncio.create_subprocess_exec(
            *(self.curl, "-q", "-sS", "--max-time", "20", "-w", "\n%{http_code}"),
            *("--noproxy", "", "--proxy", self.proxy.url, *options, self.api + path),
            stdout=subprocess.PIPE,
        )
        output, _ = await process.communicate()
        body, _, status = output.decode().rpartition("\n")
        return int(status), body

    @property
    def trusting(self) -> tuple[str, str]:
        """Options for curl to trust the proxy's CA."""
        return "--cacert", str(self.proxy.confdir / "mitmproxy-ca-cert.pem")


def rules(server: OidcProvider, client: Client, port: int) -> str:
    source: dict[str, Any] = {
        "token_url": server.token_url,
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "resource": RESOURCE,
        "scopes": ["orders:read"],
    }
    modifier = {"header.Modifier": {"scope": ["request"], "name": "Accept", "value": "application/json"}}
    rule = {
        "name": "orders",
        "match": {"host": "localhost", "port": port},
        "token_source": "idp",
        "modifiers": [modifier],
    }
    return json.dumps({"version": 1, "token_sources": {"idp": source}, "rules": [rule]})  # YAML as well


@asynccontextmanager
async def setting(
    server: OidcProvider,
    curl: str,
    folder: Path,
    *,
    client: Client = BASIC,
    authority: trustme.CA | None = None,
) -> AsyncIterator[Setting]:
    keys = KeySet.import_key_set(await server.jwks())
    api = ProtectedApi(keys=keys, issuer=server.issuer, audience=RESOURCE)
    tls, options = None, []
    if authority:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(tls)
        authority.cert_pem.write_to_path(folder / "authority.pem")
        options = ["--set", f"ssl_verify_upstream_trusted_ca={folder / 'authority.pem'}"]
    async with listening(api.application(), tls=tls) as url:
        port = int(url.rpartition(":")[2])
        async with mitmdump(rules(server, client, port), *options, folder=folder) as proxy:
            address = f"{'https' if tls else 'http'}://localhost:{port}"
            yield Setting(curl=curl, proxy=proxy, api=address, server=server)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = tmp_path / "proxy"
    own.mkdir()
    return own


@pytest.mark.parametrize("client", [BASIC, POST, SPECIAL], ids=lambda client: client.client_id)
async def test_curl_gets_the_api_s_answer_over_plain_http(
    oidc_provider: OidcProvider, curl: str, folder: Path, client: Client
) -> None:
    async with setting(oidc_provider, curl, folder, client=client) as on:
        status, body = await on.ask("/orders")

    assert status == 200, body
    seen = json.loads(body)
    assert seen["claims"]["client_id"] == client.client_id
    assert seen["claims"]["aud"] == RESOURCE
    assert seen["accept"] == "application/json"


async def test_many_calls_make_one_token_request(
    oidc_provider: OidcProvider, curl: str, folder: Path
) -> None:
    async with setting(oidc_provider, curl, folder) as on:
        answers = await asyncio.gather(*(on.ask("/orders") for _ in range(20)))
        granted = await oidc_provider.granted(BASIC)

    assert {status for status, _ in answers} == {200}
    assert granted == 1


async def test_curl_gets_the_api_s_answer_over_connect_and_tls(
    oidc_provider: OidcProvider, curl: str, folder: Path
) -> None:
    async with setting(oidc_provider, curl, folder, authority=trustme.CA()) as on:
        status, body = await on.ask("/orders", *on.trusting, "--data", "a=b")

    assert status == 200, body
    assert json.loads(body)["body_bytes"] == 3


async def test_a_revoked_token_is_replaced_and_the_request_sent_again(
    oidc_provider: OidcProvider, curl: str, folder: Path
) -> None:
    """Contract, section 4: the API answers 401."""
    async with setting(oidc_provider, curl, folder) as on:
        await on.ask("/orders")

        status, body = await on.ask("/refuses/1", "--data", "order=7")
        granted = await oidc_provider.granted(BASIC)

    assert status == 200, body
    assert json.loads(body)["body_bytes"] == 7
    assert granted == 2


async def test_a_large_upload_and_a_large_download_pass(
    oidc_provider: OidcProvider, curl: str, folder: Path
) -> None:
    size = 20_000_000
    (folder / "upload").write_bytes(b"." * size)

    async with setting(oidc_provider, curl, folder, authority=trustme.CA()) as on:
        up, body = await on.ask("/upload", *on.trusting, "--upload-file", str(folder / "upload"))
        down, _ = await on.ask(f"/download/{size}", *on.trusting, "-o", str(folder / "download"))

    assert (up, down) == (200, 200)
    assert json.loads(body)["body_bytes"] == size
    assert (folder / "download").stat().st_size == size


async def test_a_host_header_of_another_server_is_refused(
    oidc_provider: OidcProvider, curl: str, folder: Path
) -> None:
    """Contract, section 3.1."""
    async with setting(oidc_provider, curl, folder) as on:
        status, body = await on.ask("/orders", "-H", "Host: elsewhere.example")
        granted = await oidc_provider.granted(BASIC)

    assert status == 421
    assert json.loads(body)["reason"] == "destination_mismatch"
    assert granted == 0


async def test_a_dead_authorization_server_is_a_502_in_words(curl: str, folder: Path) -> None:
    """Contract, section 11."""
    dead = OidcProvider(issuer="http://127.0.0.1:1")

    async with mitmdump(rules(dead, BASIC, 80), folder=folder) as proxy:
        on = Setting(curl=curl, proxy=proxy, api="http://localhost", server=dead)
        status, body = await on.ask("/orders")

    assert status == 502
    assert json.loads(body)["reason"] == "token_unavailable"
