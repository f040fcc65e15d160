"""`scripts/bench` sends real requests through real proxies; what it measures is not looked at."""

import asyncio
import sys

import pytest

from tests.proxy.harness import ROOT

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("tls", [(), ("--tls",)])
async def test_bench_compares_three_proxies(tls: tuple[str, ...]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        ROOT / "scripts" / "bench.py",
        *("--rounds", "1", "--requests", "200", *tls),
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()

    assert process.returncode == 0, printed.decode()
    rows = [line.rsplit("  ", 3)[0].strip() for line in printed.decode().splitlines()[2:]]
    assert rows[0].startswith("mitmdump -q ")
    assert rows[1].startswith("mitmdump -q -s addon/clientcreds.py ")
    assert rows[2].startswith("clientcreds serve -q ")
