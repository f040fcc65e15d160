"""Whether a store answers. While it does not, nobody waits for it: it is looked at in the background.

A request waits for a store that falls silent once, for `WAIT_SECONDS` at most.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from clientcreds_proxy.tokens.stores.backend import StoreDown

WAIT_SECONDS = 0.15
# Where this process itself was busy for so long, the answer may lie in the socket, unread.
LAST_LOOK_SECONDS = 0.05
LOOK_SECONDS = 2.0  # for a look in the background, which connects anew
PAUSES_SECONDS = (1.0, 2.0, 4.0, 8.0)  # before the next look; the last one repeats
AT_A_TIME = 8


class Look(Protocol):
    """How to see whether a store answers again."""

    async def __call__(self, name: str, /) -> object:
        """Read what lies under this name over a new connection; raises `StoreDown`."""
        ...


class Tell(Protocol):
    """Who is told of a change."""

    def __call__(self, why: str | None, /) -> None:
        """The store is down for this reason; None: it answers again."""
        ...


class Reach:
    """Asks a store as long as it answers."""

    def __init__(
        self,
        look: Look,
        tell: Tell,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        pauses: Sequence[float] = PAUSES_SECONDS,
    ) -> None:
        self._look = look
        self._tell = tell
        self._pause = pause
        self._pauses = pauses
        self._few = asyncio.Semaphore(AT_A_TIME)
        self._looking: asyncio.Task[None] | None = None  # from the fall until it answers again
        self.why: str | None = None  # it is down; None: it answers, as far as is known

    async def ask[T](self, name: str, command: Callable[[], Awaitable[T]]) -> T:
        """What a command about `name` gives; raises `StoreDown`, at once while it is known to be down."""
        async with self._few:
            if self.why is not None:
                raise StoreDown(self.why)
            try:
                return await _in_time(command)
            except StoreDown as down:
                self._fall(name, str(down))
                raise

    async def warm_up(self, name: str, command: Callable[[], Awaitable[object]]) -> None:
        """Connect by a command about `name`, so that the first request need not."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await command()
        except (StoreDown, TimeoutError) as down:
            self._fall(name, _words(down))

    async def aclose(self) -> None:
        """Ask and look no more."""
        self.why = self.why or "it is closed"
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait((self._looking,))

    def _fall(self, name: str, why: str) -> None:
        if self.why is not None:
            return  # somebody else waited for it, too
        self.why = why
        self._tell(why)
        # An empty context: the request that fell over it must not lend it its variables.
        self._looking = asyncio.get_running_loop().create_task(
            self._until_it_answers(name), context=contextvars.Context()
        )

    async def _until_it_answers(self, name: str) -> None:
        looks = 0
        while True:
            await self._pause(self._pauses[min(looks, len(self._pauses) - 1)])
            looks += 1
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._look(name)
            except (StoreDown, TimeoutError):
                continue
            self.why = None
            self._tell(None)
            return


async def _in_time[T](command: Callable[[], Awaitable[T]]) -> T:
    async def run() -> T:
        return await command()

    task = asyncio.get_running_loop().create_task(run())
    try:
        for seconds in (WAIT_SECONDS, LAST_LOOK_SECONDS):
            await asyncio.wait((task,), timeout=seconds)
            if task.done():
                return task.result()
        raise StoreDown(f"no answer within {(WAIT_SECONDS + LAST_LOOK_SECONDS) * 1000:.0f} ms")
    finally:
        task.cancel()  # the connection goes with it: an answer that comes late would be taken for the next


def _words(down: StoreDown | TimeoutError) -> str:
    return str(down) if isinstance(down, StoreDown) else f"no answer within {LOOK_SECONDS:g} s"
