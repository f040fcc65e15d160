"""docs/kong.md, command by command, with a real authorization server and curl."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.proxy.harness import ROOT, Proxy, mitmdump
from tests.services.conftest import POST, OidcProvider, running_oidc_provider
from tests.simulators.api import Api, Request

pytestmark = pytest.mark.anyio

PAGE = (ROOT / "docs" / "kong.md").read_text()
TUTORIAL, OTHER_PLACES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
START, *COMMANDS = [
    tuple(command.split("\n", 1))
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = tmp_path / "proxy"
    own.mkdir()
    return own


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The tutorial's parts on free ports."""

    api: Api
    proxy: Proxy
    environ: dict[str, str]

    async def run(self, command: str) -> str:
        """What a command of the page prints."""
        own = here(command, self.api).replace("127.0.0.1:8080", f"127.0.0.1:{self.proxy.port}")
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", own),
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", **self.environ},
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 30)
        return output.decode()


def here(text: str, api: Api) -> str:
    """A text of the page with the API's own port."""
    return text.replace("localhost:8000", f"localhost:{api.port}")


async def echo(request: Request, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with what came."""
    said = {
        "target": request.target,
        "authorization": request.one("authorization"),
        "body": request.body.decode(),
    }
    body = json.dumps(said).encode() + b"\n"
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


@asynccontextmanager
async def setting(config: str, server: OidcProvider, folder: Path) -> AsyncIterator[Setting]:
    """The page's own command starts the proxy."""
    program, command, option, name = START[0].split()
    assert (program, option) == ("clientcreds", "--config")
    path = folder / name
    environ = {
        "ISSUER": server.issuer,
        "CLIENT_ID": POST.client_id,
        "CLIENT_SECRET": POST.client_secret,
    }
    async with Api(answer=echo).running() as api:
        path.write_text(here(config, api))
        async with mitmdump(path, folder=folder, environ=environ, command=command) as proxy:
            yield Setting(api=api, proxy=proxy, environ=environ)


def says(output: str, shown: str) -> bool:
    """Whether a command printed what the page shows, where `…` stands for something."""
    pattern = re.escape(shown).replace(re.escape("…"), "[^\n]+")
    return re.fullmatch(pattern, output) is not None


@pytest.mark.parametrize(
    ("config", "paths"), [(TUTORIAL, {"/anything"}), (OTHER_PLACES, {"/query", "/form", "/proxy"})]
)
async def test_page_s_commands_print_what_it_shows(
    oidc_provider: OidcProvider, curl: str, folder: Path, config: str, paths: set[str]
) -> None:
    """One token for all of them, and no credentials at the API."""
    of_config = [each for each in COMMANDS if re.findall(r"localhost:8000(/\w+)", each[0])[0] in paths]

    async with setting(config, oidc_provider, folder) as on:
        for command, shown in of_config:
            output = await on.run(command)
            assert says(output, shown), f"{command}\n{output}"
        seen = on.api.seen

    assert len(of_config) >= 4
    assert {request.target.partition("?")[0] for request in seen} == paths
    assert await oidc_provider.granted(POST) == 1
    for request in seen:
        everything = request.head.decode() + request.body.decode()
        assert POST.client_secret not in everything
        assert "client_id" not in everything
        assert "Basic" not in everything
        assert request.one("proxy-authorization") is None


async def test_every_command_of_the_page_is_run() -> None:
    run = [re.findall(r"localhost:8000(/\w+)", command)[0] for command, _ in COMMANDS]

    assert set(run) == {"/anything", "/query", "/form", "/proxy"}


async def test_server_that_is_down_is_told_from_a_caller_that_is_refused(
    node: str, curl: str, folder: Path
) -> None:
    command = COMMANDS[0][0]
    async with AsyncExitStack() as ending:
        server = await ending.enter_async_context(running_oidc_provider(node, [POST.metadata]))
        async with setting(TUTORIAL, server, folder) as on:
            before = json.loads(await on.run(command))
            await ending.aclose()
            still = json.loads(await on.run(command))
            new = json.loads(await on.run(command.replace("$CLIENT_ID:$CLIENT_SECRET", "other:caller")))

    assert before["authorization"].startswith("Bearer ")
    assert still == before  # its token is good
    assert (new["status"], new["reason"]) == (502, "token_unavailable")
