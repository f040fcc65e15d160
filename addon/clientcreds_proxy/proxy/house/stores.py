"""The stores that the configuration in force uses. An unchanged one keeps its connections over a reload."""

import asyncio
from collections.abc import Callable, Iterable

from clientcreds_proxy.tokens.model import Clock, SourceSpec, StoreSpec
from clientcreds_proxy.tokens.stores.store import StoreEvent, TokenStore


class Stores:
    """Opens each store once, however many sources use it."""

    def __init__(self, *, clock: Clock, tell: Callable[[StoreEvent], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._open: dict[StoreSpec, TokenStore] = {}
        self._warm: set[StoreSpec] = set()
        self._closing: set[asyncio.Task[None]] = set()

    def of(self, spec: StoreSpec | None) -> TokenStore | None:
        """The store that this describes; None for none. It connects when it is needed."""
        return None if spec is None else self._of(spec)

    def keep_only(self, sources: Iterable[SourceSpec]) -> None:
        """Connect to the stores of these sources, and close the others; needs a running event loop."""
        used = {source.store for source in sources if source.store is not None}
        for spec in self._open.keys() - used:
            self._warm.discard(spec)
            closing = asyncio.get_running_loop().create_task(self._open.pop(spec).aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        for spec in used - self._warm:
            self._warm.add(spec)
            self._of(spec).warm_up()

    async def aclose(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(store.aclose() for store in self._open.values()), *self._closing)

    def _of(self, spec: StoreSpec) -> TokenStore:
        store = self._open.get(spec)
        if store is None:
            # The library takes 0.3 s to load, and comes as an extra: only for those who use it.
            from clientcreds_proxy.tokens.stores.redis import RedisBackend  # noqa: PLC0415

            store = TokenStore(spec, RedisBackend(spec.redis), clock=self._clock, tell=self._tell)
            self._open[spec] = store
        return store
