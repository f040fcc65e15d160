"""A program that ends in order: Ctrl-C, SIGTERM and a closed terminal leave through every `finally`."""

import asyncio
import signal
from collections.abc import Coroutine

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(program: Coroutine[object, object, int]) -> int:
    """The program's exit code, or 128 + the signal that ended it, as a shell counts."""
    return asyncio.run(_run(program))


async def _run(program: Coroutine[object, object, int]) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(program)
    received: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        if not received:  # a second one does not break into the tidying up
            task.cancel()
        received.append(number)

    for number in SIGNALS:
        loop.add_signal_handler(number, end, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not received:
            raise
        return 128 + received[0]
