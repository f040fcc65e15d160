"""Sections 1 and 11: what the proxy says where it can't start, and how it may be started."""

import asyncio
import os
import pty
import shutil
import termios
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.proxy.harness import BIN, PATIENCE, ROOT, SCRIPT, free_port, mitmdump
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A program that has ended."""

    code: int | None
    stdout: str
    stderr: str


async def start(
    *options: str,
    cwd: Path,
    environ: Mapping[str, str] | None = None,
    program: str = "mitmdump",
    script: Path | str = SCRIPT,
    confdir: Path | None = None,
) -> Ended:
    """Start the proxy, which must end by itself."""
    process = await asyncio.create_subprocess_exec(
        BIN / program,
        *("-s", str(script), "--set", f"confdir={confdir or cwd.parent / 'confdir'}"),
        *options,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), **(environ or {})},
    )
    try:
        stdout, stderr = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return Ended(code=process.returncode, stdout=stdout.decode(), stderr=stderr.decode())


def a_folder(path: Path) -> None:
    """A folder where a file should be."""
    path.mkdir()


def a_pipe(path: Path) -> None:
    """A pipe that nobody writes to."""
    os.mkfifo(path)


def a_file(text: str) -> Callable[[Path], None]:
    """A file with this text."""

    def write(path: Path) -> None:
        path.write_text(text)

    return write


SOURCE = 'token_sources: {idp: {token_url: "https://idp.test", client_id: app, client_secret: x}}'
BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (lambda _: None, "rules.yaml"),
    "a folder": (a_folder, "rules.yaml"),
    "a pipe": (a_pipe, "rules.yaml"),
    "empty": (a_file(""), "rules.yaml:1:1: "),
    "no mapping": (a_file("- version: 1\n"), "rules.yaml:1:1: "),
    "no YAML": (a_file("version: [1\n"), "rules.yaml:2:1: "),
    "no text": (a_file("version: 1\n# \x07\n"), "rules.yaml:2:"),
    "an unknown key": (a_file("version: 1\nunmatchd: pass\n"), "rules.yaml:2:1: unmatchd: "),
    "a wrong type": (a_file("version: 1\nunmatched: 7\n"), "rules.yaml:2:1: unmatched: "),
    "another version": (a_file("version: 2\n"), "rules.yaml:1:1: version: "),
    "an unknown source": (
        a_file(f"version: 1\n{SOURCE}\nrules: [{{name: a, match: {{host: a.test}}, token_source: ipd}}]\n"),
        "rules.yaml:3:42: rules[0].token_source: ",
    ),
    "a missing secret": (
        a_file("version: 1\n" + SOURCE.replace(": x}", ': "${env:NO_SUCH_SECRET}"}')),
        "token_sources.idp.client_secret: ",
    ),
}


@pytest.mark.parametrize("what", BAD)
async def test_proxy_does_not_start_with_a_configuration_that_is(folder: Path, what: str) -> None:
    make, expected = BAD[what]
    make(folder / "rules.yaml")
    port = await free_port()

    ended = await start("-p", str(port), "--set", "clientcreds_config=rules.yaml", cwd=folder)

    assert ended.code == 1
    assert expected in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout
    assert "listening" not in ended.stdout
    assert len(ended.stderr.splitlines()) == 1


async def test_proxy_reports_all_problems_at_once(folder: Path) -> None:
    (folder / "rules.yaml").write_text("version: 1\nunmatchd: pass\nintercept: 7\nlog: {format: xml}\n")

    ended = await start("-q", "--set", "clientcreds_config=rules.yaml", cwd=folder, program="mitmweb")

    assert ended.code == 1
    assert [line.split(":")[1] for line in ended.stderr.splitlines()] == ["2", "3", "4"]


async def test_proxy_does_not_start_without_a_configuration(folder: Path) -> None:
    addon = folder / "addon"
    shutil.copytree(ROOT / "addon", addon, ignore=shutil.ignore_patterns("__pycache__"))

    ended = await start(cwd=folder, script=addon / "clientcreds.py")

    assert ended.code == 1
    assert "CLIENTCREDS_CONFIG" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_proxy_does_not_start_on_a_port_in_use(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    (folder / "clientcreds.yaml").write_text("version: 1\nrules: []\n")

    ended = await start("--listen-host", "127.0.0.1", "-p", str(api.port), cwd=folder)

    assert ended.code == 1
    assert "address already in use" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout


async def test_proxy_names_its_options(folder: Path) -> None:
    (folder / "clientcreds.yaml").write_text("version: 1\nrules: []\n")

    ended = await start("--options", cwd=folder)

    assert ended.code == 0
    assert "clientcreds_config" in ended.stdout
    assert "$CLIENTCREDS_CONFIG" in ended.stdout
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("clientcreds_fast_dispatch",),
        ("clientcreds_config=a.yaml", "clientcreds_config=b.yaml"),
        (),
    ],
    ids=["no value", "two values", "no text in config.yaml"],
)
async def test_proxy_does_not_start_when_mitmproxy_can_not_set_its_options(
    folder: Path, options: tuple[str, ...]
) -> None:
    (folder / "clientcreds.yaml").write_text("version: 1\nrules: []\n")
    (folder / ".mitmproxy").mkdir()
    if not options:
        (folder / ".mitmproxy" / "config.yaml").write_text("clientcreds_fast_dispatch: true\n")

    settings = [word for option in options for word in ("--set", option)]
    ended = await start("-p", str(await free_port()), *settings, cwd=folder, confdir=folder / ".mitmproxy")

    assert ended.code == 1
    assert "listening" not in ended.stdout
    (message,) = ended.stderr.splitlines()
    assert "clientcreds_" in message


CONFIGURED: dict[str, tuple[Mapping[str, str], tuple[str, ...]]] = {
    "clientcreds.yaml": ({}, ()),
    "env.yaml": ({"CLIENTCREDS_CONFIG": "env.yaml"}, ()),
    "option.yaml": ({"CLIENTCREDS_CONFIG": "env.yaml"}, ("--set", "clientcreds_config=option.yaml")),
}


@pytest.mark.parametrize("name", CONFIGURED)
async def test_proxy_finds_its_configuration(folder: Path, name: str) -> None:
    environ, options = CONFIGURED[name]
    for other in CONFIGURED:
        (folder / other).write_text("version: 1\nrules: 7\n")

    ended = await start(*options, cwd=folder, environ=environ)

    assert ended.code == 1
    assert name in ended.stderr.split(":")[0]


async def test_proxy_finds_the_configuration_of_its_checkout(folder: Path) -> None:
    checkout, elsewhere = folder / "a check out", folder / "elsewhere"
    elsewhere.mkdir()
    shutil.copytree(ROOT / "addon", checkout / "addon", ignore=shutil.ignore_patterns("__pycache__"))
    (checkout / "config").mkdir()
    (checkout / "config" / "rules.yaml").write_text("version: 1\nrules: 7\n")

    ended = await start(cwd=elsewhere, script="../a check out/addon/clientcreds.py")

    assert ended.code == 1
    assert "config/rules.yaml:2:1: rules: " in ended.stderr


@pytest.mark.parametrize("program", ["mitmdump", "mitmweb"])
async def test_proxy_starts_by_a_relative_path_from_any_folder(
    idp: AuthorizationServer, api: Api, folder: Path, program: str
) -> None:
    script = folder / "a check out" / "addon"
    shutil.copytree(ROOT / "addon", script, ignore=shutil.ignore_patterns("__pycache__"))
    web = ("--no-web-open-browser", "--web-port", str(await free_port())) if program == "mitmweb" else ()
    text = f"""
version: 1
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - {{name: api, match: {{host: localhost, port: {api.port}}}, token_source: idp}}
"""
    relative = (script / "clientcreds.py").relative_to(Path.cwd(), walk_up=True)

    async with (
        mitmdump(text, *web, folder=folder, program=program, script=relative) as proxy,
        proxy.client() as client,
    ):
        answer = await client.get(f"http://localhost:{api.port}/a")

    assert answer.status_code == 200
    assert api.tokens == ["Bearer t1"]


@pytest.mark.parametrize("good", [True, False])
async def test_console_starts_in_a_terminal(folder: Path, *, good: bool) -> None:
    (folder / "clientcreds.yaml").write_text("version: 1\nrules: []\n" if good else "version: 1\nrules: 7\n")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    port = await free_port()
    process = await asyncio.create_subprocess_exec(
        *(BIN / "mitmproxy", "-s", SCRIPT, "-p", str(port), "--set", f"confdir={folder.parent / 'confdir'}"),
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "TERM": "xterm"},
    )
    os.close(theirs)
    screen = bytearray()
    listening = asyncio.Event()

    def read() -> None:
        with suppress(OSError):
            screen.extend(os.read(ours, 2**16))
        if f"127.0.0.1:{port}".encode() in screen:
            listening.set()

    asyncio.get_running_loop().add_reader(ours, read)
    try:
        if good:
            await asyncio.wait_for(listening.wait(), PATIENCE)
            process.terminate()
        assert process.stderr
        stderr = (await asyncio.wait_for(process.stderr.read(), PATIENCE)).decode()
        code = await asyncio.wait_for(process.wait(), PATIENCE)
    finally:
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)
        with suppress(ProcessLookupError):
            process.kill()

    if not good:
        assert code == 1
        assert "clientcreds.yaml:2:1: rules: " in stderr
    assert "Traceback" not in stderr + screen.decode(errors="replace")
