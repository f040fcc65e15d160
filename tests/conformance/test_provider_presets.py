"""providers.md: each preset's example against a server that behaves as the provider does."""

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from clientcreds_proxy.config.load import Config, load
from clientcreds_proxy.config.preset import NAMES
from clientcreds_proxy.errors import TokenRejected
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.model import SourceSpec, Token
from tests.simulators.authorization_server import AuthorizationServer, Reply
from tests.simulators.providers import JWT, answer
from tests.unit.tokens.making import START, FakeClock

pytestmark = pytest.mark.anyio

EXAMPLES = Path(__file__).parents[2] / "config" / "providers"
GRANT = "grant_type=client_credentials"
ENTRA_SCOPE = "scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a provider must be sent, and what becomes of its answer."""

    path: str  # of its token endpoint
    body: str  # of the token request, byte for byte
    basic: str | None = None  # the credentials of its Authorization header; None: there is none
    secret: str = "s3cr3t"
    token: str = JWT
    lifetime: float = 3600
    header: str = "Authorization: Bearer "  # that the token goes out in
    api_headers: tuple[tuple[str, str], ...] = ()
    scope: tuple[str, ...] | None = None


CASES = {
    "adobe": Case(
        path="/ims/token/v3",
        body=f"{GRANT}&scope=openid%2CAdobeID%2Cuser_management_sdk&client_id=my-client-id&client_secret=s3cr3t",
        lifetime=86399,
        api_headers=(("x-api-key", "my-client-id"),),
    ),
    "amadeus": Case(
        path="/v1/security/oauth2/token",
        body=f"{GRANT}&client_id=my-api-key&client_secret=s3cr3t",
        token="CpjU0sEenniHCgPDrndzOSWFk5mN",
        lifetime=1799,
    ),
    "auth0": Case(
        path="/oauth/token",
        body=f"{GRANT}&audience=https%3A%2F%2Fapi.example.com%2F&client_id=my-client-id&client_secret=s3cr3t",
        lifetime=86400,
        scope=("read:x",),
    ),
    "cognito": Case(
        path="/oauth2/token",
        body=f"{GRANT}&scope=orders%2Fread",
        basic="my-client-id:s3cr3t",
    ),
    "ebay": Case(
        path="/identity/v1/oauth2/token",
        body=f"{GRANT}&scope=https%3A%2F%2Fapi.ebay.com%2Foauth%2Fapi_scope",
        basic="my-app-id:s3cr3t",
        token="v^1.1#i^1#p^1#r^0#I^3#f^0#t^H4sIAAAAAAAA/+VX=",
        lifetime=7200,
    ),
    "entra": Case(
        path="/00000000-0000-0000-0000-000000000000/oauth2/v2.0/token",
        body=f"{GRANT}&{ENTRA_SCOPE}&client_id=11111111-1111-1111-1111-111111111111&client_secret=s3cr3t",
        lifetime=3599,
    ),
    "entra-certificate": Case(
        path="/00000000-0000-0000-0000-000000000000/oauth2/v2.0/token",
        body=f"{GRANT}&{ENTRA_SCOPE}&client_id=11111111-1111-1111-1111-111111111111"
        "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
        "&client_assertion=JWT",
        lifetime=3599,
    ),
    "forgerock": Case(
        path="/am/oauth2/realms/root/realms/alpha/access_token",
        body=f"{GRANT}&scope=orders%3Aread",
        basic="my-client-id:s3cr3t",
        token="sbQZuveFumUDV5R1vVBl6QAGNB8",
        lifetime=3599,
        scope=("orders:read",),
    ),
    "keycloak": Case(
        path="/realms/main/protocol/openid-connect/token",
        body=GRANT,
        basic="billing-app:p%2Bq%20r",
        secret="p+q r",
        lifetime=300,
        scope=("profile", "email"),
    ),
    "okta": Case(
        path="/oauth2/default/v1/token",
        body=f"{GRANT}&scope=orders%3Aread",
        basic="my-client-id:s3cr3t",
        scope=("orders:read",),
    ),
    "paypal": Case(
        path="/v1/oauth2/token",
        body=GRANT,
        basic="my-client-id:s3cr3t",
        token="A21AAFEpH4PsADK7qSS7pSRsgzfENtu",
        lifetime=31668,
        scope=("https://uri.paypal.com/services/invoicing",) * 40,
    ),
    "ping": Case(
        path="/00000000-0000-0000-0000-000000000000/as/token",
        body=f"{GRANT}&scope=orders%3Aread",
        basic="my-client-id:s3cr3t",
        scope=("orders:read",),
    ),
    "salesforce": Case(
        path="/services/oauth2/token",
        body=f"{GRANT}&client_id=my-consumer-key&client_secret=s3cr3t",
        token="00DB0000000TfcR!AQQAQFhoK8vTMg_rKA",
        lifetime=900,
        scope=("api",),
    ),
    "sap": Case(
        path="/oauth/token",
        body=GRANT,
        basic="sb-my-app!t12345:p+q/r=$",
        secret="p+q/r=$",
        lifetime=43199,
        scope=("uaa.resource",),
    ),
    "shopify": Case(
        path="/admin/oauth/access_token",
        body=f"{GRANT}&client_id=my-client-id&client_secret=s3cr3t",
        token="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",
        lifetime=86399,
        header="X-Shopify-Access-Token: ",
        scope=("write_orders", "read_products"),
    ),
    "spotify": Case(
        path="/api/token", body=GRANT, basic="my-client-id:s3cr3t", token="NgCXRKc...MzYjw", lifetime=3600
    ),
    "twitch": Case(
        path="/oauth2/token",
        body=f"{GRANT}&client_id=my-client-id&client_secret=s3cr3t",
        token="jostpf5q0uzmxmkba9iyug38kjtgh",
        lifetime=5011271,
        api_headers=(("Client-Id", "my-client-id"),),
        scope=("a", "b"),
    ),
    "zoom": Case(
        path="/oauth/token",
        body="grant_type=account_credentials&account_id=my-account-id",
        basic="my-client-id:s3cr3t",
        lifetime=3599,
        scope=("user:read:admin",),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider's server, and the example's source that asks there."""

    server: AuthorizationServer
    config: Config
    spec: SourceSpec

    async def token(self) -> Token:
        return (await HttpFetch(clock=FakeClock())(self.spec)).token

    @property
    def request(self) -> tuple[str, str]:
        """Of the only token request: its body, assertions apart, and the credentials of its header."""
        (seen,) = (request for request in self.server.seen if request.method == "POST")
        authorization = seen.headers.get("authorization", "").removeprefix("Basic ")
        body = re.sub(r"(client_assertion)=[\w.-]+", r"\1=JWT", seen.body.decode())
        return body, base64.b64decode(authorization).decode()


@pytest.fixture(scope="module")
def certified() -> trustme.LeafCert:
    return trustme.CA().issue_cert("app@example.com", key_type=trustme.KeyType.RSA)


@asynccontextmanager
async def provider_of(name: str, folder: Path, leaf: trustme.LeafCert) -> AsyncIterator[Provider]:
    """The provider as its example expects it, but on loopback."""
    case = CASES[name]
    config = _loaded(name, folder, leaf, case.secret)
    (configured,) = config.sources.values()
    client = configured.client_id, case.secret
    async with AuthorizationServer(answers=lambda seen: answer(name, seen, client)).running() as server:
        server.path = case.path
        if configured.token_url:
            spec = replace(configured, token_url=_on_loopback(configured.token_url, server))
        else:
            issuer = _on_loopback(configured.issuer or "", server)
            document = {"issuer": issuer, "token_endpoint": server.token_url}
            place = f"{urlsplit(issuer).path}/.well-known/openid-configuration"
            server.documents[place] = Reply(body=json.dumps(document).encode())
            spec = replace(configured, issuer=issuer)
        yield Provider(server=server, config=config, spec=spec)


def _loaded(name: str, folder: Path, leaf: trustme.LeafCert, secret: str) -> Config:
    leaf.private_key_pem.write_to_path(str(folder / "entra.key"))
    leaf.cert_chain_pems[0].write_to_path(str(folder / "entra.crt"))
    text = (EXAMPLES / f"{name}.yaml").read_text().replace("/run/secrets/", "")
    (folder / "c.yaml").write_text(text)
    return load(folder / "c.yaml", environ=dict.fromkeys(re.findall(r"\$\{env:(\w+)\}", text), secret))


def _on_loopback(url: str, server: AuthorizationServer) -> str:
    parts = urlsplit(url)
    return parts._replace(scheme="http", netloc=f"localhost:{server.port}").geturl()


@pytest.fixture(params=NAMES)
async def provider(
    request: pytest.FixtureRequest, tmp_path: Path, certified: trustme.LeafCert
) -> AsyncIterator[tuple[Case, Provider]]:
    async with provider_of(request.param, tmp_path, certified) as found:
        yield CASES[request.param], found


async def test_provider_is_asked_once_and_as_it_wants(provider: tuple[Case, Provider]) -> None:
    """providers.md, the preset table."""
    case, its = provider

    await its.token()

    assert its.request == (case.body, case.basic or "")
    assert its.server.seen[-1].target == case.path
    assert its.server.seen[-1].headers["accept"] == "application/json"


async def test_providers_answer_is_a_token(provider: tuple[Case, Provider]) -> None:
    """providers.md, the preset table: replies and traps."""
    case, its = provider

    token = await its.token()

    assert token.value.reveal() == case.token
    assert token.lifetime == case.lifetime
    assert token.scope == case.scope
    assert token.requested == START


async def test_token_goes_out_as_the_providers_api_wants_it(provider: tuple[Case, Provider]) -> None:
    """providers.md, the preset table: placement and further headers."""
    case, its = provider
    (rule,) = its.config.rules

    assert f"{rule.attach.header}: {rule.attach.scheme} ".replace(":  ", ": ") == case.header
    assert its.spec.api_headers == case.api_headers


async def test_providers_refusal_is_a_refusal(provider: tuple[Case, Provider]) -> None:
    """C04: in whatever format it is said; and no second method is tried."""
    _, its = provider
    wrong = replace(its.spec, client_secrets=(Secret("wrong"),), client_id="wrong")

    with pytest.raises(TokenRejected):
        await HttpFetch(clock=FakeClock())(wrong)

    assert len([request for request in its.server.seen if request.method == "POST"]) == 1


async def test_entra_verifies_the_assertion_of_a_certificate(
    tmp_path: Path, certified: trustme.LeafCert
) -> None:
    """E12; providers.md: PS256, x5t#S256 of the bytes, aud = token URL, exp within 10 minutes."""
    certificate = x509.load_pem_x509_certificate(certified.cert_chain_pems[0].bytes())
    async with provider_of("entra-certificate", tmp_path, certified) as its:
        await its.token()

    signed, _, signature = its.server.seen[0].form["client_assertion"].rpartition(".")
    header, claims = (json.loads(_decoded(part)) for part in signed.split("."))
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    assert header["alg"] == "PS256"
    assert _decoded(header["x5t#S256"]) == digest
    assert claims["aud"] == its.spec.token_url
    assert claims["iss"] == claims["sub"] == its.spec.client_id
    assert 0 < claims["exp"] - START.wall <= 600
    public = certificate.public_key()
    assert isinstance(public, RSAPublicKey)
    public.verify(
        _decoded(signature), signed.encode(), PSS(mgf=MGF1(SHA256()), salt_length=PSS.DIGEST_LENGTH), SHA256()
    )


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")
