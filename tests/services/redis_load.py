"""A short-lived token under steady load, while the Redis that shares it dies, falls silent and comes back."""

import asyncio
import json
import statistics
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.proxy.harness import Proxy, mitmdump
from tests.proxy.lines import Line, dial
from tests.services.redis_server import RedisServer, redis_server
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

CONNECTIONS = 16
RULES = """
version: 1
log: {{format: json}}
status: null
stores:
  shared: {{redis: {{endpoints: ["{redis}"]}}, secret: made-up-store-secret}}
token_sources:
  s: {{token_url: "{token_url}", client_id: app, client_secret: s3cr3t, store: shared}}
rules:
  - {{name: s, match: {{host: localhost, port: {port}}}, token_source: s}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the requests fared, and what the log said of the store, in order."""

    statuses: list[int]
    slowest_ms: float  # as the client saw it
    median_ms: float
    waited: int  # requests that waited for a token, as the log says
    token_requests: int
    changes: list[str]


async def under_load(*, seconds: float, per_second: int, lifetime: float, folder: Path) -> Outcome:
    """Requests at this rate for so long; Redis is killed twice and stopped once meanwhile."""
    idp, api = AuthorizationServer(expires_in=lifetime), Api()
    own = folder / "proxy"
    own.mkdir()
    async with idp.running(), api.running(), redis_server(folder) as redis:
        rules = RULES.format(redis=redis.address, token_url=idp.token_url, port=api.port)
        async with mitmdump(rules, "--set", "clientcreds_fast_dispatch=true", folder=own) as proxy:
            trouble = asyncio.ensure_future(_trouble(redis, seconds))
            answers = await _steady(proxy, f"localhost:{api.port}", seconds=seconds, per_second=per_second)
            await trouble
            await proxy.said("the store answers again", times=_changes(proxy).count("down"))
            lines = await proxy.logged(len(answers))
            return Outcome(
                statuses=[status for status, _ in answers],
                slowest_ms=max(took for _, took in answers) * 1000,
                median_ms=statistics.median(took for _, took in answers) * 1000,
                waited=sum(line["token"] != "cached" for line in lines),
                token_requests=len(idp.seen),
                changes=_changes(proxy),
            )


async def _steady(proxy: Proxy, host: str, *, seconds: float, per_second: int) -> list[tuple[int, float]]:
    """Status and time of each answer; requests are due whether or not the one before was answered."""
    loop = asyncio.get_running_loop()
    free: asyncio.Queue[Line] = asyncio.Queue()
    async with AsyncExitStack() as stack:
        for _ in range(CONNECTIONS):
            line = await stack.enter_async_context(dial(proxy.port))
            await line.get(f"http://{host}/", host)
            free.put_nowait(line)
        begin = loop.time()

        async def one(number: int) -> tuple[int, float]:
            await asyncio.sleep(begin + number / per_second - loop.time())
            line = await free.get()
            sent = loop.time()
            answer = await line.get(f"http://{host}/", host)
            free.put_nowait(line)
            return answer.status, loop.time() - sent

        return await asyncio.gather(*(one(number) for number in range(round(seconds * per_second))))


async def _trouble(redis: RedisServer, seconds: float) -> None:
    step = seconds / 8
    await asyncio.sleep(step)
    await redis.kill()
    await asyncio.sleep(step)
    await redis.start()
    await asyncio.sleep(step)
    redis.silence()
    await asyncio.sleep(step)
    redis.speak()
    await asyncio.sleep(step)
    await redis.kill()
    await asyncio.sleep(step)
    await redis.start()


def _changes(proxy: Proxy) -> list[str]:
    lines = [json.loads(line) for line in proxy.lines if '"store"' in line]
    return ["up" if line["message"] == "the store answers again" else "down" for line in lines]
