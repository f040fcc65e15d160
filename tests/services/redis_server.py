"""Debian's redis-server on free ports: alone, as a cluster of three, and behind a sentinel."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import batched
from pathlib import Path

from tests.proxy.harness import free_port
from tests.services.conftest import PATIENCE, program


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """A server's certificate and key, and the authority that it and its clients have."""

    ca: Path
    cert: Path
    key: Path

    @property
    def options(self) -> tuple[str, ...]:
        """Of redis-server."""
        return (
            *("--tls-ca-cert-file", str(self.ca), "--tls-cert-file", str(self.cert)),
            *("--tls-key-file", str(self.key), "--tls-replication", "yes", "--tls-cluster", "yes"),
        )

    @property
    def cli(self) -> tuple[str, ...]:
        """Of redis-cli, which has the server's own certificate."""
        return ("--tls", "--cacert", str(self.ca), "--cert", str(self.cert), "--key", str(self.key))


@dataclass(slots=True, kw_only=True)
class RedisServer:
    """One server process, which can be stopped, killed and started again. It keeps nothing on disk."""

    port: int
    folder: Path
    options: tuple[str, ...] = ()
    cli: tuple[str, ...] = ()  # what redis-cli needs to reach it
    tls: TlsFiles | None = None  # it speaks nothing else
    process: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Until it answers."""
        self.process = await asyncio.create_subprocess_exec(
            *(program("redis-server", "redis-server"), *self._arguments()),
            stdout=subprocess.DEVNULL,
        )
        async with asyncio.timeout(PATIENCE):
            while "PONG" not in await self.say("ping"):
                assert self.process.returncode is None, "redis-server ended: its own words are above"

    async def kill(self) -> None:
        """At once, as a machine dies."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def silence(self) -> None:
        """Connections stay open and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def speak(self) -> None:
        """The end of that."""
        self._signal(signal.SIGCONT)

    async def say(self, *command: str) -> str:
        """What redis-cli prints."""
        tls = self.tls.cli if self.tls else ()
        process = await asyncio.create_subprocess_exec(
            *("redis-cli", "-p", str(self.port), *tls, *self.cli, *command),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return output.decode(errors="replace").strip()

    async def keys(self) -> list[str]:
        """The names of all keys there are."""
        return (await self.say("--scan")).split()

    def _arguments(self) -> list[str]:
        if "--sentinel" in self.options:
            return [*self.options]
        ports = ("--port", "0", "--tls-port") if self.tls else ("--port",)
        own = (*ports, str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder))
        tls = self.tls.options if self.tls else ()
        return [*own, "--save", "", "--appendonly", "no", *tls, *self.options]

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)


@asynccontextmanager
async def redis_server(
    folder: Path, *options: str, cli: tuple[str, ...] = (), tls: TlsFiles | None = None
) -> AsyncIterator[RedisServer]:
    """A server that runs."""
    server = RedisServer(port=await free_port(), folder=folder, options=options, cli=cli, tls=tls)
    await server.start()
    try:
        yield server
    finally:
        await server.kill()


@asynccontextmanager
async def redis_cluster(folder: Path, *, tls: TlsFiles | None = None) -> AsyncIterator[list[RedisServer]]:
    """Three masters that share the slots."""
    async with AsyncExitStack() as stack:
        nodes = []
        for number in range(3):
            options = ("--cluster-enabled", "yes", "--cluster-config-file", f"nodes-{number}.conf")
            bus = ("--cluster-port", str(await free_port()))
            nodes.append(await stack.enter_async_context(redis_server(folder, *options, *bus, tls=tls)))
        first, *others = nodes
        for node, slots in zip(nodes, ("0 5460", "5461 10922", "10923 16383"), strict=True):
            await node.say("cluster", "addslotsrange", *slots.split())
        for node in others:
            await first.say("cluster", "meet", "127.0.0.1", str(node.port), node.options[-1])
        async with asyncio.timeout(PATIENCE):
            for node in nodes:
                while not _is_whole(await node.say("cluster", "info")):  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.05)
        yield nodes


def _is_whole(info: str) -> bool:
    return "cluster_state:ok" in info and "cluster_known_nodes:3" in info


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A master with a replica, and the sentinel that makes that one the master when the first is gone."""

    master: RedisServer
    replica: RedisServer
    sentinel: RedisServer


@asynccontextmanager
async def watched_redis(
    folder: Path, *, password: str, tls: TlsFiles | None = None
) -> AsyncIterator[Watched]:
    """The master's name is `main`; the sentinel wants the password, too."""
    auth = ("--requirepass", password, "--masterauth", password)
    cli = ("-a", password, "--no-auth-warning")
    async with AsyncExitStack() as stack:
        master = await stack.enter_async_context(redis_server(folder, *auth, cli=cli, tls=tls))
        follows = ("--replicaof", f"127.0.0.1 {master.port}")
        replica = await stack.enter_async_context(redis_server(folder, *auth, *follows, cli=cli, tls=tls))
        port = await free_port()
        configuration = folder / "sentinel.conf"
        ports = f"port 0\ntls-port {port}" if tls else f"port {port}"
        pairs = batched(tls.options if tls else (), 2)
        secured = "".join(f"{name.removeprefix('--')} {value}\n" for name, value in pairs)
        configuration.write_text(
            f"{ports}\n{secured}bind 127.0.0.1\ndir {folder}\nrequirepass {password}\n"
            f"sentinel monitor main 127.0.0.1 {master.port} 1\n"
            f"sentinel auth-pass main {password}\n"
            "sentinel down-after-milliseconds main 300\nsentinel failover-timeout main 2000\n"
        )
        sentinel = RedisServer(
            port=port, folder=folder, options=(str(configuration), "--sentinel"), cli=cli, tls=tls
        )
        await sentinel.start()
        stack.push_async_callback(sentinel.kill)
        async with asyncio.timeout(PATIENCE):
            while "name" not in await sentinel.say("sentinel", "replicas", "main"):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
        yield Watched(master=master, replica=replica, sentinel=sentinel)
