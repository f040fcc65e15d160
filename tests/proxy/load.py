"""Requests at a steady rate through a proxy, and how they fared."""

import asyncio
import statistics
import time
from dataclasses import dataclass

from tests.proxy.harness import Proxy

FIRST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of it."""

    requests: int
    failed: int  # answers other than 200
    waited: int  # requests that waited for a token after the first ones, as the log says
    slowest_ms: float  # as the client saw it
    median_ms: float


async def steady(proxy: Proxy, url: str, *, seconds: float, per_second: int) -> Load:
    """Send so many requests a second, whether or not the ones before have been answered."""
    already = len(proxy.access())
    requests = round(seconds * per_second)
    async with proxy.client() as client:
        # the connections and the token first: they are no part of what is measured
        await asyncio.gather(*(client.get(url) for _ in range(FIRST)))
        begin = time.monotonic()

        async def one(number: int) -> tuple[int, float]:
            await asyncio.sleep(begin + number / per_second - time.monotonic())
            started = time.monotonic()
            answer = await client.get(url)
            return answer.status_code, (time.monotonic() - started) * 1000

        outcomes = await asyncio.gather(*(one(number) for number in range(requests)))
    lines = (await proxy.logged(already + FIRST + requests))[already + FIRST :]
    return Load(
        requests=requests,
        failed=sum(status != 200 for status, _ in outcomes),
        waited=sum(line["token"] != "cached" for line in lines),
        slowest_ms=max(took for _, took in outcomes),
        median_ms=statistics.median(took for _, took in outcomes),
    )
