import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clientcreds_proxy.demo.servers import CONFIG, SECRET_FILE, Servers
from clientcreds_proxy.demo.transcript import config_for, free

pytestmark = pytest.mark.anyio

PATIENCE = 30  # seconds


@asynccontextmanager
async def demo(*options: str, path: str = os.defpath) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clientcreds_proxy.demo.transcript", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": path, "PYTHONPATH": str(CONFIG.parents[1] / "addon")},
    )
    try:
        async with asyncio.timeout(PATIENCE):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def text_until(process: asyncio.subprocess.Process, words: str) -> str:
    """What it prints, up to a line with these words."""
    assert process.stdout
    text = ""
    async for line in process.stdout:
        text += line.decode()
        if words in text:
            return text
    raise AssertionError(text)


@pytest.mark.parametrize("path", [os.defpath, "/nonexistent"], ids=["with curl", "without curl"])
async def test_demo_keeps_every_promise(path: str) -> None:
    async with demo(path=path) as process:
        output, _ = await process.communicate()

    text = output.decode()
    assert process.returncode == 0, text
    assert "✗" not in text
    assert text.count("✓") == 9
    assert ("curl is not installed here" in text) == (path != os.defpath)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_demo_leaves_nothing_behind_when_it_is_ended(ending: signal.Signals) -> None:
    async with demo("--serve") as process:
        text = await text_until(process, "What the proxy logs")
        proxy = next(line for line in text.splitlines() if line.startswith("  proxy "))

        process.send_signal(ending)
        code = await process.wait()

    assert code == 128 + ending
    port = int(proxy.rpartition(":")[2])
    assert free(port) == port


def test_config_for_is_the_tracked_file_on_its_own_ports(tmp_path: Path) -> None:
    urls = Servers(authorization_server="http://127.0.0.1:18081", api="http://127.0.0.1:18082")

    assert config_for(urls, tmp_path) == CONFIG


def test_config_for_names_the_ports_that_had_to_be_taken(tmp_path: Path) -> None:
    urls = Servers(authorization_server="http://127.0.0.1:50001", api="http://127.0.0.1:50002")

    config = config_for(urls, tmp_path)

    text = config.read_text()
    assert "token_url: http://127.0.0.1:50001/oauth/token" in text
    assert "port: 50002}" in text
    assert (tmp_path / SECRET_FILE.name).read_text() == SECRET_FILE.read_text()


def test_free_gives_any_port_where_the_one_asked_for_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        assert free(taken.getsockname()[1]) == 0
