"""Our own answers: RFC 9457 problem documents with a `Proxy-Status` (RFC 9209), and uploads that meet one."""

import asyncio
import json
from dataclasses import dataclass
from math import ceil

from mitmproxy import ctx, http

from clientcreds_proxy.errors import Refusal
from clientcreds_proxy.proxy.inside import streams
from clientcreds_proxy.proxy.request import bodies

SMALL_UPLOAD = 1024 * 1024  # bytes that are read before a refusal is sent
_OF_STATUS = {
    401: {"WWW-Authenticate": 'Basic realm="clientcreds"'},
    405: {"Allow": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
    407: {"Proxy-Authenticate": 'Basic realm="clientcreds"'},
}
UNKNOWN_UPLOAD_SECONDS = 1.0  # how long an upload of unknown length may take to turn out small


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A refusal with the names of the rule and the token source that it is about."""

    refusal: Refusal
    rule: str | None = None
    token_source: str | None = None


def answer(refused: Refused) -> http.Response:
    """The refusal as it goes to the client."""
    refusal = refused.refusal
    problem: dict[str, str | int | None] = {
        "type": f"urn:clientcreds:{refusal.reason}",
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.detail,
        "reason": refusal.reason,
        "rule": refused.rule,
        "token_source": refused.token_source,
        "error": refusal.error,
    }
    headers = {
        "Content-Type": "application/problem+json",
        "Cache-Control": "no-store",
        "Proxy-Status": f'clientcreds; error={_proxy_error(refusal.status)}; details="{refusal.reason}"',
    }
    retry_after = refusal.retry_after
    if retry_after is None and refusal.status == 503:
        retry_after = 1
    if retry_after is not None:
        problem["retry_after"] = max(1, ceil(retry_after))
        headers["Retry-After"] = str(problem["retry_after"])
    headers |= _OF_STATUS.get(refusal.status, {})
    body = {name: value for name, value in problem.items() if value is not None}
    return http.Response.make(refusal.status, json.dumps(body, indent=1) + "\n", headers)


def answer_to(request: http.Request, refused: Refused) -> http.Response:
    """The same without its body to a HEAD, which no client would read: it stood before the next answer.

    Its length stays that of a GET's answer (RFC 9110 §9.3.2).
    """
    response = answer(refused)
    if request.method == "HEAD":
        bodies.put(response, b"")
    return response


def answer_connect(refused: Refused) -> http.Response:
    """The answer to a CONNECT: clients show only its status line, so the reason stands there."""
    response = answer(refused)
    response.reason = f"clientcreds: {refused.refusal.reason}"
    return response


def refuse(flow: http.HTTPFlow, refused: Refused) -> None:
    """Answer this request ourselves; `meet_upload` is to follow before the hook ends.

    A local answer beside `request.stream` crashes mitmproxy's layer: so nothing streams from here on.
    """
    streams.decide_alone(flow)
    answered_by_api = flow.response is not None
    flow.response = answer_to(flow.request, refused)
    if answered_by_api:
        flow.response.stream = bodies.instead(flow.response.raw_content or b"")
    else:
        flow.request.stream = False


async def meet_upload(flow: http.HTTPFlow, size: int | None) -> str | None:
    """Let a small upload come to its end, cut a large one; gives back why it was cut.

    A local answer reaches a client only after its whole upload. `size`: as announced; None: unknown.
    """
    if flow.request.timestamp_end is not None or flow.request.stream:
        return None  # it has ended, or is out already
    if size is not None and size <= SMALL_UPLOAD:
        return None
    if size is not None:
        _cut(flow)
        return f"an upload of {size} bytes was cut"
    if await streams.ends_soon(flow, "request", seconds=UNKNOWN_UPLOAD_SECONDS, size=SMALL_UPLOAD):
        return None
    _cut(flow)
    return "an upload of unknown length was cut: it did not end soon"


def _proxy_error(status: int) -> str:
    if status < 500:
        return "http_request_denied"
    return "proxy_internal_error" if status == 500 else "proxy_internal_response"


def _cut(flow: http.HTTPFlow) -> None:
    """End an upload: RST_STREAM in HTTP/2 as soon as the hook has ended, a reset connection in HTTP/1.

    `flow.kill()` would leave an HTTP/1 client that is still sending hanging, and leak its socket.
    """
    if flow.request.is_http2 or flow.request.is_http3:
        if flow.killable:
            flow.kill()
        return
    handler = ctx.master.addons.get("proxyserver").connections.get(flow.client_conn.id)
    io = handler.transports.get(flow.client_conn) if handler else None
    if io and io.writer:
        asyncio.get_running_loop().call_soon(io.writer.transport.abort)
