"""A body that comes faster than it can go on: mitmproxy would keep all of it in memory.

It does so while a hook waits (for a token), while a server is connected to, and in HTTP/2 always, for it
grants both sides windows of 2 GiB. Elsewhere TCP holds the sender back. Above `MARK` bytes the sending side
is not read any more, and with it all streams of its connection; a little is let through all the same once a
second, so that two sides which wait for each other get on.
"""

import asyncio
from asyncio import Transport
from dataclasses import dataclass
from typing import Any, cast

from mitmproxy import ctx, http
from mitmproxy.proxy.server import ConnectionIO

from clientcreds_proxy.proxy.inside.streams import Which, kept

MARK = 16 * 1024 * 1024
LOOK_SECONDS = 0.02
GLIMPSE_SECONDS = 0.001
PATIENCE_SECONDS = 1.0


def hold_to_pace(flow: http.HTTPFlow, which: Which) -> None:
    """Follow this body to its end."""
    _Pace(flow=flow, which=which).look_later(LOOK_SECONDS)


@dataclass(slots=True, eq=False, kw_only=True)
class _Pace:
    flow: http.HTTPFlow
    which: Which
    stopped: float | None = None  # since when, on the loop's clock

    def look_later(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        sender = self._sender()
        if sender is None:
            return  # its connection is closed
        now = asyncio.get_running_loop().time()
        if self._is_over() or kept(self.flow, self.which) <= MARK:
            self._go_on(sender)
        elif self.stopped is not None and now - self.stopped > PATIENCE_SECONDS:
            self._go_on(sender)
            self.look_later(GLIMPSE_SECONDS)
            return
        else:
            self.stopped = now if self.stopped is None else self.stopped
            _stop(sender)
        if not self._is_over():
            self.look_later(LOOK_SECONDS)

    def _go_on(self, sender: ConnectionIO) -> None:
        if self.stopped is not None:
            self.stopped = None
            _transport(sender).resume_reading()

    def _is_over(self) -> bool:
        message = self.flow.request if self.which == "request" else self.flow.response
        return not self.flow.live or message is None or message.timestamp_end is not None

    def _sender(self) -> ConnectionIO | None:
        flow = self.flow
        handler = ctx.master.addons.get("proxyserver").connections.get(flow.client_conn.id)
        sending = flow.client_conn if self.which == "request" else flow.server_conn
        io: ConnectionIO | None = handler.transports.get(sending) if handler else None
        return io if io is not None and io.writer is not None else None


def _stop(sender: ConnectionIO) -> None:
    """Read no more from this side.

    asyncio's reader stops its transport too, when it holds 128 KiB, and would let it go on as soon as those
    are taken: it must not take our stop for its own.
    """
    _transport(sender).pause_reading()
    if isinstance(sender.reader, asyncio.StreamReader):
        sender.reader._paused = False  # type: ignore[attr-defined]  # noqa: SLF001


def _transport(side: ConnectionIO) -> Transport:
    writer: Any = side.writer
    return cast("Transport", writer.transport)
