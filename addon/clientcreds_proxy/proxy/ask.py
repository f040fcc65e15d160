"""Ask a configuration about a request without a running proxy."""

import asyncio
from pathlib import Path

from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.master import Master
from mitmproxy.options import Options

from clientcreds_proxy.proxy.explain import Explanation, explain
from clientcreds_proxy.proxy.house import House
from clientcreds_proxy.proxy.imagined import Imagined


def ask(path: Path, imagined: Imagined) -> Explanation:
    """What a proxy with this configuration and mitmproxy's own defaults would do.

    Raises a `ConfigError`, or a `NotARequest`.
    """
    return asyncio.run(_ask(path, imagined))


async def _ask(path: Path, imagined: Imagined) -> Explanation:
    master = Master(Options())  # whom the proxy's code asks for its options
    master.addons.add(Proxyserver())  # has some of them; it does not listen, for the master does not run
    house = House(path)
    try:
        return explain(house.policy, imagined)
    finally:
        await house.aclose()
