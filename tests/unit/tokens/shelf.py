"""Shared records in this process: as `tokens/stores/redis.py` does it, in memory."""

import asyncio
from dataclasses import dataclass, field

from clientcreds_proxy.tokens.stores.backend import Busy, Found, Locked, StoreDown
from clientcreds_proxy.tokens.stores.record import mark_of
from tests.unit.tokens.making import FakeClock


@dataclass
class Shelf:
    """Keeps records and locks as long as the clock says. Right by default, with fields to spoil."""

    clock: FakeClock
    records: dict[str, tuple[bytes, float]] = field(default_factory=dict)  # and when they end
    locks: dict[str, tuple[str, float]] = field(default_factory=dict)
    down: str | None = None  # why
    silent: bool = False  # takes commands and never answers
    stubborn: bool = False  # gives records that nobody wanted
    endless: bool = False  # does not say how long a lock lasts
    commands: list[str] = field(default_factory=list)
    closed: bool = False

    async def read(self, name: str, /) -> Found | None:
        await self._take("read")
        return self._found(name)

    async def claim(
        self, name: str, /, *, unwanted: bytes, fence: str, lock_seconds: float
    ) -> Found | Locked | Busy:
        await self._take("claim")
        found = self._found(name)
        if found is not None and (self.stubborn or mark_of(found.record) != unwanted):
            return found
        holder, ends = self.locks.get(name, ("", 0.0))
        if ends > self.clock.boot:
            left = -0.001 if self.endless else ends - self.clock.boot  # as PTTL has it
            return Busy(fence=holder, seconds_left=left)
        self.locks[name] = (fence, self.clock.boot + lock_seconds)
        return Locked()

    async def publish(self, name: str, /, *, fence: str, record: bytes, keep_seconds: float) -> None:
        await self._take("publish")
        holder, ends = self.locks.get(name, ("", 0.0))
        if holder == fence and ends > self.clock.boot:
            self.records[name] = (record, self.clock.boot + keep_seconds)
            del self.locks[name]

    async def release(self, name: str, /, *, fence: str) -> None:
        await self._take("release")
        if self.locks.get(name, ("", 0.0))[0] == fence:
            del self.locks[name]

    async def drop(self, name: str, /, *, mark: bytes | None) -> None:
        await self._take("drop")
        found = self._found(name)
        if found is not None and mark in (None, mark_of(found.record)):
            del self.records[name]

    async def look(self, name: str, /) -> Found | None:
        await self._take("look")
        return self._found(name)

    async def aclose(self) -> None:
        self.closed = True

    async def _take(self, command: str) -> None:
        self.commands.append(command)
        if self.silent:
            await asyncio.Event().wait()
        if self.down is not None:
            raise StoreDown(self.down)

    def _found(self, name: str) -> Found | None:
        record, ends = self.records.get(name, (b"", 0.0))
        return Found(record=record, seconds_left=ends - self.clock.boot) if ends > self.clock.boot else None
