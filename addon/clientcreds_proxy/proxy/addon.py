"""mitmproxy's hooks. They hand one request from room to room, and refuse it where a room says no.

`requestheaders` is a request from top to bottom. It is that hook because a streamed body's headers have left
before `request` runs, and it is async because it may wait for a token.
"""

import asyncio
import time

from mitmproxy import ctx, http
from mitmproxy.addonmanager import Loader

from clientcreds_proxy.errors import ModifierFailed, Refusal, ShuttingDown
from clientcreds_proxy.proxy import closed, facts, refusal
from clientcreds_proxy.proxy.connections import ConnectionHooks, hide_proxy_login
from clientcreds_proxy.proxy.fail_closed import fail_closed, or_refuse
from clientcreds_proxy.proxy.guard import Guard
from clientcreds_proxy.proxy.house.house import House
from clientcreds_proxy.proxy.inside import streams
from clientcreds_proxy.proxy.inside.certificates import Certificates
from clientcreds_proxy.proxy.inside.dispatch import use_table
from clientcreds_proxy.proxy.inside.hush import Hush
from clientcreds_proxy.proxy.inside.pace import hold_to_pace
from clientcreds_proxy.proxy.inside.wire import Wire
from clientcreds_proxy.proxy.request import answer, attach, bodies
from clientcreds_proxy.proxy.request.callers import Callers
from clientcreds_proxy.proxy.request.credential import obtain
from clientcreds_proxy.proxy.request.modify import modify
from clientcreds_proxy.proxy.request.passage import Passage, Passages
from clientcreds_proxy.proxy.serving import listen, start
from clientcreds_proxy.proxy.serving.distrust import Distrust
from clientcreds_proxy.proxy.serving.status import StatusServer

DRAIN_SECONDS = 10.0


class ClientCreds(ConnectionHooks):
    """The addon: `addons = [ClientCreds()]`. A master of ours may choose its manner."""

    def __init__(self, manner: start.Manner = start.AS_SCRIPT) -> None:
        self._manner = manner
        self._stop = manner.stop
        self._wire = Wire()
        self._hush = Hush()
        self._passages = Passages(time.monotonic)
        self._guard = Guard(self._passages, self._wire, self)
        self._certificates = Certificates(lambda: self.house.policy, self.report)
        self._distrust = Distrust(lambda: self.house)
        self._status: StatusServer | None = None
        self._callers = Callers(streams.tunnel_of)
        self._closing = False  # the proxy ends
        self._gone = False  # another instance takes over: the script was touched

    # --- the addon's own life ------------------------------------------------------------------------

    def load(self, loader: Loader) -> None:
        """Name our options, and take our place at the wire."""
        start.add_options(loader)
        start.or_stop(start.take_settings, self._stop)
        start.or_stop(self._wire.install, self._stop)
        self._hush.install()

    def configure(self, updated: set[str]) -> None:  # noqa: ARG002 - mitmproxy's signature
        """Read the configuration when mitmproxy starts; refuse options that would expose a token."""
        if not hasattr(self, "house"):
            self.house = start.or_stop(lambda: House(start.config_path(), self._manner), self._stop)
        start.or_stop(lambda: start.check_options(self.house.policy), self._stop)
        fast = start.or_stop(start.wants_fast_dispatch, self._stop)
        if start.is_running():
            use_table(ctx.master.addons, wanted=fast)

    def running(self) -> None:
        """Listen on loopback only, look last at every request, follow the configuration."""
        ctx.master.addons.add(self._guard, self._certificates, self._distrust)
        use_table(ctx.master.addons, wanted=start.wants_fast_dispatch())
        self._moving = asyncio.ensure_future(self._listen_on_loopback())
        start.show_ruled_flows_only()
        if hasattr(self, "house"):
            self.house.follow()
            if self._manner.lasts:
                self._status = StatusServer(self.house, self.report)
                self._status.start()
            closed.step_aside(ctx.master.addons)

    async def _listen_on_loopback(self) -> None:
        try:
            await listen.bind_to_loopback()
        except listen.PortTaken as error:
            start.exit_at_once(error)  # a proxy without a port serves nobody

    def done(self) -> "asyncio.Task[None] | None":
        """Let requests in flight finish where the proxy ends; a plain `def`, or mitmproxy's reload dies."""
        self._closing = ctx.master.should_exit.is_set()
        self._hush.uninstall()
        for last in (self._guard, self._certificates, self._distrust):
            if last.name in ctx.master.addons.lookup:
                ctx.master.addons.remove(last)
        if self._status is not None:
            self._status.shut()
        if not self._closing:
            self._gone = True
            if self._status is not None:
                self._status.close()  # the next one wants its port
            use_table(ctx.master.addons, wanted=False)
            closed.stand_in(ctx.master.addons)
            self._wire.uninstall()  # before the next one is installed
        return asyncio.ensure_future(self._leave())

    async def _leave(self) -> None:
        if self._closing:
            if self._manner.lasts:
                await self._passages.drained(DRAIN_SECONDS)
            self._wire.uninstall()
        if self._status is not None:
            await self._status.aclose()
        if hasattr(self, "house"):
            await self.house.aclose()

    # --- a request -----------------------------------------------------------------------------------

    @fail_closed
    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Find the rule, get the token, run the modifiers, attach: one request from top to bottom."""
        if flow.error or flow.response or not flow.live:
            self._hide_login(flow)
            return  # refused by mitmproxy, or by its proxyauth
        policy = self.house.policy
        attach.remove_placeholders(flow.request)
        passage = self._passages.enter(flow, policy)
        attach.remove_what_is_ours(flow.request)
        passage.finding = policy.gate.find(passage.arrival)
        passage.waits_for_body = await self._callers.wait_for_body(flow, passage)
        if not passage.waits_for_body:
            await self._go_on(flow, passage)

    @fail_closed
    async def request(self, flow: http.HTTPFlow) -> None:
        """Go on with a request whose body may name its caller; exchange one that did not stream."""
        passage = self._passages.of(flow)
        if flow.response is not None:
            if passage is None or passage.waits_for_body:
                self._hide_login(flow)  # answered before: by mitmproxy, or by another addon
            elif passage.refused is not None:
                self._callers.hide_refused(flow, passage)  # its body has come since
            return
        if passage is None:
            return
        if passage.waits_for_body:
            await self._go_on(flow, passage)
        elif passage.sent is not None and passage.sent.body is not None:
            bodies.put(flow.request, passage.sent.body)

    async def _go_on(self, flow: http.HTTPFlow, passage: Passage) -> None:
        self._callers.take(flow, passage)
        if self._closing:
            raise ShuttingDown("the proxy was told to stop")
        decision = passage.decision = passage.policy.gate.admit(passage.arrival, passage.finding)
        if decision is None:
            await self._certificates.keep_apart(flow, passage)
            self._passages.leave(flow)  # passes as it is
            return
        if passage.upload != 0:
            hold_to_pace(flow, "request")
        await obtain(passage, decision)
        modify(flow, passage, decision)
        if passage.sent is not None and passage.sent.answered_here:
            answer.answer_here(flow)
            await self.meet_upload(flow)
        else:
            await self._certificates.keep_apart(flow, passage)
            if self._gone:
                raise ShuttingDown("the script was loaded again while this request waited for its token")
            attach.attach(flow, passage, decision, self._wire)
            facts.write_names_small(flow.request)
        flow.comment = passage.comment

    @fail_closed
    async def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Hold back a 401 to our token; let every other answer stream."""
        passage = self._passages.of(flow)
        if passage is None or passage.refused is not None:
            return
        passage.send_again = await answer.is_worth_another(flow, passage)
        if not passage.send_again:
            answer.finish_head(flow, passage)

    async def response(self, flow: http.HTTPFlow) -> None:
        """Send a request once more where its 401 was held back; the answer is complete after that."""
        await self._send_again(flow)
        passage = self._passages.of(flow)
        if passage is not None and flow.response:
            if passage.refused is not None and flow.response.stream:
                # an answer of the API without a body
                flow.response = refusal.answer_to(flow.request, passage.refused)
            elif passage.refused is None and passage.answer_body is not None:
                bodies.put(flow.response, passage.answer_body)
        self._finish(flow, status=flow.response.status_code if flow.response else None)

    @fail_closed
    async def _send_again(self, flow: http.HTTPFlow) -> None:
        passage = self._passages.of(flow)
        if passage is not None and passage.send_again and passage.refused is None:
            await answer.try_again(flow, passage, self._wire)
            answer.finish_head(flow, passage)

    def error(self, flow: http.HTTPFlow) -> None:
        """The exchange broke: the API can't be reached, its TLS failed, or the client went away."""
        passage = self._passages.of(flow)
        refused = passage.refused.refusal.status if passage and passage.refused else None
        status = refused or answer.status_where_it_broke(flow)
        self._finish(flow, status=status, broken=flow.error.msg if flow.error else None)

    # --- its end -------------------------------------------------------------------------------------

    def refuse(self, flow: http.HTTPFlow, refused: Refusal) -> None:
        """Answer this request ourselves; the log's line follows with the end of the flow."""
        passage = self._passages.of(flow)
        rule, token_source = passage.names if passage else (None, None)
        ours = refusal.Refused(refusal=refused, rule=rule, token_source=token_source)
        if isinstance(refused, ModifierFailed):
            why = str(refused.__cause__ or refused)
            self.house.log.event("error", "a modifier failed", {"rule": rule, "why": why})
        if passage is not None:
            passage.refused = ours
            self._callers.hide_refused(flow, passage)
            self._forget(passage)
            flow.comment = passage.comment
        refusal.refuse(flow, ours)

    async def meet_upload(self, flow: http.HTTPFlow) -> None:
        """Read what the client still sends of a refused request, or cut it and say so."""
        passage = self._passages.of(flow)
        size = passage.upload if passage else streams.announced_size(flow.request)
        cut = await refusal.meet_upload(flow, size)
        if cut is not None and passage is not None:
            why = passage.refused.refusal.reason if passage.refused else "static.Modifier"
            self.house.log.event("warning", cut, {"rule": passage.names[0], "reason": why})

    def _hide_login(self, flow: http.HTTPFlow) -> None:
        """The same, and what its caller said elsewhere in it."""
        if flow.live:
            with or_refuse(lambda _: None, self.report):
                self._callers.hide(flow, self.house.policy)
        hide_proxy_login(flow)

    def _finish(self, flow: http.HTTPFlow, *, status: int | None, broken: str | None = None) -> None:
        passage = self._passages.leave(flow)
        if passage is None:
            return
        self._forget(passage)
        self.house.access(passage.line(status=status, broken=broken, now=time.monotonic()))

    def _forget(self, passage: Passage) -> None:
        while passage.placeholders:
            self._wire.forget(passage.placeholders.pop())
