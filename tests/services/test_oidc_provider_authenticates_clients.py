"""node-oidc-provider as a strict judge of every way to authenticate, through the real proxy."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from clientcreds_proxy.demo.api import ProtectedApi
from clientcreds_proxy.demo.listening import listening
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.clock import SystemClock
from clientcreds_proxy.tokens.model import Assertion, SourceSpec
from clientcreds_proxy.tokens.proof.assertion import signed, signing_key
from tests.proxy.harness import Proxy, mitmdump
from tests.services.conftest import OidcProvider, running_oidc_provider
from tests.unit.tokens.signing import ED25519, KEYS, P256, RSA, PrivateKey, pem

pytestmark = pytest.mark.anyio

RESOURCE = "https://orders.example/"
SECRET = "made-up-on-the-spot-and-64-bytes-long-for-the-longest-of-hashes!"
BY_KEY = ("RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
BY_SECRET = ("HS256", "HS384", "HS512")
BY_CERTIFICATE = ("tls_client_auth", "self_signed_tls_client_auth")


def public_jwk(key: PrivateKey, **members: Any) -> dict[str, Any]:
    match key:
        case rsa.RSAPrivateKey():
            jwk: RSAKey | ECKey | OKPKey = RSAKey.import_key(pem(key))
        case ec.EllipticCurvePrivateKey():
            jwk = ECKey.import_key(pem(key))
        case _:
            jwk = OKPKey.import_key(pem(key))
    return {**jwk.as_dict(private=False), **members}


def registered(client_id: str, client_auth: str, **more: Any) -> dict[str, Any]:
    """A client as dynamic registration has it (RFC 7591 §2)."""
    return {"client_id": client_id, "token_endpoint_auth_method": client_auth, **more}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One client: as the server knows it, and as the proxy is told."""

    metadata: Mapping[str, Any]
    source: Mapping[str, Any]


def write(folder: Path, name: str, content: str) -> str:
    path = folder / name
    path.write_text(content)
    return str(path)


def signing_cases(folder: Path) -> dict[str, Case]:
    cases = {}
    for algorithm in BY_KEY:
        key = KEYS[algorithm]
        path = write(folder, f"{algorithm}.pem", pem(key))
        cases[algorithm] = Case(
            metadata=registered(algorithm, "private_key_jwt", jwks={"keys": [public_jwk(key)]}),
            source={"client_auth": "private_key_jwt", "assertion": {"key": path, "algorithm": algorithm}},
        )
    for algorithm in BY_SECRET:
        cases[algorithm] = Case(
            metadata=registered(algorithm, "client_secret_jwt", client_secret=SECRET),
            source={
                "client_auth": "client_secret_jwt",
                "client_secret": SECRET,
                "assertion": {"algorithm": algorithm, "audience": "issuer"},
            },
        )
    return cases


def certificate_cases(folder: Path, authority: trustme.CA) -> dict[str, Case]:
    cases = {}
    for client_auth, signer in zip(BY_CERTIFICATE, (authority, trustme.CA()), strict=True):
        leaf = signer.issue_cert("client.example")
        der = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).public_bytes(Encoding.DER)
        key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        jwk = public_jwk(key, x5c=[base64.b64encode(der).decode()])
        known: dict[str, Any] = (
            {"tls_client_auth_san_dns": "client.example"}
            if client_auth == "tls_client_auth"
            else {"jwks": {"keys": [jwk]}}
        )
        tls = {
            "cert": write(folder, f"{client_auth}.crt", leaf.cert_chain_pems[0].bytes().decode()),
            "key": write(folder, f"{client_auth}.key", leaf.private_key_pem.bytes().decode()),
        }
        cases[client_auth] = Case(
            metadata=registered(client_auth, client_auth, **known),
            source={"client_auth": client_auth, "client": {"tls": tls}},
        )
    return cases


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A proxy that knows all of the clients, and the API behind it: `/ID/…` is asked with ID's token."""

    proxy: Proxy
    server: OidcProvider
    api: str

    async def ask(self, client_id: str, path: str = "") -> httpx.Response:
        async with self.proxy.client() as client:
            return await client.get(f"{self.api}/{client_id}{path}")

    async def authenticated(self, client_id: str) -> None:
        """Assert that the API saw a token of this client."""
        answer = await self.ask(client_id)
        assert answer.status_code == 200, answer.text + self.proxy.output
        assert answer.json()["claims"]["client_id"] == client_id


@asynccontextmanager
async def setting(
    node: str, authority: trustme.CA, folder: Path, cases: Mapping[str, Case]
) -> AsyncIterator[Setting]:
    ca = write(folder, "ca.pem", authority.cert_pem.bytes().decode())
    async with running_oidc_provider(
        node, [case.metadata for case in cases.values()], authority=authority
    ) as server:
        keys = KeySet.import_key_set(await server.jwks())
        api = ProtectedApi(keys=keys, issuer=server.issuer, audience=RESOURCE)
        async with listening(api.application()) as url:
            port = int(url.rpartition(":")[2])
            config = json.dumps(rules(server.issuer, port, cases, ca))
            async with mitmdump(config, folder=folder) as proxy:
                yield Setting(proxy=proxy, server=server, api=f"http://localhost:{port}")


def rules(issuer: str, port: int, cases: Mapping[str, Case], ca: str) -> dict[str, Any]:
    common = {"issuer": issuer, "resource": RESOURCE, "scopes": ["orders:read"]}
    sources, own = {}, []
    for client_id, case in cases.items():
        tls = {"ca": ca, **case.source.get("client", {}).get("tls", {})}
        sources[client_id] = {**common, **case.source, "client_id": client_id, "client": {"tls": tls}}
        match = {"host": "localhost", "port": port, "path": f"/{client_id}/**"}
        accept = {"header.Modifier": {"scope": ["request"], "name": "Accept", "value": "application/json"}}
        own.append({"name": client_id, "match": match, "token_source": client_id, "modifiers": accept})
    return {"version": 1, "token_sources": sources, "rules": own}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = tmp_path / "proxy"
    own.mkdir()
    return own


async def test_every_method_is_accepted(node: str, folder: Path) -> None:
    """E01 to E13, F01, F02: one server and one proxy for all of them, to save time."""
    authority = trustme.CA()
    cases = signing_cases(folder) | certificate_cases(folder, authority)
    cases["none"] = Case(metadata=registered("none", "none"), source={"client_auth": "none"})

    async with setting(node, authority, folder, cases) as on:
        for client_id in cases:
            await on.authenticated(client_id)
        assert await on.server.tokens_granted() == dict.fromkeys(cases, 1)


def ready_made(client_id: str, issuer: str) -> str:
    assertion = Assertion(algorithm="ES256", key=Secret(pem(P256)), audience=issuer)
    spec = SourceSpec(name="", client_id=client_id, client_secrets=())
    wall = SystemClock().now().wall
    key = signing_key(assertion, Secret(""))
    return signed(spec, assertion, key, wall=wall, randomness=str(wall).encode()).reveal()


async def test_replayed_assertion_is_refused(node: str, folder: Path) -> None:
    """E07, E15: the ready-made one, sent again; with a new one in the file it goes on."""
    path = folder / "assertion.jwt"
    source = {"client_auth": "private_key_jwt", "assertion": {"file": str(path)}}
    jwks = {"keys": [public_jwk(P256)]}
    cases = {
        name: Case(metadata=registered(name, "private_key_jwt", jwks=jwks), source=source)
        for name in ("one", "other")
    }

    async with setting(node, trustme.CA(), folder, cases) as on:
        missing = await on.ask("one")
        path.write_text(ready_made("one", on.server.issuer))
        await on.authenticated("one")
        config = folder / "rules.yaml"
        config.write_text(config.read_text().replace("orders:read", "orders:write"))
        await on.proxy.said("the rules are those of", times=2)
        replayed = await on.ask("one")
        path.write_text(ready_made("other", on.server.issuer))
        await on.authenticated("other")

    assert (missing.status_code, missing.json()["reason"]) == (502, "secret_unavailable")
    assert (replayed.status_code, replayed.json()["error"]) == (502, "invalid_client")


async def test_new_key_file_signs_the_next_token_request(node: str, folder: Path) -> None:
    """E11: no restart."""
    one_after_the_other: tuple[PrivateKey, ...] = (P256, RSA, ED25519)
    path = folder / "key.pem"
    path.write_text(pem(P256))
    keys = [public_jwk(each) for each in one_after_the_other]
    case = Case(
        metadata=registered("client", "private_key_jwt", jwks={"keys": keys}),
        source={"client_auth": "private_key_jwt", "assertion": {"key": str(path)}},
    )

    async with setting(node, trustme.CA(), folder, {"client": case}) as on:
        for count, key in enumerate(one_after_the_other, start=1):
            if count > 1:
                path.write_text(pem(key))
                await on.proxy.said("the rules are those of", times=count)
            await on.authenticated("client")
            assert await on.server.tokens_granted() == {"client": count}
