"""A short-lived token under steady load through a real mitmdump: after the first one, no request waits.

With --redis the token is shared, and the redis-server that shares it dies, falls silent and comes back
meanwhile. Exit code 1 where a request waited for a token (not with --redis), or an answer was not 200.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.proxy.harness import mitmdump  # noqa: E402 - the checkout is on the path only now
from tests.proxy.load import steady  # noqa: E402
from tests.services.redis_load import under_load  # noqa: E402
from tests.simulators.api import Api  # noqa: E402
from tests.simulators.authorization_server import AuthorizationServer  # noqa: E402

RULES = """
version: 1
log: {{format: json}}
token_sources:
  soak: {{token_url: "{token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - {{name: soak, match: {{host: localhost, port: {port}}}, token_source: soak}}
"""


async def soak(*, seconds: float, lifetime: float, per_second: int) -> bool:
    """Whether all requests were served without waiting."""
    idp, api = AuthorizationServer(expires_in=lifetime, wait_seconds=lifetime / 20), Api()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "proxy"
        folder.mkdir()
        async with idp.running(), api.running():
            rules = RULES.format(token_url=idp.token_url, port=api.port)
            async with mitmdump(rules, folder=folder) as proxy:
                load = await steady(
                    proxy, f"http://localhost:{api.port}/", seconds=seconds, per_second=per_second
                )
    print(f"{load.requests} requests in {seconds:g} s, a token lives {lifetime:g} s")
    print(f"{len(idp.seen)} token requests, each answered after {idp.wait_seconds:g} s")
    print(f"{load.waited} requests waited for a token after the first one came")
    print(f"{load.failed} answers were not 200")
    print(f"slowest request: {load.slowest_ms:.0f} ms, median {load.median_ms:.1f} ms")
    return load.waited == load.failed == 0


async def soak_redis(*, seconds: float, lifetime: float, per_second: int) -> bool:
    """Whether all requests were served."""
    with tempfile.TemporaryDirectory() as scratch:
        outcome = await under_load(
            seconds=seconds, per_second=per_second, lifetime=lifetime, folder=Path(scratch)
        )
    failed = sum(status != 200 for status in outcome.statuses)
    print(f"{len(outcome.statuses)} requests in {seconds:g} s, a token lives {lifetime:g} s")
    print(f"{outcome.token_requests} token requests; the log said of Redis: {', '.join(outcome.changes)}")
    print(f"{outcome.waited} requests waited for a token, the first ones included")
    print(f"{failed} answers were not 200")
    print(f"slowest request: {outcome.slowest_ms:.0f} ms, median {outcome.median_ms:.1f} ms")
    return failed == 0


def main() -> None:
    """Run it with what the command line says."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long requests are sent (60)")
    parser.add_argument("--lifetime", type=float, default=20, help="expires_in of the tokens (20)")
    parser.add_argument("--per-second", type=int, default=50, help="requests a second (50)")
    parser.add_argument("--redis", action="store_true", help="share the token in a Redis that comes and goes")
    given = parser.parse_args()
    run = soak_redis if given.redis else soak
    served = asyncio.run(run(seconds=given.seconds, lifetime=given.lifetime, per_second=given.per_second))
    sys.exit(0 if served else 1)


if __name__ == "__main__":
    main()
