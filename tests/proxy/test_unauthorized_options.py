"""Section 4: a 401 to our token, under options of mitmproxy that reach the second request, too."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from tests.proxy.harness import mitmdump
from tests.simulators.api import Api, Request
from tests.simulators.authorization_server import AuthorizationServer
from tests.simulators.parent_proxy import ParentProxy

pytestmark = pytest.mark.anyio


def rules(idp: AuthorizationServer, port: int, host: str = "localhost") -> str:
    return f"""
version: 1
log: {{format: json}}
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - {{name: api, match: {{host: {host}, port: {port}}}, token_source: idp}}
"""


async def test_second_request_goes_through_the_parent_proxy(
    idp: AuthorizationServer, authority: trustme.CA, trusted: Path, folder: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("far.test").configure_cert(context)
    api = Api(unauthorized={"Bearer t1"})

    async with api.running(context), ParentProxy().running() as parent:
        parent.routes["far.test:443"] = api.port
        options = ("--mode", f"upstream:http://127.0.0.1:{parent.port}")
        trust = ("--set", f"ssl_verify_upstream_trusted_ca={trusted}")
        async with (
            mitmdump(rules(idp, 443, "far.test"), *options, *trust, folder=folder) as proxy,
            proxy.client() as client,
        ):
            answer = await client.post("https://far.test/a", content=b"body")

    assert answer.status_code == 200
    assert api.tokens == ["Bearer t1", "Bearer t2"]
    assert {request.target for request in parent.seen} == {"far.test:443"}
    assert {request.method for request in parent.seen} == {"CONNECT"}


async def test_second_request_brings_the_client_certificate(
    idp: AuthorizationServer, authority: trustme.CA, trusted: Path, folder: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(trusted)
    authority.issue_cert("localhost").configure_cert(context)
    own = folder / "client.pem"
    authority.issue_cert("client.test").private_key_and_cert_chain_pem.write_to_path(own)
    api = Api(unauthorized={"Bearer t1"})
    options = ("--set", f"client_certs={own}", "--set", f"ssl_verify_upstream_trusted_ca={trusted}")

    async with (
        api.running(context),
        mitmdump(rules(idp, api.port), *options, folder=folder) as proxy,
        proxy.client() as client,
    ):
        answer = await client.get(f"https://localhost:{api.port}/a")

    assert answer.status_code == 200
    assert api.tokens == ["Bearer t1", "Bearer t2"]


async def test_second_request_leaves_nothing_in_flow_files(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    api.unauthorized.add("Bearer t1")
    flows, har = folder / "flows", folder / "flows.har"
    idp.expires_in = "3600"

    async with (
        mitmdump(
            rules(idp, api.port),
            "-w",
            str(flows),
            "--set",
            f"hardump={har}",
            "--flow-detail",
            "4",
            folder=folder,
        ) as proxy,
        proxy.client() as client,
    ):
        answer = await client.get(f"http://localhost:{api.port}/a")
        await proxy.logged(1)

    assert answer.status_code == 200
    assert api.tokens == ["Bearer t1", "Bearer t2"]
    for written in (flows.read_bytes(), har.read_bytes()):
        assert b"Bearer t" not in written
    assert flows.read_bytes().count(b"11:status_code") == 1
    assert "Bearer t" not in proxy.output
    assert proxy.output.count("GET /a") + proxy.output.count(f"GET http://localhost:{api.port}/a") == 1


@pytest.mark.parametrize("option", ["stream_large_bodies=1", "store_streamed_bodies=true"])
async def test_request_is_sent_again_when_mitmproxy_streams_on_its_own(
    idp: AuthorizationServer, api: Api, folder: Path, option: str
) -> None:
    api.unauthorized.add("Bearer t1")

    async with (
        mitmdump(rules(idp, api.port), "--set", option, folder=folder) as proxy,
        proxy.client() as client,
    ):
        answer = await client.get(f"http://localhost:{api.port}/a")
        lines = await proxy.logged(1)

    assert answer.status_code == 200
    assert answer.json() == {"target": "/a"}
    assert lines[0]["token"] == "retried"


async def test_large_upload_is_not_sent_again_when_mitmproxy_keeps_it(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    async def take(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(int(request.one("content-length") or 0))
        status = 401 if request.one("authorization") == "Bearer t1" else 200
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)

    api.answer = take

    async with (
        mitmdump(rules(idp, api.port), "--set", "store_streamed_bodies=true", folder=folder) as proxy,
        proxy.client() as client,
    ):
        url = f"http://localhost:{api.port}/a"
        statuses = [(await client.put(url, content=bytes(2**20 + 1))).status_code for _ in range(2)]

    assert statuses == [401, 200]
