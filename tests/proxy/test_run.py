"""Section 8: `clientcreds run`, with real commands."""

import asyncio
import json
import os
import pty
import re
import signal
import sys
import textwrap
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.proxy.harness import PATIENCE, mitmdump
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio

CALL = "import urllib.request as u, sys; print(u.urlopen(sys.argv[1]).status)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a run ended."""

    code: int
    out: str
    err: str


@dataclass(slots=True, kw_only=True)
class Machine:
    """A user with a configuration, an API and an authorization server."""

    home: Path
    api: Api
    idp: AuthorizationServer
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Of the API, which a rule is for."""
        return f"http://localhost:{self.api.port}/orders"

    @property
    def leftovers(self) -> list[str]:
        """What lies in the runtime directory."""
        return [path.name for path in (self.home / "runtime" / "clientcreds").glob("run-*")]

    @asynccontextmanager
    async def started(self, *words: str, command: str = "run", **options: Any) -> AsyncIterator[Process]:
        """`clientcreds run` with these words, killed at the end where it is still there."""
        piped = {"stdin": DEVNULL, "stdout": PIPE, "stderr": PIPE, "start_new_session": True}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "clientcreds_proxy.cli", command, *words),
            **{**piped, **options},
            cwd=self.home,
            env=self.variables,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def run(self, *words: str, **environ: str) -> Result:
        """The same, to its end."""
        self.environ = environ
        async with self.started(*words) as process, asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Result(code=process.returncode, out=out.decode(), err=err.decode())

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment of `clientcreds run`."""
        home = str(self.home)
        own = {"HOME": home, "XDG_RUNTIME_DIR": f"{home}/runtime", "BILLING_SECRET": self.idp.client_secret}
        return {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", **own, **self.environ}


@pytest.fixture
def machine(folder: Path, idp: AuthorizationServer, api: Api) -> Machine:
    (folder / "runtime").mkdir()
    (folder / ".mitmproxy").symlink_to(folder.parent)  # one CA for each test
    (folder / "clientcreds.yaml").write_text(
        textwrap.dedent(f"""\
        version: 1
        token_sources:
          billing: {{token_url: "{idp.token_url}", client_id: app, client_secret: "${{env:BILLING_SECRET}}"}}
        rules:
          - {{name: orders, match: {{host: localhost, port: {api.port}}}, token_source: billing}}
        """)
    )
    return Machine(home=folder, api=api, idp=idp)


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def closed(port: int) -> None:
    """Wait until nobody listens there."""
    async with asyncio.timeout(PATIENCE):
        while await listens(port):  # noqa: ASYNC110 - the system tells nobody
            await asyncio.sleep(0.02)


async def line_of(process: Process) -> str:
    assert process.stdout
    async with asyncio.timeout(PATIENCE):
        return (await process.stdout.readline()).decode().rstrip("\n")


async def test_a_command_gets_its_token_and_its_exit_code_is_returned(machine: Machine) -> None:
    called = await machine.run("--", "python", "-c", CALL, machine.url)
    failed = await machine.run("sh", "-c", "echo out; echo err >&2; exit 7")

    assert called == Result(code=0, out="200\n", err="")
    assert machine.api.tokens == ["Bearer t1"]
    assert failed == Result(code=7, out="out\n", err="err\n")
    assert machine.leftovers == []


async def test_exit_codes_are_those_of_a_shell(machine: Machine) -> None:
    (machine.home / "bad.yaml").write_text("version: 1\nrulez: []\n")

    killed, missing, empty, forbidden, bad, taken, wrong, unknown = await asyncio.gather(
        machine.run("sh", "-c", "kill -9 $$"),
        machine.run("no-such-command"),
        machine.run("--", ""),
        machine.run("--", "./clientcreds.yaml"),
        machine.run("--config", "bad.yaml", "--", "true"),
        machine.run("--set", f"listen_port={machine.api.port}", "--", "true"),
        machine.run("--"),
        machine.run("--set", "nosuch=1", "--", "true"),
    )

    assert killed.code == 128 + signal.SIGKILL
    assert (missing.code, missing.err) == (127, "clientcreds: no-such-command: No such file or directory\n")
    assert (empty.code, empty.err) == (127, "clientcreds: '': No such file or directory\n")
    assert (forbidden.code, forbidden.err) == (126, "clientcreds: ./clientcreds.yaml: Permission denied\n")
    assert bad.code == taken.code == unknown.code == 125
    assert bad.err == "bad.yaml:2:1: rulez: unknown key, did you mean 'rules'?\n"
    assert "failed to listen" in taken.err
    assert wrong.code == 2
    assert machine.leftovers == []


async def test_the_command_s_environment_holds_no_secret(machine: Machine) -> None:
    secret = machine.idp.client_secret = "made-up-secret"

    shown = await machine.run("env", COPY=secret, URL=f"https://me:{secret}@db/", OTHER="stays")

    assert shown.code == 0
    assert secret not in shown.out
    assert "OTHER=stays" in shown.out.splitlines()
    assert f"HOME={machine.home}" in shown.out.splitlines()


async def test_refusals_are_one_line_each(machine: Machine) -> None:
    ask = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--path-as-is", f"{machine.url}/../x")

    said, nothing, all_of_it = await asyncio.gather(
        machine.run(*ask), machine.run("-q", *ask), machine.run("-v", *ask)
    )

    assert said.out == nothing.out == all_of_it.out == "400"
    line = f"clientcreds: GET localhost:{machine.api.port}/orders/../x: 400 ambiguous_path (rule orders)"
    assert said.err.replace("localhost/", f"localhost:{machine.api.port}/") == f"{line}\n"
    assert nothing.err == ""
    assert "proxy listening at 127.0.0.1:" in all_of_it.err
    assert "reason=ambiguous_path" in all_of_it.err


async def test_stdin_is_the_command_s(machine: Machine) -> None:
    async with machine.started("--", "cat", stdin=PIPE) as process, asyncio.timeout(PATIENCE):
        out, _ = await process.communicate(b"for the command\n")

    assert out == b"for the command\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
async def test_signals_are_passed_on(number: signal.Signals, machine: Machine) -> None:
    """There is no terminal here, so nobody else tells the command."""
    trap = f"trap 'echo caught; kill $!; exit 9' {number.name.removeprefix('SIG')}"
    async with machine.started("sh", "-c", f"sleep 60 >&2 & {trap}; echo ready; wait") as process:
        assert await line_of(process) == "ready"
        process.send_signal(number)
        assert await line_of(process) == "caught"
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 9

    assert machine.leftovers == []


async def test_ctrl_c_on_a_terminal_reaches_the_command_once(machine: Machine) -> None:
    """The terminal tells it: a second one from us would make many a program give up at once."""
    program = """
        import os, signal
        signal.signal(signal.SIGINT, lambda *_: os.write(1, b"caught\\n"))
        os.write(1, b"terminal %d %d" % (os.isatty(0), os.isatty(1)))
        while b"end" not in os.read(0, 99): pass
    """
    master, slave = pty.openpty()
    terminal: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), slave)
    words = ("--", "python", "-c", textwrap.dedent(program))
    try:
        async with machine.started(*words, **terminal, preexec_fn=_take_terminal) as process:
            await _shows(master, b"terminal 1 1")
            os.write(master, b"\x03")
            shown = await _shows(master, b"caught")
            os.write(master, b"end\n")
            async with asyncio.timeout(PATIENCE):
                assert await process.wait() == 0
            os.write(slave, b"over")
            shown += await _shows(master, b"over")
    finally:
        os.close(master)
        os.close(slave)

    assert shown.count(b"caught") == 1


def _take_terminal() -> None:
    import fcntl  # noqa: PLC0415
    import termios  # noqa: PLC0415

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


async def _shows(screen: int, text: bytes) -> bytes:
    """What the terminal shows up to this text."""
    shown = b""
    async with asyncio.timeout(PATIENCE):
        while text not in shown:
            shown += await asyncio.to_thread(os.read, screen, 1024)
    return shown


async def test_kill_9_leaves_no_proxy_behind(machine: Machine) -> None:
    async with machine.started("sh", "-c", "echo $http_proxy; exec sleep 60") as process:
        port = int((await line_of(process)).rpartition(":")[2])
        assert await listens(port)
        assert machine.leftovers
        process.kill()

        await closed(port)
        os.killpg(process.pid, signal.SIGKILL)  # the command, which nobody told

    await machine.run("true")
    assert machine.leftovers == []


async def test_what_runs_on_in_the_background_is_not_waited_for(machine: Machine) -> None:
    words = ("sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $! $http_proxy")
    async with machine.started(*words) as process, asyncio.timeout(PATIENCE):
        pid, _, proxy = (await line_of(process)).partition(" ")
        assert await process.wait() == 0
    try:
        os.kill(int(pid), 0)
        assert not await listens(int(proxy.rpartition(":")[2]))
    finally:
        os.kill(int(pid), signal.SIGKILL)


async def test_a_running_proxy_is_used_where_that_is_asked_for(machine: Machine) -> None:
    config = machine.home / "clientcreds.yaml"
    (machine.home / "other").mkdir()
    secret = {"BILLING_SECRET": machine.idp.client_secret}
    there = {"XDG_RUNTIME_DIR": str(machine.home / "runtime")}
    async with mitmdump(config, folder=machine.home / "other", environ=secret | there) as proxy:
        async with asyncio.timeout(PATIENCE):
            while not list((machine.home / "runtime").glob("clientcreds/*.json")):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        async with machine.started("--json", command="env") as process:
            found = json.loads((await process.communicate())[0])
        words = ("--port", str(proxy.port), "--confdir", str(proxy.confdir), "--")
        called = await machine.run(*words, "python", "-c", CALL, machine.url)
        shown = await machine.run(*words, "env", BILLING_SECRET="made-up-secret")
    gone = await machine.run(*words, "true")

    assert found["http_proxy"] == proxy.url
    assert (called.code, called.out, called.err) == (0, "200\n", "")
    assert machine.api.tokens == ["Bearer t1"]
    assert f"http_proxy={proxy.url}" in shown.out.splitlines()
    assert "made-up-secret" not in shown.out
    assert gone.code == 125
    assert re.match(r"clientcreds: no proxy at 127\.0\.0\.1:\d+: ", gone.err)
    assert machine.leftovers == []
