"""What a place for shared records must be able to do. There is one such place: Redis (`redis.py`)."""

from dataclasses import dataclass, field
from typing import Protocol


class StoreDown(Exception):
    """The store gave no usable answer: why, in words without a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A record, and how long the store will keep it."""

    record: bytes = field(repr=False)
    seconds_left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """The lock is ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """Somebody else has the lock."""

    fence: str
    seconds_left: float


class Backend(Protocol):
    """What a store must be able to do, each in one step. Everything raises `StoreDown`."""

    async def read(self, name: str, /) -> Found | None:
        """The record."""
        ...

    async def claim(
        self, name: str, /, *, unwanted: bytes, fence: str, lock_seconds: float
    ) -> Found | Locked | Busy:
        """The record, unless it has the mark `unwanted`; else the lock, unless somebody has it."""
        ...

    async def publish(self, name: str, /, *, fence: str, record: bytes, keep_seconds: float) -> None:
        """Write the record and give the lock back, if it is still that of `fence`."""
        ...

    async def release(self, name: str, /, *, fence: str) -> None:
        """Give the lock back."""
        ...

    async def drop(self, name: str, /, *, mark: bytes | None) -> None:
        """Remove the record, if it has this mark; None: whichever it has."""
        ...

    async def look(self, name: str, /) -> object:
        """Read the record over a new connection."""
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...
