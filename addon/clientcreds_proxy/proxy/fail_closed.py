"""An exception in a hook: mitmproxy would log it and forward the request as it stands. We refuse it."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Protocol

from mitmproxy import http

from clientcreds_proxy.errors import InternalError, Refusal

BUG = "this is a bug of clientcreds; its log has the details"


class Refuses(Protocol):
    """What a class needs so that its hooks can be decorated."""

    def refuse(self, flow: http.HTTPFlow, refusal: Refusal) -> None:
        """Answer this request ourselves."""
        ...

    async def meet_upload(self, flow: http.HTTPFlow) -> None:
        """Read or cut what the client still sends of a refused request."""
        ...

    def report(self, error: Exception) -> None:
        """Log a bug of ours with its traceback."""
        ...


def fail_closed[S: Refuses](
    hook: Callable[[S, http.HTTPFlow], Awaitable[None]],
) -> Callable[[S, http.HTTPFlow], Awaitable[None]]:
    """The hook with every exception turned into a refusal of its flow."""

    @wraps(hook)
    async def wrapped(self: S, flow: http.HTTPFlow) -> None:
        try:
            await hook(self, flow)
        except Exception:  # noqa: BLE001 - all of them, that is the point
            try:
                with or_refuse(lambda refused: self.refuse(flow, refused), self.report):
                    raise
            finally:
                await self.meet_upload(flow)

    return wrapped


@contextmanager
def or_refuse(refuse: Callable[[Refusal], None], report: Callable[[Exception], None]) -> Iterator[None]:
    """The same for a hook that has a connection in hand: `refuse` gets whatever was raised as a refusal.

    A bug is logged last: where the log can't be written, the refusal stands all the same.
    """
    try:
        yield
    except InternalError as bug:  # it was met where nothing can be logged; its cause tells
        refuse(bug)
        report(bug)
    except Refusal as refused:
        refuse(refused)
    except Exception as error:  # noqa: BLE001 - all of them, that is the point
        refuse(InternalError(BUG))
        report(error)
