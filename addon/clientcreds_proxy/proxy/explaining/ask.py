"""Ask a configuration without a running proxy: about a request, or for a token."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.master import Master
from mitmproxy.options import Options

from clientcreds_proxy.proxy.explaining.explain import Explanation, explain
from clientcreds_proxy.proxy.explaining.imagined import Imagined
from clientcreds_proxy.proxy.house.house import House
from clientcreds_proxy.proxy.serving.start import Manner
from clientcreds_proxy.tokens.proof.client_auth import Granted


def ask(path: Path, imagined: Imagined) -> Explanation:
    """What a proxy with this configuration and mitmproxy's own defaults would do.

    Raises a `ConfigError`, or a `NotARequest`.
    """

    async def asked() -> Explanation:
        async with opened(path) as house:
            return explain(house.policy, imagined)

    return asyncio.run(asked())


def fetch(path: Path, source: str) -> Granted:
    """A token of this source, fetched as the proxy does. Raises a `ConfigError`, or a `TokenFailure`."""

    async def fetched() -> Granted:
        async with opened(path) as house:
            return await house.policy.sources[source].fresh()

    return asyncio.run(fetched())


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[House]:
    """The configuration at work, in a mitmproxy that does not run."""
    master = Master(Options())  # whom the proxy's code asks for its options
    master.addons.add(Proxyserver())  # has some of them; only a master that runs listens
    house = House(path, Manner(log_to=io.StringIO()))
    try:
        yield house
    finally:
        await house.aclose()
