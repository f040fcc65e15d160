"""Broken set-ups: the first line of `doctor` that is not ok names the cause, and what mends it."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from tests.proxy import setups
from tests.proxy.harness import free_port
from tests.proxy.setups import Break, World
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(
    authority: trustme.CA,
    trusted: Path,
    idp: AuthorizationServer,
    tls_api: Api,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return World(
        folder=folder, idp=idp, api=tls_api, trusted=trusted, port=await free_port(), monkeypatch=monkeypatch
    )


async def test_all_is_well(world: World) -> None:
    found = [finding async for finding in world.findings()]

    assert [each for each in found if each.state == "fail"] == []
    checks = [
        "config",
        "secrets",
        "server",
        "clock",
        "token",
        "api",
        "port",
        "variables",
        "no_proxy",
        "journey",
    ]
    assert [each.check for each in found if each.state == "ok"] == checks
    assert found[-1].what == f"GET https://localhost:{world.api.port}/v2/: 200, with a token of billing"
    assert world.api.seen[-1].one("authorization") == "Bearer t3"


BROKEN = [
    (setups.secret, "token", "invalid_client (who are you?)", "client_secret"),
    (setups.client_id, "token", "invalid_client", "check client_id"),
    (
        setups.audience,
        "token",
        "access_denied (Client is not authorized)",
        "audience (https://wrong.example)",
    ),
    (setups.scope, "token", "invalid_scope", "check scopes (orders:write)"),
    (setups.audience_of_the_api, "journey", "the API refuses the token with 401", "correct audience"),
    (setups.clock, "clock", "s ahead of localhost", "timedatectl set-ntp true"),
    (setups.clock_behind, "clock", "s behind localhost", "timedatectl set-ntp true"),
    (setups.no_proxy, "no_proxy", "localhost in NO_PROXY hides the host", "NO_PROXY=corp.example "),
    (setups.issuer, "discovery", "says its issuer is", "issuer"),
    (setups.key, "config", "assertion.key", "edit "),
    (setups.missing_key, "config", "assertion.key", "edit "),
    (setups.token_url, "token", "404", "check token_url"),
    (setups.no_server, "server", "refused the connection", "check host and port"),
    (setups.no_store, "store", "can't be used: no connection: refused", "bring Redis up"),
    (setups.no_tls, "server", "is not trusted", "client.tls.ca"),
    (setups.no_api, "api", "refuses the connection", "match.host and port of rule billing"),
    (setups.untrusted_api, "api", "is not trusted", "ssl_verify_upstream_trusted_ca=FILE"),
    (setups.untrusted_api_without_a_scheme, "api", "is not trusted", "ssl_verify_upstream_trusted_ca=FILE"),
    (setups.no_ca, "trust", "mitmproxy's CA can't be read", "--confdir"),
    (setups.syntax, "config", "clientcreds.yaml:", "edit "),
    (setups.no_secret, "secrets", "the environment variable SECRET is not set", "export SECRET="),
    (setups.no_secret_file, "secrets", "No such file", "put the secret where"),
    (setups.failing_command, "secrets", "the command failed with status 1", "put the secret where"),
    (setups.unknown_preset, "config", "auth0", "edit "),
    (setups.other_proxy, "variables", "HTTPS_PROXY leads to proxy.corp.example", "clientcreds env --port"),
    (setups.no_proxy_listens, "variables", "where no proxy listens", "clientcreds serve"),
    (setups.options, "config", "mitmproxy's options", "--set"),
    (setups.expired_certificate, "secrets", "certificate of billing expired on", "client.tls.cert"),
    (setups.scope_of_the_api, "journey", "it wants other scopes", "add them to scopes of billing"),
    (
        setups.client_list,
        "journey",
        "the proxy opened no tunnel to localhost",
        "clientcreds explain GET https://localhost",
    ),
    (setups.elsewhere_on_this_machine, "variables", "http_proxy leads to localhost:1", "clientcreds env"),
    (setups.nonsense, "variables", "https_proxy holds no URL", "clientcreds env"),
    (setups.nobody, "api", "nobody.invalid can't be resolved", "match.host and port of rule billing"),
    (setups.no_file, "config", "the file is empty", "edit "),
]


@pytest.mark.parametrize(
    ("broken", "check", "what", "mend"), [pytest.param(*each, id=each[0].__name__) for each in BROKEN]
)
async def test_first_failing_line_names_the_cause_and_the_mend(
    broken: Break, check: str, what: str, mend: str, world: World
) -> None:
    broken(world)

    first = await world.first_failing()

    assert first.check == check, first
    assert what in first.what, first
    assert first.mend is not None
    assert mend in first.mend, first
    assert "hunter2" not in f"{first.what} {first.mend}"


async def test_port_that_another_program_has_is_named(world: World) -> None:
    async with await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", world.port):
        first = await world.first_failing()

    assert first.check == "port"
    assert f"127.0.0.1:{world.port} can't be opened: another program has it" in first.what
    assert (first.mend or "").startswith(f"clientcreds serve --config {world.path} -p ")


async def test_certificate_of_another_api_is_named(world: World, authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example").configure_cert(context)

    async with Api().running(context) as world.api:
        first = await world.first_failing()

    assert first.check == "api"
    assert "Hostname mismatch" in first.what
    assert first.mend == "it is another server's: check match.host of rule billing"


async def test_port_without_tls_is_named(world: World) -> None:
    def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        world.api.port = server.sockets[0].getsockname()[1]
        first = await world.first_failing()

    assert first.check == "api"
    assert (first.mend or "").endswith("does that port speak TLS?")


async def test_plain_api_on_loopback_is_no_failure(world: World) -> None:
    """There a rule without a scheme is for both, and many an API of a developer speaks no TLS."""
    world.config = world.config.replace("scheme: https, ", "")
    async with await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0) as server:
        world.api.port = server.sockets[0].getsockname()[1]
        found = {finding.check: finding async for finding in world.findings()}

    assert found["api"].what == f"localhost:{world.api.port} takes connections (plain http)"
    assert found["journey"].what.startswith(
        f"GET http://localhost:{world.api.port}/v2/: the proxy can't reach"
    )


async def test_no_tls_is_verified_through_insecure_options(world: World) -> None:
    """Contract section 3.2: no token then, but to loopback."""
    world.settings.append("ssl_insecure=true")

    assert [finding async for finding in world.findings() if finding.state == "fail"] == []
