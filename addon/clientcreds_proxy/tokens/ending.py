"""The end of what runs in the background: token requests, and looks at what a server says of itself."""

import asyncio
from collections.abc import Collection
from typing import Any

CLOSE_SECONDS = 2.0  # for what is cancelled to close its connections


async def end(tasks: Collection["asyncio.Task[Any]"]) -> None:
    """Cancel them, and wait until they have ended, but not for ever."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
