"""Clients that refuse the proxy's CA: the log says so once, with the variable to set."""

import asyncio
import ssl
from pathlib import Path

import pytest

from tests.proxy.harness import Proxy, mitmdump
from tests.simulators.api import Api

pytestmark = pytest.mark.anyio

RULES = "version: 1\nlog: {{format: json}}\nrules: [{{name: a, match: {{host: localhost, port: {port}}}}}]\n"


async def greet(proxy: Proxy, port: int, agent: str, trust: ssl.SSLContext) -> None:
    """Open a tunnel and TLS in it, and hang up; an error where the certificate is refused."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(
            f"CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {agent}\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        await writer.start_tls(trust, server_hostname="localhost")
    finally:
        writer.close()


async def test_a_client_that_refuses_the_ca_is_named_once(tls_api: Api, trusted: Path, folder: Path) -> None:
    silent = ssl.create_default_context(cafile=str(trusted))
    silent.check_hostname, silent.verify_mode = False, ssl.CERT_NONE  # looks at it afterwards, as GnuTLS does
    option = ("--set", f"ssl_verify_upstream_trusted_ca={trusted}")
    async with mitmdump(RULES.format(port=tls_api.port), *option, folder=folder) as proxy:
        for agent in ("curl/8.1", "curl/8.1", "Go-http-client/1.1"):
            with pytest.raises(ssl.SSLCertVerificationError):
                await greet(proxy, tls_api.port, agent, ssl.create_default_context())
        await greet(proxy, tls_api.port, "git/2.39", silent)
        await greet(proxy, tls_api.port, "Mozilla/5.0", silent)  # browsers open connections ahead of need
        await proxy.said("git/2.39 seems not to trust")
        async with proxy.client() as client:
            assert (await client.get(f"https://localhost:{tls_api.port}/")).status_code == 200
        await proxy.logged(1)

    told = [line for line in proxy.lines if "the proxy's CA for localhost" in line]
    assert len(told) == 3, proxy.output
    assert "curl/8.1 seems not to trust the proxy's CA for localhost: set CURL_CA_BUNDLE" in told[0]
    assert "Go-http-client/1.1 seems not to trust the proxy's CA for localhost: set SSL_CERT_FILE" in told[1]
    assert "set GIT_SSL_CAINFO" in told[2]
    assert '"client": "127.0.0.1"' in told[0]


async def test_a_client_that_trusts_the_ca_is_not_named(tls_api: Api, trusted: Path, folder: Path) -> None:
    """Not even one that gives itself away by silence alone."""
    option = ("--set", f"ssl_verify_upstream_trusted_ca={trusted}")
    async with mitmdump(RULES.format(port=tls_api.port), *option, folder=folder) as proxy:
        async with proxy.client() as client:
            client.headers["User-Agent"] = "Wget/1.21"
            assert (await client.get(f"https://localhost:{tls_api.port}/")).status_code == 200
        await proxy.logged(1)

    assert "the proxy's CA" not in proxy.output
