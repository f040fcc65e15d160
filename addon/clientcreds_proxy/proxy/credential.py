"""Step 2: the token for one request, or what its rule says about going without."""

from collections.abc import Iterator
from contextlib import contextmanager

from mitmproxy import ctx, http

from clientcreds_proxy.errors import TokenFailure
from clientcreds_proxy.proxy.attach import is_held
from clientcreds_proxy.proxy.passage import Passage
from clientcreds_proxy.rules.decision import Decision


async def obtain(flow: http.HTTPFlow, passage: Passage, decision: Decision) -> None:
    """Note the token in the passage; raises a `TokenFailure` unless the rule lets such requests pass."""
    if decision.credential == "keep":
        passage.token_use = "kept"
    if decision.credential != "attach" or decision.rule.token_source is None:
        return
    source = passage.policy.sources[decision.rule.token_source]
    try:
        obtained = source.cached()
        if obtained is None:
            with _upload_paused(flow):
                obtained = await source.token()
    except TokenFailure as failure:
        if decision.rule.on_token_failure == "refuse":
            raise
        passage.without_token = failure
        return
    passage.obtained = obtained
    passage.token_use = obtained.how


@contextmanager
def _upload_paused(flow: http.HTTPFlow) -> Iterator[None]:
    """Read no more of a large upload while it waits: mitmproxy would queue all of it in memory."""
    handler = ctx.master.addons.get("proxyserver").connections.get(flow.client_conn.id)
    io = handler.transports.get(flow.client_conn) if handler else None
    if is_held(flow.request) or io is None or io.writer is None:
        yield
        return
    io.writer.transport.pause_reading()
    try:
        yield
    finally:
        io.writer.transport.resume_reading()
