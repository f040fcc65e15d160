"""Section 1: where the proxy listens, and when it does not start at all."""

import asyncio
import re
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from tests.proxy.harness import PATIENCE, Proxy, free_port, mitmdump
from tests.proxy.lines import dial
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio

ELSEWHERE = "127.0.0.2"  # where only a listener on all addresses answers


def rules(idp: AuthorizationServer, port: int, head: str = "") -> str:
    """One rule for `localhost`."""
    return f"""
version: 1
{head}
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - name: api
    match: {{host: localhost, port: {port}}}
    token_source: idp
"""


async def answers(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    with suppress(OSError):
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(host, port)
        writer.close()
        return True
    return False


def other_address() -> str | None:
    """An address of this machine that others reach; nothing is sent to find it."""
    with suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.connect(("198.51.100.1", 9))
        return str(probe.getsockname()[0])
    return None


async def knock(host: str, port: int) -> None:
    """Connect and ask for something, over and over; an answer is a failure."""
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"GET http://localhost:1/ HTTP/1.1\r\nHost: localhost:1\r\n\r\n")
            assert not await reader.read(1)
            writer.close()
        await asyncio.sleep(0)


async def token_of(proxy: Proxy, api: Api) -> str | None:
    """What a request through this proxy reaches the API with."""
    async with dial(proxy.port) as line:
        await line.get(f"http://localhost:{api.port}/a", f"localhost:{api.port}")
    return api.seen[-1].one("authorization")


@pytest.mark.parametrize("program", ["mitmdump", "mitmweb"])
async def test_proxy_listens_on_loopback_alone(
    idp: AuthorizationServer, api: Api, folder: Path, program: str
) -> None:
    options = ("--no-web-open-browser", "--web-port", str(await free_port())) if program == "mitmweb" else ()

    async with mitmdump(rules(idp, api.port), *options, folder=folder, program=program) as proxy:
        elsewhere = await answers(ELSEWHERE, proxy.port)
        token = await token_of(proxy, api)

    assert not elsewhere
    assert token == "Bearer t1"


async def test_proxy_keeps_the_port_that_the_system_gave(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    async with mitmdump(rules(idp, api.port), "-p", "0", folder=folder) as proxy:
        ports = {int(port) for port in re.findall(r"listening at \S*:(\d+)", proxy.output)}
        elsewhere = await answers(ELSEWHERE, proxy.port)
        token = await token_of(proxy, api)

    assert ports == {proxy.port}
    assert not elsewhere
    assert token == "Bearer t1"


@pytest.mark.parametrize(
    "options", [("--listen-host", "0.0.0.0"), ("--mode", "regular@0.0.0.0:0"), ("--listen-host", "::")]
)
async def test_proxy_does_not_listen_for_everybody(
    idp: AuthorizationServer, folder: Path, options: tuple[str, str]
) -> None:
    async with mitmdump(rules(idp, 1), *options, folder=folder, listens_at=None) as proxy:
        knocking = asyncio.ensure_future(knock("127.0.0.1", proxy.port))
        await proxy.process.wait()
        knocking.cancel()
        with suppress(asyncio.CancelledError):
            await knocking

    assert proxy.process.returncode == 1
    (message,) = [line for line in proxy.lines if "Loading script" not in line]
    assert "allowed_clients" in message
    assert "proxyauth" in message


@pytest.mark.parametrize(
    ("head", "options"),
    [
        ("allowed_clients: [127.0.0.0/8]", ("--listen-host", "0.0.0.0")),
        ("allowed_clients: [127.0.0.0/8]", ("--mode", "regular@0.0.0.0:{port}")),
        ('allowed_clients: ["user:alice", 127.0.0.0/8]', ("--listen-host", "0.0.0.0")),
    ],
)
async def test_proxy_listens_for_those_that_the_configuration_names(
    idp: AuthorizationServer, api: Api, folder: Path, *, head: str, options: tuple[str, str]
) -> None:
    options = (options[0], options[1].format(port=await free_port()))

    async with mitmdump(rules(idp, api.port, head), *options, folder=folder, listens_at="*") as proxy:
        elsewhere = await answers(ELSEWHERE, proxy.port)
        token = await token_of(proxy, api)

    assert elsewhere
    assert token == "Bearer t1"


async def test_proxy_listens_for_users_of_proxyauth(idp: AuthorizationServer, api: Api, folder: Path) -> None:
    options = ("--listen-host", "0.0.0.0", "--set", "proxyauth=a:b")

    async with (
        mitmdump(rules(idp, api.port), *options, folder=folder, listens_at="*") as proxy,
        dial(proxy.port) as line,
    ):
        answer = await line.get(f"http://localhost:{api.port}/a", f"localhost:{api.port}")

    assert answer.status == 407
    assert api.seen == []


async def test_proxy_drops_foreign_connections_from_the_first_moment(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    foreign = other_address()
    if foreign is None:
        pytest.skip("this machine has no address but loopback")
    async with mitmdump(rules(idp, api.port), folder=folder, listens_at=None) as proxy:
        knocking = asyncio.ensure_future(knock(foreign, proxy.port))
        await proxy.said(f"listening at 127.0.0.1:{proxy.port}")
        knocking.cancel()
        with suppress(asyncio.CancelledError):
            await knocking

    assert api.seen == []
