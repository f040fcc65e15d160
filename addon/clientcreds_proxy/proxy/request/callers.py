"""Callers with credentials of their own: read where they stand, and taken out before anything is stored.

Not in it: what stands where (`tokens/credentials.py`), and what it is good for (`tokens/callers.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

from mitmproxy import http
from mitmproxy.proxy import mode_specs

from clientcreds_proxy.errors import ProxyCallerUnauthorized, TokenFailure
from clientcreds_proxy.proxy.facts import arrival_of, normal_or_nowhere
from clientcreds_proxy.proxy.house.policy import Policy
from clientcreds_proxy.proxy.inside import streams
from clientcreds_proxy.proxy.request.passage import Passage
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.callers import Callers as CallersOfSource
from clientcreds_proxy.tokens.credentials import (
    Credentials,
    Holder,
    find,
    in_basic,
    is_basic,
    missing,
    target_without,
    without,
)
from clientcreds_proxy.tokens.model import Caller, Place

FORM = "application/x-www-form-urlencoded"
LARGEST_FORM = 64 * 1024  # bytes
UNKNOWN_FORM_SECONDS = 5.0  # how long a form of unknown length may take to come

_SAID_TO_PROXY = "proxy-authorization"
_HTTP_PROXIES = (mode_specs.RegularMode, mode_specs.UpstreamMode)


TunnelOf = Callable[[http.HTTPFlow], http.HTTPFlow | None]  # the CONNECT in whose tunnel a request came


class Callers:
    """Who asked for which tunnel, and who sends which request."""

    def __init__(self, tunnel_of: TunnelOf) -> None:
        self._tunnel_of = tunnel_of
        self._tunnels: WeakKeyDictionary[http.HTTPFlow, Credentials] = WeakKeyDictionary()

    # --- a tunnel ------------------------------------------------------------------------------------

    def note_tunnel(self, connect: http.HTTPFlow) -> None:
        """Note the credentials of a CONNECT: they count for all requests in its tunnel."""
        said = in_basic(tuple(connect.request.headers.items(multi=True)), _SAID_TO_PROXY)
        if said is not None:
            self._tunnels[connect] = said

    def of_tunnel(self, connect: http.HTTPFlow) -> Credentials | None:
        """Who asked for this tunnel."""
        return self._tunnels.get(connect)

    def refuse_nameless(self, connect: http.HTTPFlow, policy: Policy) -> None:
        """Refuse a tunnel without credentials in which every request would be refused for that."""
        if _wanted_by_tunnel(connect, policy) and self.of_tunnel(connect) is None:
            raise ProxyCallerUnauthorized(missing(("proxy_authorization",)))

    async def admit_tunnel(self, connect: http.HTTPFlow, policy: Policy) -> None:
        """Refuse a tunnel in which every request would be refused for its caller.

        An authorization server that can't tell is no reason: each request gets its own answer.
        """
        self.refuse_nameless(connect, policy)
        said = self.of_tunnel(connect)
        if said is None:
            return
        refused: ProxyCallerUnauthorized | None = None
        for callers in _wanted_by_tunnel(connect, policy):
            try:
                await callers.token(said, ProxyCallerUnauthorized)
            except ProxyCallerUnauthorized as error:
                refused = error
            except TokenFailure:
                return
            else:
                return
        if refused is not None:
            raise refused

    # --- a request -----------------------------------------------------------------------------------

    async def wait_for_body(self, flow: http.HTTPFlow, passage: Passage) -> bool:
        """Whether the caller's credentials may stand in the body: then the `request` hook goes on with it."""
        caller = _caller_of(passage)
        if caller is None or not _looks_in_body(caller, flow.request):
            return False
        before = caller.places[: caller.places.index("body")]
        if find(before, self._holder(flow, passage)) is not None:
            return False
        if streams.announced_size(flow.request) is None and not await streams.ends_soon(
            flow, "request", seconds=UNKNOWN_FORM_SECONDS, size=LARGEST_FORM
        ):
            return False
        streams.decide_alone(flow)
        flow.request.stream = False
        return True

    def hide(self, flow: http.HTTPFlow, policy: Policy) -> None:
        """Take the credentials out of a request that goes nowhere: mitmproxy refused it, or another addon."""
        arrival = arrival_of(flow)
        passage = Passage(arrival=arrival, policy=policy, started=0, finding=policy.gate.find(arrival))
        caller = _caller_of(passage)
        passage.waits_for_body = caller is not None and _looks_in_body(caller, flow.request)
        self.take(flow, passage)

    def hide_refused(self, flow: http.HTTPFlow, passage: Passage) -> None:
        """Take out what was no good, or looked at no more: a refused request goes nowhere, and is stored.

        Its body may come later.
        """
        caller = _caller_of(passage)
        if caller is None:
            return
        request = flow.request
        if "header" in caller.places:
            own = [value for value in request.headers.get_all("authorization") if not is_basic(value)]
            request.headers.set_all("authorization", own)
        if not caller.hide_credentials:
            return
        if "query" in caller.places:
            request.path = target_without(request.path)
        if "body" in caller.places and request.raw_content and _is_form(request):  # also too large a one
            request.content = _without(request)

    def take(self, flow: http.HTTPFlow, passage: Passage) -> None:
        """Note this request's caller in the passage, and take its credentials out of the request."""
        caller = _caller_of(passage)
        if caller is None:
            return
        holder = self._holder(flow, passage)
        if caller.places == ("proxy_authorization",) and self._is_proxied(flow):
            passage.unauthorized = ProxyCallerUnauthorized
        found = find(caller.places, holder)
        if found is not None:
            passage.caller = found.credentials
            _take_out(found.place, caller, flow, passage)

    def _holder(self, flow: http.HTTPFlow, passage: Passage) -> Holder:
        headers = passage.arrival.headers
        tunnel = self._tunnel_of(flow)
        if tunnel is not None:
            proxied = self.of_tunnel(tunnel)
        else:
            proxied = in_basic(headers, _SAID_TO_PROXY) if self._is_proxied(flow) else None
        form = _text(flow.request.raw_content or b"") if passage.waits_for_body else None
        return Holder(headers=headers, target=flow.request.path, proxied=proxied, form=form)

    def _is_proxied(self, flow: http.HTTPFlow) -> bool:
        """Whether a client said this to us as its HTTP proxy, and not to a server through a tunnel."""
        return isinstance(flow.client_conn.proxy_mode, _HTTP_PROXIES) and self._tunnel_of(flow) is None


def _wanted_by_tunnel(connect: http.HTTPFlow, policy: Policy) -> Sequence[CallersOfSource]:
    if connect.response is not None:
        return ()  # the requests inside will be refused for another reason
    return policy.callers_by_tunnel(normal_or_nowhere(connect.request.host), connect.request.port)


def _caller_of(passage: Passage) -> Caller | None:
    rule = passage.finding.rule if passage.finding else None
    return passage.policy.caller_of(rule) if rule else None


def _looks_in_body(caller: Caller, request: http.Request) -> bool:
    return "body" in caller.places and _may_be_form(request)


def _may_be_form(request: http.Request) -> bool:
    size = streams.announced_size(request)
    return _is_form(request) and (size is None or 0 < size <= LARGEST_FORM)


def _is_form(request: http.Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == FORM and "content-encoding" not in request.headers


def _take_out(place: Place, caller: Caller, flow: http.HTTPFlow, passage: Passage) -> None:
    """Used credentials are not the client's header any more, whatever `when_present` says about one."""
    request, arrival = flow.request, passage.arrival
    match place:
        case "header":
            rest = tuple(each for each in arrival.headers if each[0].lower() != "authorization")
            passage.arrival = replace(arrival, headers=rest)
            value = request.headers.pop("authorization")
            if not caller.hide_credentials:
                passage.goes_on = Secret(value)
        case "query" if caller.hide_credentials:
            request.path = target_without(request.path)
            passage.arrival = replace(arrival, facts=replace(arrival.facts, target=request.path))
        case "body" if caller.hide_credentials:
            request.content = _without(request)
        case _:
            pass


def _without(request: http.Request) -> bytes:
    return without(_text(request.raw_content or b"")).encode("utf-8", "surrogateescape")


def _text(body: bytes) -> str:
    return body.decode("utf-8", "surrogateescape")
