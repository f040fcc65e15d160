"""A mitmproxy in this process, whose addon's parts a test can break or look into."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from mitmproxy.options import Options
from mitmproxy.tools.dump import DumpMaster

from clientcreds_proxy.proxy.addon import ClientCreds
from tests.proxy.harness import PATIENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """A running proxy and the addon in it."""

    port: int
    master: DumpMaster
    addon: ClientCreds

    def client(self, **options: Any) -> httpx.AsyncClient:
        """A client that goes through the proxy."""
        url = f"http://127.0.0.1:{self.port}"
        return httpx.AsyncClient(proxy=url, trust_env=False, timeout=PATIENCE, **options)


@asynccontextmanager
async def inside(
    config: str, *others: object, folder: Path, mode: str = "regular", **options: Any
) -> AsyncIterator[Inside]:
    """A proxy with our addon where `-s` would put it; `others` come last in the chain."""
    path = folder / "rules.yaml"
    path.write_text(config)
    master = DumpMaster(
        Options(confdir=str(folder.parent / "confdir"), listen_port=0, mode=[mode]),
        with_termlog=False,
        with_dumper=False,
    )
    addon, addons = ClientCreds(), master.addons
    place = addons.chain.index(addons.get("scriptloader")) + 1
    addons.chain.insert(place, addons.register(addon))
    addons.add(*others)
    master.options.update(clientcreds_config=str(path), **options)
    running = asyncio.get_running_loop().create_task(master.run())
    try:
        yield Inside(port=await _port(master, running), master=master, addon=addon)
    finally:
        master.shutdown()
        await asyncio.wait_for(running, PATIENCE)


async def _port(master: DumpMaster, running: "asyncio.Task[None]") -> int:
    """The port that the system gave, once the proxy has moved to loopback."""
    proxyserver = master.addons.get("proxyserver")
    async with asyncio.timeout(PATIENCE):
        while not any(address[0] == "127.0.0.1" for address in proxyserver.listen_addrs()):
            assert not running.done(), "mitmproxy ended"
            await asyncio.sleep(0.005)
    return int(proxyserver.listen_addrs()[0][1])
