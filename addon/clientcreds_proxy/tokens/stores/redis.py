"""The one edge that speaks to Redis: alone, as a cluster, or behind sentinels.

Loaded only where a store is configured, for the library is an extra. Every failure of it, whatever its kind,
is a `StoreDown`: a store is never a reason to refuse a request.
"""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    Sentinel,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff

from clientcreds_proxy.tokens.model import RedisSpec
from clientcreds_proxy.tokens.server.transport import tls_context
from clientcreds_proxy.tokens.stores.backend import Busy, Found, Locked, StoreDown
from clientcreds_proxy.tokens.stores.redis_words import in_words

CONNECTIONS = 16  # a node; more than `reach.AT_A_TIME` asks for
SOCKET_SECONDS = 1.0  # a backstop: `reach.py` waits less

# Each script's keys share a hash tag, so one node of a cluster has them all. They are sent whole every time:
# they run once in a token's life, and a node that has just started knows none by its hash.
_CLAIM = """
local record = redis.pcall('GET', KEYS[1])
if type(record) == 'string' and string.sub(record, 2, 17) ~= ARGV[1] then
  return {'found', record, redis.call('PTTL', KEYS[1])}
end
if redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then
  return {'locked'}
end
return {'busy', redis.call('GET', KEYS[2]), redis.call('PTTL', KEYS[2])}
"""
_PUBLISH = """
if redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  redis.call('DEL', KEYS[2])
end
"""
_RELEASE = """
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
"""
_DROP = """
local record = redis.pcall('GET', KEYS[1])
if ARGV[1] == '' or type(record) == 'string' and string.sub(record, 2, 17) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
"""


class RedisBackend:
    """Records and locks in Redis. A lock's value is the fence of whoever has it."""

    def __init__(self, spec: RedisSpec) -> None:
        self._spec = spec
        self._context: ssl.SSLContext | None = None
        self._client: Redis | RedisCluster | None = None  # connects with its first command
        self._closing: set[asyncio.Task[None]] = set()

    async def read(self, name: str, /) -> Found | None:
        """The record."""
        record = await self._run("GET", name)
        match None if record is None else (record, await self._run("PTTL", name)):
            case None:
                return None
            case (bytes(), int() as left):
                return Found(record=record, seconds_left=left / 1000)
            case _:
                raise StoreDown("it answers a command with something else than the command gives")

    async def claim(
        self, name: str, /, *, unwanted: bytes, fence: str, lock_seconds: float
    ) -> Found | Locked | Busy:
        """The record, unless it has the mark `unwanted`; else the lock, unless somebody has it."""
        match await self._script(_CLAIM, name, unwanted, fence, _ms(lock_seconds)):
            case [b"found", bytes() as record, int() as left]:
                return Found(record=record, seconds_left=left / 1000)
            case [b"locked"]:
                return Locked()
            case [b"busy", bytes() as holder, int() as left]:
                return Busy(fence=holder.decode(errors="replace"), seconds_left=left / 1000)
            case _:
                raise StoreDown("it answers a script with something else than the script gives")

    async def publish(self, name: str, /, *, fence: str, record: bytes, keep_seconds: float) -> None:
        """Write the record and give the lock back, if it is still that of `fence`."""
        await self._script(_PUBLISH, name, fence, record, _ms(keep_seconds))

    async def release(self, name: str, /, *, fence: str) -> None:
        """Give the lock back."""
        await self._script(_RELEASE, name, fence)

    async def drop(self, name: str, /, *, mark: bytes | None) -> None:
        """Remove the record, if it has this mark; None: whichever it has."""
        await self._script(_DROP, name, mark or b"")

    async def look(self, name: str, /) -> Found | None:
        """Read the record over a new connection: the master may be another one by now."""
        self._part()
        return await self.read(name)

    async def aclose(self) -> None:
        """Close all connections."""
        self._part()
        if self._closing:
            await asyncio.wait(self._closing, timeout=SOCKET_SECONDS)

    async def _script(self, script: str, name: str, *args: str | bytes | int) -> Any:
        return await self._run("EVAL", script, 2, name, f"{name}:lock", *args)

    async def _run(self, *command: str | bytes | int) -> Any:
        try:
            if self._client is None:
                if self._context is None and self._spec.tls is not None:
                    self._context = tls_context(self._spec.tls)
                self._client = _client(self._spec, self._context)
            return await self._client.execute_command(*command)
        except Exception as error:
            raise StoreDown(in_words(error)) from error

    def _part(self) -> None:
        """Close the connections there are; the next command opens others."""
        client, self._client = self._client, None
        if client is not None:
            task = asyncio.get_running_loop().create_task(_close(client))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def _client(spec: RedisSpec, context: ssl.SSLContext | None) -> Redis | RedisCluster:
    # No retries: whoever waits is a request. No `driver_info`: one command less, and one right less to grant.
    given: dict[str, Any] = {
        "username": spec.username,
        "password": None if spec.password is None else spec.password.reveal(),
        "socket_timeout": SOCKET_SECONDS,
        "socket_connect_timeout": SOCKET_SECONDS,
        "retry": Retry(NoBackoff(), 0),
        "driver_info": None,
        "protocol": 2,
    }
    if spec.cluster:
        return _cluster(spec.endpoints, given, context)
    given |= {"db": spec.database, "max_connections": CONNECTIONS}
    if spec.sentinel is None:
        [(host, port)] = spec.endpoints
        return Redis(connection_pool=_pool(host, port, given, context))
    sentinel = Sentinel([], **given)  # type: ignore[no-untyped-call]
    own = given | {
        "username": spec.sentinel.username,
        "password": None if spec.sentinel.password is None else spec.sentinel.password.reveal(),
        "db": 0,
    }
    sentinel.sentinels = [
        Redis(connection_pool=_pool(host, port, own, context)) for host, port in spec.endpoints
    ]
    kind = SentinelManagedConnection if context is None else _with(context, SentinelManagedSSLConnection)
    master: Redis = sentinel.master_for(spec.sentinel.master_set, connection_class=kind)
    return master


def _pool(host: str, port: int, given: dict[str, Any], context: ssl.SSLContext | None) -> ConnectionPool:
    kind = Connection if context is None else _with(context, SSLConnection)
    return ConnectionPool(connection_class=kind, host=host, port=port, **given)


def _cluster(
    endpoints: Sequence[tuple[str, int]], given: dict[str, Any], context: ssl.SSLContext | None
) -> RedisCluster:
    nodes = [ClusterNode(host, port) for host, port in endpoints]
    cluster = RedisCluster(startup_nodes=nodes, ssl=context is not None, max_connections=CONNECTIONS, **given)
    if context is not None:  # it takes files only, and would read them for each connection
        kind = _with(context, SSLConnection)
        cluster.connection_kwargs["connection_class"] = kind
        for node in cluster.nodes_manager.startup_nodes.values():
            node.connection_class = kind
    return cluster


def _with[Kind: SSLConnection](context: ssl.SSLContext, kind: type[Kind]) -> type[Kind]:
    """That kind of connection, with a TLS context that was made before."""

    class WithContext(kind):  # type: ignore[valid-type,misc] # a class that is an argument
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.ssl_context.context = context

    return WithContext


async def _close(client: Redis | RedisCluster) -> None:
    with suppress(Exception):  # what can't be closed is broken already
        await client.aclose()
        if isinstance(client, RedisCluster):  # after a failure it does not close its nodes by itself
            await client.nodes_manager.aclose()
            await client.nodes_manager.aclose("startup_nodes")


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
