"""Every command of the guides, in their order, as a user would type them: real proxy, real curl, a shell."""

import asyncio
import json
import os
import re
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.proxy.harness import PATIENCE, ROOT, free_port
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer, Reply

pytestmark = pytest.mark.anyio

GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
BLOCK = re.compile(r"^```(console|yaml|ini)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "--- command "
WAIT = f"""
listening() {{ # <port>
  for _ in $(seq {PATIENCE * 20:.0f}); do
    if (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
    sleep 0.05
  done
  echo "nothing listens on $1"
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a reader types, and what the page says comes then."""

    text: str
    printed: tuple[str, ...]


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
async def test_guide_does_what_it_says(page: Path, tmp_path: Path, curl: str) -> None:
    assert curl
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    port, status = await free_port(), await free_port()

    async with AuthorizationServer().running() as idp, Api().running(context) as api:
        _know_clients(idp, page)
        text = _here(_read(page), idp=idp.port, api=api.port, proxy=port, status=status)
        steps = list(_steps(text))
        home = _home(tmp_path, authority, port)
        output = await _typed(_script(steps, port), home=home)

    commands = [step for step in steps if isinstance(step, Command)]
    results = output.split(MARK)[1:]
    assert len(results) == len(commands), output
    for command, result in zip(commands, results, strict=True):
        for line in command.printed:
            pattern = ".*".join(re.escape(part) for part in line.split("…"))
            assert re.search(pattern, result), f"{command.text}\ngave\n{result}\nnot\n{line}\nin\n{output}"
    assert "Traceback" not in output
    assert "Usage:" not in output
    assert all(token and token.startswith("Bearer t") for token in api.tokens)


def _know_clients(idp: AuthorizationServer, page: Path) -> None:
    """Let the authorization server know the page's client, and say where tokens are given."""
    (idp.client_id,) = re.findall(r"client_id: (\S+)", _read(page))[:1]
    idp.client_secret = "made-up-secret"
    issuer = f"http://127.0.0.1:{idp.port}"
    document = json.dumps({"issuer": issuer, "token_endpoint": f"{issuer}/token"}).encode()
    idp.documents["/.well-known/openid-configuration"] = Reply(body=document)


def _read(page: Path) -> str:
    return page.read_text()


def _here(text: str, *, idp: int, api: int, proxy: int, status: int) -> str:
    """The page for the servers of this test."""
    for there, here in {
        "https://idp.example.com/oauth/token": f"http://127.0.0.1:{idp}/token",
        "https://idp.example.com/realms/main": f"http://127.0.0.1:{idp}",
        "api.example.com:8443": f"localhost:{proxy}",
        "api.example.com": f"localhost:{api}",
        "127.0.0.1:8080": f"127.0.0.1:{proxy}",
        "127.0.0.1:8082": f"127.0.0.1:{status}",
        "# clientcreds.yaml\nversion: 1\n": (
            f"# clientcreds.yaml\nversion: 1\nstatus: {{listen: '127.0.0.1:{status}'}}\n"
        ),
    }.items():
        text = text.replace(there, here)
    return text


def _steps(text: str) -> list[Command | tuple[str, str]]:
    """The page's commands, and its files: (name, text)."""
    steps: list[Command | tuple[str, str]] = []
    for language, block in BLOCK.findall(text):
        if language == "console":
            steps += _commands(block)
        elif found := re.match(r"# (\S+\.yaml)\n", block):
            steps.append((found[1], block))
    return steps


def _commands(block: str) -> list[Command]:
    found = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    return [Command(text=text, printed=tuple(printed.splitlines())) for text, printed in found]


def _script(steps: list[Command | tuple[str, str]], port: int) -> str:
    lines = [WAIT]
    for step in steps:
        if isinstance(step, Command):
            lines += [f"echo '{MARK}'", step.text]
            lines += [f"listening {port}"] if step.text.endswith("&") else []
        else:
            name, text = step
            lines += [f"mkdir -p {Path(name).parent}", f"cat >{name} <<'END OF FILE'\n{text}END OF FILE"]
    return "\n".join([*lines, "kill $(jobs -p) 2>/dev/null; wait"])


def _home(folder: Path, authority: trustme.CA, port: int) -> Path:
    """A home whose mitmproxy trusts the API's authority and listens where the test says."""
    mitmproxy = folder / ".mitmproxy"
    mitmproxy.mkdir()
    authority.cert_pem.write_to_path(mitmproxy / "authority.pem")
    (mitmproxy / "config.yaml").write_text(
        f"listen_port: {port}\nssl_verify_upstream_trusted_ca: {mitmproxy / 'authority.pem'}\n"
    )
    program = folder / "bin" / "clientcreds"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m clientcreds_proxy.cli "$@"\n')
    program.chmod(0o755)
    return folder


async def _typed(script: str, *, home: Path) -> str:
    work = home / "work"
    work.mkdir()
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", script),
        cwd=work,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={
            "PATH": f"{home / 'bin'}:/usr/bin:/bin",
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "PYTHONPATH": str(ROOT / "addon"),
            "LANG": os.environ.get("LANG", "C.UTF-8"),
        },
    )
    async with asyncio.timeout(60 + PATIENCE):
        output, _ = await process.communicate()
    return output.decode()
