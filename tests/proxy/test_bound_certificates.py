"""Certificate-bound tokens through the proxy (RFC 8705 §3): F03, F04, and what must not leave beside them."""

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trustme

from tests.proxy.harness import Proxy, mitmdump
from tests.proxy.lines import dial
from tests.simulators.authorization_server import AuthorizationServer
from tests.simulators.certificate_api import CertificateApi, server_context, thumbprint
from tests.simulators.parent_proxy import ParentProxy

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A proxy with two bound sources and an unbound one, for one host."""

    proxy: Proxy
    client: httpx.AsyncClient
    idp: AuthorizationServer
    api: CertificateApi
    folder: Path
    names: dict[str, str]  # thumbprints, and whose certificate it is

    async def get(self, *paths: str, scheme: str = "https") -> list[int]:
        """The statuses of GETs, one after the other on one connection of the client."""
        url = f"{scheme}://localhost:{self.api.port}"
        return [(await self.client.get(url + path)).status_code for path in paths]

    @property
    def presented(self) -> list[str | None]:
        """Whose certificate each request came with."""
        return [None if shown is None else self.names[shown] for shown in self.api.presented]

    def rotate(self, name: str, certificate: trustme.LeafCert) -> None:
        """Put another certificate and key in the place of this one."""
        put(self.folder, name, certificate)
        self.names[thumbprint(certificate)] = f"{name} again"


def put(folder: Path, name: str, certificate: trustme.LeafCert) -> None:
    """Write `NAME.pem`, the certificate with its chain, and `NAME.key`."""
    certificate.private_key_pem.write_to_path(folder / f"{name}.key")
    chain = b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
    (folder / f"{name}.pem").write_bytes(chain)
    (folder / f"{name}.key").chmod(0o600)


def rules(idp: AuthorizationServer, port: int, extra: str = "") -> str:
    """One path for each source; other paths have no rule."""
    source = f'token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t'
    tls = "client: {{tls: {{cert: '${{file:{0}.pem}}', key: '${{file:{0}.key}}'}}}}"
    return f"""
version: 1
log: {{format: json}}
token_sources:
  one: {{{source}, certificate_bound: true, {tls.format("one")}}}
  two: {{{source}, certificate_bound: true, {tls.format("two")}}}
  none: {{{source}, {tls.format("one")}}}
rules:
  - {{name: one, match: {{host: localhost, port: {port}, path: /one/**}}, token_source: one{extra}}}
  - {{name: two, match: {{host: localhost, port: {port}, path: /two/**}}, token_source: two}}
  - {{name: none, match: {{host: localhost, port: {port}, path: /none/**}}, token_source: none}}
  - {{name: bare, match: {{host: localhost, port: {port}, path: /bare/**}}}}
  - name: led
    match: {{host: 127.0.0.1, port: 9}}
    modifiers: {{url.Modifier: {{scheme: https, host: "localhost:{port}"}}}}
"""


@asynccontextmanager
async def stage(
    authority: trustme.CA,
    folder: Path,
    *options: str,
    extra: str = "",
    requires: bool = False,
    api_authority: trustme.CA | None = None,
    http2: bool = False,
) -> AsyncIterator[Stage]:
    certificates = {name: authority.issue_cert(f"{name}@clients.example") for name in ("one", "two")}
    for name, certificate in certificates.items():
        put(folder, name, certificate)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    idp, api = AuthorizationServer(), CertificateApi()
    trust = ("--set", f"ssl_verify_upstream_trusted_ca={folder / 'ca.pem'}")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(idp.running())
        context = server_context(api_authority or authority, requires=requires)
        authority.configure_trust(context)
        await stack.enter_async_context(api.running(context))
        text = rules(idp, api.port, extra)
        proxy = await stack.enter_async_context(mitmdump(text, *trust, *options, folder=folder))
        client = await stack.enter_async_context(proxy.client(http2=http2))
        names = {thumbprint(certificate): name for name, certificate in certificates.items()}
        yield Stage(proxy=proxy, client=client, idp=idp, api=api, folder=folder, names=names)


ALL = ("/one/a", "/one/b", "/none/a", "/one/c", "/two/a", "/nowhere", "/two/b", "/bare/a", "/one/d")
WHOSE = ["one", "one", None, "one", "two", None, "two", None, "one"]


@pytest.mark.parametrize("strategy", ["eager", "lazy"])
async def test_each_request_leaves_with_the_certificate_of_its_token(
    authority: trustme.CA, folder: Path, strategy: str
) -> None:
    """F03: and with none where its token is not bound, or where no rule has won it."""
    async with stage(authority, folder, "--set", f"connection_strategy={strategy}") as it:
        statuses = await it.get(*ALL)

        assert statuses == [200] * len(ALL)
        assert it.presented == WHOSE


async def test_request_that_a_modifier_leads_there_has_no_certificate(
    authority: trustme.CA, folder: Path
) -> None:
    """Contract 7: a rule without a token source leads anywhere, and takes nothing along."""
    async with stage(authority, folder) as it:
        first = await it.client.get("http://127.0.0.1:9/one/a")
        await it.get("/one/b")
        second = await it.client.get("http://127.0.0.1:9/one/c")

        assert (first.status_code, second.status_code) == (200, 200)
        assert it.presented == [None, "one", None]


async def test_requests_of_one_rule_share_a_connection(authority: trustme.CA, folder: Path) -> None:
    async with stage(authority, folder) as it:
        await it.get(*["/one/a"] * 5)

        assert it.presented == ["one"] * 5
        assert it.api.connections == 1


async def test_api_that_requires_a_certificate_can_be_reached(authority: trustme.CA, folder: Path) -> None:
    """F03: the first connection, made before any request, presents it already."""
    async with stage(authority, folder, requires=True) as it:
        assert await it.get("/one/a", "/two/a") == [200, 200]
        assert await it.get("/nowhere") == [502]
        assert await it.get("/one/b") == [200]
        assert it.presented == ["one", "two", "one"]


async def test_server_is_verified_as_ever(authority: trustme.CA, folder: Path) -> None:
    """Contract 3.2: neither certificate nor token go to a server that nobody vouches for."""
    async with stage(authority, folder, api_authority=trustme.CA()) as it:
        assert await it.get("/one/a") == [502]
        assert not it.api.seen


async def test_server_is_verified_against_its_name(authority: trustme.CA, folder: Path) -> None:
    """Contract 3.1: a good certificate for another host is none for this one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example").configure_cert(context)
    async with stage(authority, folder) as it, CertificateApi(port=0).running(context) as other:
        path = folder / "rules.yaml"
        path.write_text(path.read_text().replace(str(it.api.port), str(other.port)))
        await it.proxy.said("the rules are those of", times=2)

        answer = await it.client.get(f"https://localhost:{other.port}/one/a")

        assert answer.status_code == 502
        assert not other.seen


async def test_exchanged_certificate_brings_another_token_and_connection(
    authority: trustme.CA, folder: Path
) -> None:
    """F04, F05: the client's own connection stays."""
    async with stage(authority, folder) as it:
        before = await it.get("/one/a")
        it.rotate("one", authority.issue_cert("one@clients.example"))
        await it.proxy.said("the rules are those of", times=2)
        after = await it.get("/one/b", "/two/a")

        assert before + after == [200] * 3
        assert it.presented == ["one", "one again", "two"]
        assert it.api.tokens == ["Bearer t1", "Bearer t2", "Bearer t3"]


async def test_rule_that_begins_to_bind_reaches_open_connections(authority: trustme.CA, folder: Path) -> None:
    """F03: what was opened before presents no certificate, so it is not used any more."""
    async with stage(authority, folder) as it:
        path = folder / "rules.yaml"
        bound = path.read_text()
        path.write_text(bound.replace("certificate_bound: true", "certificate_bound: false"))
        await it.proxy.said("the rules are those of", times=2)
        before = await it.get("/one/a")
        path.write_text(bound)
        await it.proxy.said("the rules are those of", times=3)
        after = await it.get("/one/b")

        assert before + after == [200, 200]
        assert it.presented == [None, "one"]


async def test_request_that_is_sent_again_presents_it_too(authority: trustme.CA, folder: Path) -> None:
    """F03: whichever of the host's rules it is."""
    async with stage(authority, folder) as it:
        it.api.unauthorized.add("t1")

        assert await it.get("/two/a") == [200]
        assert it.presented == ["two", "two"]
        assert it.api.tokens == ["Bearer t1", "Bearer t2"]


async def test_request_without_a_token_presents_none(authority: trustme.CA, folder: Path) -> None:
    """F03: `pass_without_token` lets the request pass, not the client's identity."""
    async with stage(authority, folder, extra=", on_token_failure: pass_without_token") as it:
        it.idp.client_secret = "another"

        assert await it.get("/one/a") == [200]
        assert it.presented == [None]
        assert it.api.tokens == [None]


async def test_upgraded_request_presents_it(authority: trustme.CA, folder: Path) -> None:
    """F03: the application speaks http:// and knows of no certificate."""
    async with stage(authority, folder, extra=", upgrade_to_https: true") as it:
        statuses = await it.get("/one/a", "/one/b", scheme="http")

        assert statuses == [200, 200]
        assert it.presented == ["one", "one"]


async def test_client_of_http2_gets_http1(authority: trustme.CA, folder: Path) -> None:
    """So that requests with different certificates never share a connection while in use."""
    async with stage(authority, folder) as it, dial(it.proxy.port) as line:
        await line.connect(f"localhost:{it.api.port}")
        tls = await line.tls(it.proxy.ca, "localhost", protocols=("h2", "http/1.1"))
        answer = await line.get("/one/a", f"localhost:{it.api.port}")

        assert tls.selected_alpn_protocol() == "http/1.1"
        assert answer.status == 200
        assert it.api.protocols == ["http/1.1"]


async def test_parent_proxy_leads_to_connections_of_their_own(authority: trustme.CA, folder: Path) -> None:
    """F03 in upstream mode, where TLS lies inside the connection with the parent."""
    async with ParentProxy().running() as parent:
        options = ("--mode", f"upstream:http://127.0.0.1:{parent.port}")
        async with stage(authority, folder, *options) as it:
            parent.routes[f"localhost:{it.api.port}"] = it.api.port
            statuses = await it.get(*ALL)

            assert statuses == [200] * len(ALL)
            assert it.presented == WHOSE


async def test_socks_clients_get_connections_of_their_own(authority: trustme.CA, folder: Path) -> None:
    """F03 in socks5 mode."""
    async with stage(authority, folder, "--mode", "socks5") as it, dial(it.proxy.port) as line:
        await line.socks("localhost", it.api.port)
        await line.tls(it.proxy.ca, "localhost")
        answers = [await line.get(path, f"localhost:{it.api.port}") for path in ALL]

        assert [answer.status for answer in answers] == [200] * len(ALL)
        assert it.presented == WHOSE
