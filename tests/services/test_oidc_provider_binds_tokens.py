"""node-oidc-provider as a strict judge of DPoP proofs and client certificates, through the real proxy."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.proxy.harness import mitmdump
from tests.services.conftest import running_oidc_provider
from tests.simulators.bound import BoundApi
from tests.simulators.certificate_api import CertificateApi, server_context, thumbprint

pytestmark = pytest.mark.anyio

SECRET = "made-up-on-the-spot-0004"
RESOURCE = "https://orders.example/"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For the files of one proxy."""
    own = tmp_path / "proxy"
    own.mkdir()
    return own


def claims_of(token: str) -> dict[str, Any]:
    """The payload of a JWT that the server signed."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return claims


def key_of(token: str) -> str | None:
    """The thumbprint that a token says it is bound to (RFC 9449 §6.1)."""
    jkt: str | None = claims_of(token)["cnf"].get("jkt")
    return jkt


def rules(port: int, **source: Any) -> str:
    """One source and one rule, as JSON."""
    rule = {"name": "orders", "match": {"host": "localhost", "port": port}, "token_source": "idp"}
    common = {"resource": RESOURCE, "scopes": "orders:read", "client_secret": SECRET}
    return json.dumps({"version": 1, "token_sources": {"idp": {**common, **source}}, "rules": [rule]})


async def test_dpop_token_is_bound_to_the_key_that_the_api_sees(node: str, folder: Path) -> None:
    """J01 to J08: the server demands a nonce for each token, the API one for each request."""
    client = {"client_id": "dpop", "client_secret": SECRET, "dpop_bound_access_tokens": True}
    api = BoundApi(key_of=key_of, nonce="of-the-api")
    async with running_oidc_provider(node, [client]) as server, api.running():
        text = rules(api.port, token_url=server.token_url, client_id="dpop", dpop=True)
        async with mitmdump(text, folder=folder) as proxy, proxy.client() as requests:
            url = f"http://localhost:{api.port}/orders"
            statuses = [(await requests.get(url)).status_code for _ in range(3)]
        granted = await server.tokens_granted()

    assert statuses == [200, 200, 200], (api.complaints, proxy.output)
    assert [proof.claims.get("nonce") for proof in api.proofs] == [None, *["of-the-api"] * 3]
    assert granted == {"dpop": 1}


async def test_token_of_a_client_that_asks_for_no_proof_is_refused(node: str, folder: Path) -> None:
    """J04: the server binds all tokens of this client; without dpop there is none."""
    client = {"client_id": "dpop", "client_secret": SECRET, "dpop_bound_access_tokens": True}
    api = BoundApi(key_of=key_of)
    async with running_oidc_provider(node, [client]) as server, api.running():
        text = rules(api.port, token_url=server.token_url, client_id="dpop")
        async with mitmdump(text, folder=folder) as proxy, proxy.client() as requests:
            answer = await requests.get(f"http://localhost:{api.port}/orders")

    assert answer.json()["reason"] == "token_rejected"
    assert not api.seen


@pytest.mark.parametrize("client_auth", ["client_secret_basic", "tls_client_auth"])
async def test_token_is_bound_to_the_certificate_that_the_api_sees(
    node: str, folder: Path, client_auth: str
) -> None:
    """F03: the token endpoint is the one of mtls_endpoint_aliases, the certificate the same for both."""
    authority = trustme.CA()
    own = authority.issue_cert("app.clients.example")
    client = {
        "client_id": "bound",
        "token_endpoint_auth_method": client_auth,
        "tls_client_certificate_bound_access_tokens": True,
    }
    if client_auth == "tls_client_auth":
        client["tls_client_auth_san_dns"] = "app.clients.example"
    else:
        client["client_secret"] = SECRET
    authority.cert_pem.write_to_path(folder / "ca.pem")
    tls = {
        "ca": "ca.pem",
        "cert": own.cert_chain_pems[0].bytes().decode(),
        "key": own.private_key_pem.bytes().decode(),
    }
    api = CertificateApi()
    async with (
        running_oidc_provider(node, [client], authority=authority) as server,
        api.running(server_context(authority)),
    ):
        source = {"issuer": server.issuer, "client_id": "bound", "client_auth": client_auth}
        text = rules(api.port, **source, certificate_bound=True, client={"tls": tls})
        trust = f"ssl_verify_upstream_trusted_ca={folder / 'ca.pem'}"
        async with mitmdump(text, "--set", trust, folder=folder) as proxy, proxy.client() as requests:
            answer = await requests.get(f"https://localhost:{api.port}/orders")

    assert answer.status_code == 200, proxy.output
    assert api.presented == [thumbprint(own)]
    bound = claims_of((api.tokens[0] or "").removeprefix("Bearer "))["cnf"]["x5t#S256"]
    assert base64.urlsafe_b64decode(bound + "=").hex() == thumbprint(own)
