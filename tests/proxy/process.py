"""What the system says of a running proxy: its memory, its open files."""

import asyncio
from pathlib import Path
from typing import Literal

from tests.proxy.harness import PATIENCE, Proxy

MIB = 2**20


def memory(proxy: Proxy, which: Literal["VmRSS", "VmHWM"]) -> float:
    """MiB of memory that it has now (`VmRSS`), or had at most (`VmHWM`)."""
    lines = Path(f"/proc/{proxy.process.pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(which))) / 1024


def forget_peak(proxy: Proxy) -> None:
    """Let `VmHWM` begin again at what is used now."""
    Path(f"/proc/{proxy.process.pid}/clear_refs").write_text("5")


def files(proxy: Proxy) -> int:
    """How many files and sockets it has open."""
    return sum(1 for _ in Path(f"/proc/{proxy.process.pid}/fd").iterdir())


async def files_settled(proxy: Proxy) -> int:
    """How many it has open once that does not change any more."""
    counts = [files(proxy)]
    async with asyncio.timeout(PATIENCE):
        while counts[-10:] != counts[-1:] * 10:
            await asyncio.sleep(0.02)
            counts.append(files(proxy))
    return counts[-1]


async def files_closed(proxy: Proxy, until: int) -> None:
    """Wait until it has no more than so many open."""
    async with asyncio.timeout(PATIENCE):
        while files(proxy) > until:  # noqa: ASYNC110 - the system tells nobody
            await asyncio.sleep(0.02)
