"""Section 8: `clientcreds serve` and `web`, which are mitmdump and mitmweb with the addon in them."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.proxy.harness import CLIENTCREDS, PATIENCE, environment, free_port, mitmdump
from tests.proxy.test_first_request import rules
from tests.simulators.api import Api, Request
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A command that has ended."""

    code: int | None
    stdout: str
    stderr: str


async def ended(*arguments: str, folder: Path) -> Ended:
    """What becomes of `clientcreds ARGUMENTS`, which must end by itself."""
    process = await asyncio.create_subprocess_exec(
        *CLIENTCREDS,
        *arguments,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(folder),
    )
    stdout, stderr = await asyncio.wait_for(process.communicate(), PATIENCE)
    return Ended(code=process.returncode, stdout=stdout.decode(), stderr=stderr.decode())


class Held:
    """An API that answers when it is let."""

    def __init__(self) -> None:
        self.reached, self.let = asyncio.Event(), asyncio.Event()

    async def __call__(self, _: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reached.set()
        await self.let.wait()
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\nok")


async def test_serve_attaches_tokens_and_lets_requests_in_flight_finish(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    held, port = Held(), await free_port()
    config = rules(idp, api.port, extra=f'status: {{listen: "127.0.0.1:{port}"}}')
    url = f"http://localhost:{api.port}/"
    readyz = f"http://127.0.0.1:{port}/readyz"

    async with (
        mitmdump(config, folder=folder, command="serve") as proxy,
        proxy.client() as client,
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as status,
    ):
        before = await client.get(url)
        ready = await status.get(readyz)
        api.answer = held
        flying = asyncio.ensure_future(client.get(url))
        await held.reached.wait()
        proxy.process.terminate()
        async with asyncio.timeout(PATIENCE):
            while (draining := await status.get(readyz)).status_code == 200:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        late = await client.get(url)
        held.let.set()
        finished = await flying
        code = await asyncio.wait_for(proxy.process.wait(), PATIENCE)

    assert (before.status_code, ready.status_code) == (200, 200)
    assert (draining.status_code, late.status_code, finished.text) == (503, 503, "ok")
    assert api.tokens[:2] == ["Bearer t1", "Bearer t1"]
    assert code == 0
    assert list((folder / "clientcreds").glob("*.json")) == []
    assert "listening at *:" not in proxy.output  # on loopback from the first moment


async def test_web_attaches_tokens_and_serves_its_page(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    port = await free_port()
    options = ("--web-port", str(port), "--no-web-open-browser", "--set", "web_password=made-up")

    async with (
        mitmdump(rules(idp, api.port), *options, folder=folder, command="web") as proxy,
        proxy.client() as client,
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as browser,
    ):
        answer = await client.get(f"http://localhost:{api.port}/")
        flows = await browser.get(f"http://127.0.0.1:{port}/flows?token=made-up")
        content = f"/flows/{flows.json()[0]['id']}/response/content.data?token=made-up"
        body = await browser.get(f"http://127.0.0.1:{port}{content}")
        proxy.process.terminate()
        code = await asyncio.wait_for(proxy.process.wait(), PATIENCE)

    assert answer.status_code == 200
    assert api.tokens == ["Bearer t1"]
    assert "clientcreds rule=api token_source=idp token=fetched" in flows.text
    assert "t1" not in flows.text
    assert body.content == answer.content != b""
    assert code == 0
    assert "Traceback" not in proxy.output


@pytest.mark.parametrize("command", ["serve", "web"])
async def test_start_that_fails_says_one_thing_and_exits_with_1(command: str, api: Api, folder: Path) -> None:
    good, bad = folder / "good.yaml", folder / "bad.yaml"
    good.write_text("version: 1\nstatus: null\nrules: []\n")
    bad.write_text("version: 1\nrulez: []\n")
    confdir = ("--set", f"confdir={folder.parent / 'confdir'}")

    broken = folder / "broken"
    broken.mkdir()
    (broken / "mitmproxy-ca.pem").write_text("no key")

    wrong, taken, unknown, misspelt, no_ca, no_folder = await asyncio.gather(
        ended(command, "--config", str(bad), *confdir, folder=folder),
        ended(command, "--config", str(good), "-p", str(api.port), *confdir, folder=folder),
        ended(command, "--config", str(good), "--nosuch", folder=folder),
        ended(command, "--set", f"clientcreds_confg={good}", folder=folder),
        ended(command, "--config", str(good), "--set", f"confdir={broken}", folder=folder),
        ended(command, "--config", str(good), "--set", f"confdir={good}", folder=folder),
    )

    assert wrong == Ended(code=1, stdout="", stderr=f"{bad}:2:1: rulez: unknown key, did you mean 'rules'?\n")
    assert (taken.code, taken.stdout) == (1, "")
    assert taken.stderr.count(f"failed to listen on 127.0.0.1:{api.port}") == 1
    assert unknown.code == 2
    assert "unrecognized arguments: --nosuch" in unknown.stderr
    assert misspelt.code == 2
    assert "--set names no option: clientcreds_confg\n" in misspelt.stderr
    assert (no_ca.code, no_folder.code) == (1, 1)
    ca = "clientcreds: mitmproxy's CA can't be read or made"
    hint = "--set confdir=DIR names another folder"
    assert no_ca.stderr == f"{ca}: {broken}: Unable to load PEM file; {hint}\n"
    assert no_folder.stderr == f"{ca}: {good}: File exists; {hint}\n"


async def test_serve_takes_no_configuration_for_a_filter(folder: Path) -> None:
    (folder / "team.yaml").write_text("version: 1\nstatus: null\nrules: []\n")

    named = await ended("serve", str(folder / "team.yaml"), "-p", "1", folder=folder)

    assert named.code == 2
    assert f"--config {folder / 'team.yaml'}\n" in named.stderr


async def test_help_says_that_mitmproxys_options_go_along(folder: Path) -> None:
    serve, web, options = await asyncio.gather(
        ended("serve", "-h", folder=folder),
        ended("web", "--help", folder=folder),
        ended("serve", "--options", folder=folder),
    )

    assert (serve.code, web.code, options.code) == (0, 0, 0)
    assert "all options of mitmdump can follow" in " ".join(serve.stdout.split())
    assert "All options of mitmweb can follow" in " ".join(web.stdout.split())
    assert "clientcreds_config" in options.stdout
