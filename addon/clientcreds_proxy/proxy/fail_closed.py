"""An exception in a hook: mitmproxy would log it and forward the request as it stands. We refuse it."""

import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Protocol, cast

from mitmproxy import http

from clientcreds_proxy.errors import InternalError, Refusal

BUG = "this is a bug of clientcreds; its log has the details"


class Refuses(Protocol):
    """What a class needs so that its hooks can be decorated."""

    def refuse(self, flow: http.HTTPFlow, refusal: Refusal) -> None:
        """Answer this request ourselves."""
        ...

    def report(self, error: Exception) -> None:
        """Log a bug of ours with its traceback."""
        ...


def fail_closed[S: Refuses, R](
    hook: Callable[[S, http.HTTPFlow], R],
) -> Callable[[S, http.HTTPFlow], R]:
    """The hook, sync or async, with every exception turned into a refusal of its flow."""

    def end(self: S, flow: http.HTTPFlow, error: Exception) -> None:
        with or_refuse(lambda refused: self.refuse(flow, refused), self.report):
            raise error

    @wraps(hook)
    async def asynchronous(self: S, flow: http.HTTPFlow) -> None:
        try:
            await cast("Awaitable[None]", hook(self, flow))
        except Exception as error:  # noqa: BLE001 - all of them, that is the point
            end(self, flow, error)

    @wraps(hook)
    def synchronous(self: S, flow: http.HTTPFlow) -> None:
        try:
            hook(self, flow)
        except Exception as error:  # noqa: BLE001 - all of them, that is the point
            end(self, flow, error)

    wrapped = asynchronous if inspect.iscoroutinefunction(hook) else synchronous
    return cast("Callable[[S, http.HTTPFlow], R]", wrapped)


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
