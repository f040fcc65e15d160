"""Section 10: the status server of a running proxy, and the commands that ask it (section 8)."""

import asyncio
import json
import os
import re
import signal
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from click.testing import Result
from mitmproxy import connection

from tests.proxy.harness import PATIENCE, SCRIPT, Proxy, free_port, mitmdump
from tests.proxy.inside import inside
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer, Reply
from tests.unit.cli.running import run

pytestmark = pytest.mark.anyio

SECRET, TOKEN = "canarySecret", "canaryToken"
NOTHING_KEPT = httpx.Limits(max_keepalive_connections=0)  # each request asks for a connection


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A proxy, its status server, and the folder that is its runtime directory too."""

    idp: AuthorizationServer
    api: Api
    proxy: Proxy
    status: httpx.AsyncClient
    folder: Path

    @property
    def runtime(self) -> Path:
        return self.folder / "clientcreds"

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {(self.runtime / 'token').read_text()}"}

    async def get(self, target: str = "/a") -> int:
        """The status of a request through the proxy."""
        async with self.proxy.client() as client:
            return (await client.get(f"http://localhost:{self.api.port}{target}")).status_code

    def command(self, *arguments: str) -> Result:
        """What `clientcreds ARGUMENTS` does, beside this proxy."""
        return run(*arguments, environ={"XDG_RUNTIME_DIR": str(self.folder)})


def config(idp: AuthorizationServer, api: Api, status: int | None, *, more: str = "") -> str:
    listen = "null" if status is None else f'{{listen: "127.0.0.1:{status}"}}'
    return f"""
version: 1
log: {{format: json}}
status: {listen}
token_sources:
  idp: {{token_url: "{idp.token_url}?key={SECRET}", client_id: app, client_secret: {SECRET}}}
rules:
  - {{name: api, match: {{host: localhost, port: {api.port}, path: /a}}, token_source: idp}}
{more}
"""


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("world") / "proxy"
    folder.mkdir()
    port = await free_port()
    idp = AuthorizationServer(client_secret=SECRET, token_prefix=TOKEN)
    async with (
        idp.running(),
        Api().running() as api,
        mitmdump(config(idp, api, port), folder=folder) as proxy,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE) as status,
    ):
        one = World(idp=idp, api=api, proxy=proxy, status=status, folder=folder)
        await announced(one.runtime, proxy.process.pid)
        yield one
        assert SECRET not in proxy.output
        assert "Traceback" not in proxy.output


async def announced(runtime: Path, pid: int, *, gone: bool = False) -> Path:
    """Wait until a proxy says that it runs, or says it no longer."""
    path = runtime / f"{pid}.json"
    async with asyncio.timeout(PATIENCE):
        while path.exists() == gone:  # noqa: ASYNC110 - files tell nobody
            await asyncio.sleep(0.02)
    return path


async def test_health_and_readiness_are_200_while_the_proxy_serves(world: World) -> None:
    answers = [await world.status.get(path) for path in ("/healthz", "/readyz")]

    assert [(each.status_code, each.json()) for each in answers] == [
        (200, {"status": "ok"}),
        (200, {"status": "ready"}),
    ]
    assert {each.headers["Cache-Control"] for each in answers} == {"no-store"}
    assert not any("access-control" in name for each in answers for name in each.headers)


async def test_status_tells_about_sources_rules_and_requests_and_no_secret(world: World) -> None:
    await world.get("/a?tenant=acme")

    answer = await world.status.get("/api/status")

    said = answer.json()
    assert said["pid"] == world.proxy.process.pid
    assert said["listening"] == [f"127.0.0.1:{world.proxy.port}"]
    assert said["config"]["path"] == str(world.folder / "rules.yaml")
    (source,) = said["token_sources"]
    assert (source["state"], source["fetched"], source["has_token"]) == ("ok", 1, True)
    assert 3500 < source["expires_in"] <= 3590
    (rule,) = said["rules"]
    assert (rule["name"], rule["hits"] >= 1, rule["last_status"]) == ("api", True, 200)
    assert (said["requests"][0]["path"], said["requests"][0]["status"]) == ("/a", 200)
    assert "the secret stands in this file" in said["warnings"][0]["message"]
    assert SECRET not in answer.text
    assert TOKEN not in answer.text
    assert "acme" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:8082"},
        {"Host": "192.0.2.1"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
async def test_web_pages_are_refused(world: World, headers: dict[str, str]) -> None:
    everywhere = [
        await world.status.request(method, path, headers={**world.bearer, **headers})
        for method, path in (
            ("GET", "/healthz"),
            ("GET", "/readyz"),
            ("GET", "/api/status"),
            ("POST", "/api/reload"),
            ("POST", "/api/purge"),
            ("GET", "/nothing"),
        )
    ]

    assert {each.status_code for each in everywhere} == {403}
    assert {each.headers["Content-Type"] for each in everywhere} == {"application/problem+json"}


@pytest.mark.parametrize("host", ["localhost:8082", "LOCALHOST", "127.0.0.1", "[::1]:8082"])
async def test_every_name_of_this_machine_is_taken(world: World, host: str) -> None:
    page = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}

    assert (await world.status.get("/api/status", headers=page)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/nothing", 404, None),
        ("POST", "/", 404, None),
        ("GET", "/api/reload", 405, "POST"),
        ("GET", "/api/purge", 405, "POST"),
        ("POST", "/api/status", 405, "GET, HEAD"),
        ("DELETE", "/healthz", 405, "GET, HEAD"),
        ("OPTIONS", "/api/reload", 405, "POST"),
    ],
)
async def test_what_there_is_not_is_a_problem(
    world: World, method: str, path: str, *, status: int, allow: str | None
) -> None:
    answer = await world.status.request(method, path)

    assert (answer.status_code, answer.headers.get("Allow")) == (status, allow)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status


async def test_changes_want_the_token_of_the_runtime_directory(world: World) -> None:
    await world.get()
    tokens = len(world.idp.seen)
    wrong: tuple[dict[str, str], ...] = (
        {},
        {"Authorization": "Bearer x"},
        {"Authorization": world.bearer["Authorization"][7:]},
    )

    answers = [
        await world.status.post(path, headers=headers)
        for path in ("/api/purge", "/api/reload")
        for headers in wrong
    ]

    assert {(each.status_code, each.headers["WWW-Authenticate"]) for each in answers} == {(401, "Bearer")}
    await world.get()
    assert len(world.idp.seen) == tokens


async def test_purge_drops_a_token(world: World) -> None:
    await world.get()
    tokens = len(world.idp.seen)

    one = await world.status.post("/api/purge", json={"source": "idp"}, headers=world.bearer)
    await world.get()
    everything = await world.status.post("/api/purge", headers=world.bearer)
    await world.get()

    assert (one.json(), everything.json()) == ({"purged": ["idp"]}, {"purged": ["idp"]})
    assert len(world.idp.seen) == tokens + 2


async def test_purge_drops_a_remembered_failure(world: World) -> None:
    await world.status.post("/api/purge", headers=world.bearer)
    world.idp.replies.append(
        Reply(status=400, body=b'{"error": "invalid_scope", "error_description": "not yours"}')
    )
    refused = [await world.get(), await world.get()]
    (source,) = (await world.status.get("/api/status")).json()["token_sources"]

    purged = world.command("purge", "idp")

    assert refused == [502, 503]
    assert (source["state"], source["has_token"]) == ("backing_off", False)
    assert 0 < source["next_try_seconds"] <= 30
    assert source["last_error"]["reason"] == "token_rejected"
    assert source["last_error"]["error"] == "invalid_scope"
    assert source["last_error"]["error_description"] == "not yours"
    assert "check scopes" in source["last_error"]["hint"]
    assert purged.exit_code == 0
    assert await world.get() == 200


@pytest.mark.parametrize("body", ['{"source": 1}', "[]", "{", '{"sources": "idp"}', '"idp"', "[" * 60_000])
async def test_purge_takes_a_source_or_nothing(world: World, body: str) -> None:
    answer = await world.status.post("/api/purge", content=body, headers=world.bearer)

    assert answer.status_code == 400
    assert "expected nothing, or" in answer.json()["detail"]


async def test_purge_of_an_unknown_source_names_those_that_there_are(world: World) -> None:
    answer = await world.status.post("/api/purge", json={"source": "nix"}, headers=world.bearer)
    command = world.command("purge", "nix")

    assert (answer.status_code, answer.json()["token_sources"]) == (404, ["idp"])
    assert command.exit_code == 1
    assert command.stderr.endswith("there is no such token source\nthe token sources are idp\n")
    assert "a bug of clientcreds" not in world.proxy.output


async def test_reload_and_purge_tell_programs_the_same(world: World) -> None:
    path = world.folder / "rules.yaml"
    good = path.read_text()

    path.write_text(good + "rulez: []\n")
    bad = world.command("reload", "--json")
    path.write_text(good)
    done = [world.command("reload", "--json"), world.command("purge", "idp", "--json")]
    unknown = world.command("purge", "--json", "nix")

    assert (bad.exit_code, len(json.loads(bad.stdout)["problems"]), bad.stderr) == (1, 1, "")
    assert [each.exit_code for each in done] == [0, 0]
    assert [json.loads(each.stdout) for each in done] == [{"status": "reloaded"}, {"purged": ["idp"]}]
    assert (unknown.exit_code, json.loads(unknown.stdout)["token_sources"]) == (1, ["idp"])


async def test_reload_tells_what_is_wrong_and_leaves_the_old_rules(world: World) -> None:
    path = world.folder / "rules.yaml"
    good = path.read_text()

    path.write_text(good + "rulez: []\n")
    bad = await world.status.post("/api/reload", headers=world.bearer)
    command = world.command("reload")
    said = (await world.status.get("/api/status")).json()["config"]
    path.write_text(good)
    mended = world.command("reload")

    problem = f"{path}:{len(good.splitlines()) + 1}:1: rulez: unknown key, did you mean 'rules'?"
    assert (bad.status_code, bad.json()["problems"]) == (422, [problem])
    assert (command.exit_code, command.stdout) == (1, f"{problem}\n")
    assert (said["reload"]["ok"], said["reload"]["problems"]) == (False, [problem])
    assert (mended.exit_code, mended.stdout) == (0, f"ok: {path} is in force\n")
    assert await world.get() == 200


async def test_status_command_shows_the_same_to_people_and_to_programs(world: World) -> None:
    await world.get()

    text, as_json = world.command("status"), world.command("status", "--json")

    assert (text.exit_code, as_json.exit_code) == (0, 0)
    assert f"listening  127.0.0.1:{world.proxy.port}\n" in text.stdout
    assert re.search(r"^  idp  ok +token for 59 min \d+ s", text.stdout, re.MULTILINE)
    assert "  api  " in text.stdout
    assert json.loads(as_json.stdout)["token_sources"][0]["name"] == "idp"
    for shown in (text.stdout, as_json.stdout):
        assert SECRET not in shown
        assert TOKEN not in shown


async def test_files_of_the_runtime_directory_are_the_users_alone(world: World) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in world.runtime.iterdir()}

    assert stat.S_IMODE(world.runtime.stat().st_mode) == 0o700
    assert modes == {"token": 0o600, f"{world.proxy.process.pid}.json": 0o600}


async def test_second_proxy_takes_a_free_port_and_port_chooses_between_the_two(world: World) -> None:
    other = world.folder.parent / "second"
    other.mkdir()
    text = (world.folder / "rules.yaml").read_text()  # the same status port
    beside = {"XDG_RUNTIME_DIR": str(world.folder)}

    async with mitmdump(text, folder=other, environ=beside) as second:
        file = await announced(world.runtime, second.process.pid)
        several = world.command("status")
        chosen = world.command("status", "--port", str(second.port), "--json")
        spelled = world.folder / ".." / "second" / "rules.yaml"
        by_config = world.command("status", "--config", str(spelled), "--json")
        neither = world.command("reload", "--port", "1")
        os.kill(second.process.pid, signal.SIGKILL)
        await second.process.wait()
        left = file.exists()
        alone = world.command("status", "--json")

    assert "it takes a free port" in second.output
    assert several.exit_code == 2
    for proxy in (world.proxy, second):
        assert f"--port {proxy.port}  pid {proxy.process.pid}  " in several.stderr
    assert json.loads(chosen.stdout)["pid"] == json.loads(by_config.stdout)["pid"] == second.process.pid
    assert neither.exit_code == 1
    assert "no such proxy is running, but" in neither.stderr
    assert left  # it could not remove that itself
    assert not file.exists()
    assert json.loads(alone.stdout)["pid"] == world.proxy.process.pid


async def test_commands_say_what_to_do_where_nothing_runs(tmp_path: Path) -> None:
    for command in ("status", "reload", "purge"):
        result = run(command, environ={"XDG_RUNTIME_DIR": str(tmp_path)})

        assert result.exit_code == 1
        assert "start one with `clientcreds serve`" in result.stderr


async def test_status_server_moves_with_the_configuration_and_goes_with_it(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    first, second = await free_port(), await free_port()
    path = folder / "rules.yaml"

    async with (
        mitmdump(config(idp, api, first), folder=folder) as proxy,
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE, limits=NOTHING_KEPT) as client,
    ):
        file = await announced(folder / "clientcreds", proxy.process.pid)
        path.write_text(config(idp, api, second))
        async with asyncio.timeout(PATIENCE):
            while f":{second}" not in _text(file):  # noqa: ASYNC110 - files tell nobody
                await asyncio.sleep(0.02)
        moved = await client.get(f"http://127.0.0.1:{second}/readyz")
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{first}/readyz")
        path.write_text(config(idp, api, None))
        await announced(folder / "clientcreds", proxy.process.pid, gone=True)
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{second}/readyz")

    assert moved.status_code == 200


def _text(file: Path) -> str:
    """What stands in it; while the server moves, the file is not there."""
    try:
        return file.read_text()
    except FileNotFoundError:
        return ""


async def test_status_server_keeps_its_port_when_the_script_is_loaded_again(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    port, script = await free_port(), folder / "addon" / "clientcreds.py"
    script.parent.mkdir()
    script.write_text(SCRIPT.read_text())
    (script.parent / "clientcreds_proxy").symlink_to(SCRIPT.parent / "clientcreds_proxy")
    idp.client_secret = SECRET

    async with (
        mitmdump(config(idp, api, port), folder=folder, script=script) as proxy,
        proxy.client() as client,
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as status,
    ):
        file = await announced(folder / "clientcreds", proxy.process.pid)
        kept = await status.get(f"http://127.0.0.1:{port}/readyz")
        later = script.stat().st_mtime_ns + 2_000_000_000
        os.utime(script, ns=(later, later))
        await proxy.said("the rules are those of", times=2)
        await announced(folder / "clientcreds", proxy.process.pid)
        await client.get(f"http://localhost:{api.port}/a")
        said = (await status.get(f"http://127.0.0.1:{port}/api/status")).json()

    assert kept.status_code == 200
    assert said["rules"][0]["hits"] == 1
    assert not file.exists()
    assert "it takes a free port" not in proxy.output
    assert "Traceback" not in proxy.output


async def test_proxy_serves_where_the_runtime_directory_is_not_to_be_trusted(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    idp.client_secret = SECRET
    (folder / "clientcreds").mkdir()
    (folder / "clientcreds").chmod(0o777)
    port = await free_port()

    async with mitmdump(config(idp, api, port), folder=folder) as proxy, proxy.client() as client:
        await proxy.said("can't find this proxy")
        answer = await client.get(f"http://localhost:{api.port}/a")
        purge = await client.post(f"http://127.0.0.1:{port}/api/purge")
        command = run("status", environ={"XDG_RUNTIME_DIR": str(folder)})

    assert answer.status_code == 200
    assert purge.status_code == 403
    assert command.exit_code == 1
    assert "others have access; expected mode 0700" in proxy.output
    assert "others have access; expected mode 0700" in command.stderr
    assert list((folder / "clientcreds").iterdir()) == []


class Elsewhere:
    """Lets clients appear to be on another machine."""

    def client_connected(self, client: connection.Client) -> None:
        client.peername = ("192.0.2.7", client.peername[1])


async def test_client_on_another_machine_reaches_no_status_server_through_the_proxy(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    port = await free_port()
    url = f"http://127.0.0.1:{port}/api/status"
    text = config(idp, api, port, more='allowed_clients: ["0.0.0.0/0"]')

    async with (
        inside(text, folder=folder) as proxy,
        proxy.client() as client,
        httpx.AsyncClient(trust_env=False) as direct,
    ):
        here = await client.get(url)
        proxy.master.addons.add(Elsewhere())
        async with proxy.client() as other:
            elsewhere = await other.get(url)
        beside = await direct.get(url)

    assert (here.status_code, elsewhere.status_code, beside.status_code) == (200, 403, 200)
    assert elsewhere.json()["detail"] == "the status server is for this machine only"
