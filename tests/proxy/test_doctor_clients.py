"""`doctor` beside a running proxy: where clients are led, and whether they trust its CA."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clientcreds_proxy.cli.clients import table, trust
from clientcreds_proxy.cli.doctor.finding import Finding
from clientcreds_proxy.observe import runtime
from clientcreds_proxy.proxy.serving.authority import ca_certificate
from tests.proxy.harness import PATIENCE, Proxy, free_port, mitmdump
from tests.proxy.setups import CONFIG, World
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio

PROGRAMS = ("curl", "git", "wget", "go", "python3", "java")
NODE_20, NODE_24 = "v20.19.0", "v24.11.1"


@asynccontextmanager
async def running(world: World) -> AsyncIterator[Proxy]:
    """The proxy of this configuration, with a status server, so that it can be found."""
    world.config = CONFIG.replace("status: null", f"status: {{listen: 127.0.0.1:{await free_port()}}}")
    world.write()
    environ = {"SECRET": "s3cr3t", "XDG_RUNTIME_DIR": str(world.folder)}
    trusted = f"ssl_verify_upstream_trusted_ca={world.trusted}"
    async with mitmdump(world.path, "--set", trusted, folder=world.folder, environ=environ) as proxy:
        world.port = proxy.port
        await announced(proxy)
        yield proxy


async def announced(proxy: Proxy) -> None:
    """Wait until commands can find the proxy where it listens, after it has moved to loopback."""
    async with asyncio.timeout(PATIENCE):
        address = f"127.0.0.1:{proxy.port}"
        while not any(address in each.listening for each in runtime.announced(runtime.place())):
            assert proxy.process.returncode is None, proxy.output
            await asyncio.sleep(0.02)


def install(folder: Path, *, node: str = NODE_20, git: str = "") -> str:
    """A PATH with a program of each kind on it."""
    place = Path(tempfile.mkdtemp(prefix="bin-", dir=folder))
    says = {**dict.fromkeys(PROGRAMS, ""), "node": node, "git": git}
    for program, output in says.items():
        (place / program).write_text(f"#!/bin/sh\necho {output}\n")
        (place / program).chmod(0o700)
    return str(place)


def led(world: World, port: int) -> dict[str, str]:
    """The environment that `clientcreds env` makes; no rule is hidden."""
    ca = ca_certificate(str(world.folder.parent / "confdir"))
    files = trust.write_files(world.folder / "ca", trust.bundle(ca, {}), {"HOME": str(world.folder)})
    own = {"SECRET": "s3cr3t", "PATH": install(world.folder)}
    return own | table.variables(table.Address(port=port), files, hidden=(), own=own)


async def failing(world: World) -> list[Finding]:
    return [finding async for finding in world.findings() if finding.state == "fail"]


# What is taken away, who then is in trouble, and the variable that mends it.
MISSING = [
    (("CURL_CA_BUNDLE", "SSL_CERT_FILE"), {"curl", "python (urllib, httpx)", "go"}, "CURL_CA_BUNDLE"),
    (("GIT_SSL_CAINFO",), {"git"}, "GIT_SSL_CAINFO"),
    (("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), {"python (requests)"}, "REQUESTS_CA_BUNDLE"),
    (("NODE_EXTRA_CA_CERTS",), {"node"}, "NODE_EXTRA_CA_CERTS"),
    (("NODE_OPTIONS",), {"this node"}, "NODE_OPTIONS"),
    (("JAVA_TOOL_OPTIONS",), {"java"}, "JAVA_TOOL_OPTIONS"),
    (("WGETRC",), {"wget"}, "WGETRC"),
]


async def test_clients_are_looked_at_one_by_one(
    idp: AuthorizationServer,
    tls_api: Api,
    trusted: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    world = World(folder=folder, idp=idp, api=tls_api, trusted=trusted, port=0, monkeypatch=monkeypatch)
    async with running(world) as proxy:
        whole = world.environ = led(world, proxy.port)

        found = [finding async for finding in world.findings()]
        assert [each for each in found if each.state == "fail"] == []
        said = {each.check: each.what for each in found}
        assert said["port"] == f"a proxy with this configuration listens on 127.0.0.1:{proxy.port}"
        assert said["variables"].endswith(f": lead to http://127.0.0.1:{proxy.port}")
        assert len([each for each in found if each.check == "trust"]) == 8
        await proxy.said("GET", times=1)  # the request went through this one

        for names, troubled, variable in MISSING:
            world.environ = {name: value for name, value in whole.items() if name not in names}
            lines = await failing(world)
            assert {line.check for line in lines} == {"trust"}, lines
            assert all(any(line.what.startswith(name) for line in lines) for name in troubled), lines
            assert any((line.mend or "").endswith(f"# sets {variable}") for line in lines), lines
            assert (lines[0].mend or "").startswith(f'eval "$(clientcreds env --port {proxy.port}')

        world.environ = {**whole, "PATH": install(folder, node=NODE_24), "NODE_OPTIONS": ""}
        assert await failing(world) == []
        del world.environ["NODE_USE_ENV_PROXY"]
        assert [line.what for line in await failing(world)] == [
            "node reads proxy variables only when another tells it to"
        ]

        world.environ = {
            **whole,
            "JAVA_TOOL_OPTIONS": f"-Dhttps.proxyHost=127.0.0.1 -Djavax.net.ssl.trustStore={os.devnull}",
        }
        assert [line.what for line in await failing(world)] == [
            "java does not trust the proxy's CA: JAVA_TOOL_OPTIONS does not lead to it"
        ]

        world.environ = {**whole, "PATH": install(folder, git="http://me:hunter2@proxy.example:3128")}
        (line,) = await failing(world)
        assert line.what == "git goes to a proxy of its own: http.proxy in its configuration"
        assert line.mend == "git config --global --unset http.proxy"
        world.environ = {**whole, "PATH": install(folder, git=proxy.url)}
        assert await failing(world) == []

        world.environ = {name: value for name, value in whole.items() if name != "https_proxy"}
        (line,) = await failing(world)
        assert line.what == "https_proxy is not set: wget reads it in small letters only"

        world.environ = {**whole, "NO_PROXY": "localhost", "no_proxy": "localhost"}
        assert [line.check for line in await failing(world)] == ["no_proxy"]

        other = world.path.with_name("other.yaml")
        other.write_text(world.path.read_text())
        world.name = other.name
        world.environ = {"SECRET": "s3cr3t", "PATH": "/nowhere"}
        (line,) = await failing(world)
        assert (
            line.what
            == f"127.0.0.1:{proxy.port} is a proxy with another configuration: {folder}/clientcreds.yaml"
        )
