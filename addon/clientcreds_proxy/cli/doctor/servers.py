"""The authorization server of a token source: is it there, what time is it, does it give a token."""

import sys
from collections.abc import AsyncIterator

from clientcreds_proxy.cli.doctor.finding import Finding, bad, good, left_out
from clientcreds_proxy.errors import TokenFailure
from clientcreds_proxy.tokens.asking.answer import host_of
from clientcreds_proxy.tokens.asking.hints import CLOCK_SECONDS
from clientcreds_proxy.tokens.clock import SystemClock
from clientcreds_proxy.tokens.model import SourceSpec, Token, described
from clientcreds_proxy.tokens.remarks import remarks
from clientcreds_proxy.tokens.server.discovery import Discovery
from clientcreds_proxy.tokens.server.look import HttpLook
from clientcreds_proxy.tokens.server.session import Received, Request, Sessions
from clientcreds_proxy.tokens.source import TokenSource

MAX_BYTES = 1024 * 1024


async def look_at_server(source: TokenSource) -> AsyncIterator[Finding]:
    """One source, link by link, to its token."""
    spec = source.spec
    sessions = Sessions(clock=SystemClock())
    host = host_of(spec.token_url or spec.issuer or "")
    try:
        received = await _get(sessions, spec, spec.token_url or spec.issuer or "", host)
    except TokenFailure as failure:
        yield bad("server", failure.detail, failure.hint or f"is {host} up, and named right in {spec.name}?")
        for check in ("clock", *(("discovery",) if not spec.token_url else ()), "token"):
            yield left_out(check, f"{host} can't be reached")
        return
    yield good("server", f"{host} answers")
    clock = _clock(received, host)
    yield clock
    if not spec.token_url:
        found = await _discover(sessions, spec)
        yield found
        if found.state == "fail":
            yield left_out("token", f"where {spec.name} gets tokens is not known")
            return
    if spec.caller is not None:
        yield left_out("token", f"each caller of {spec.name} brings credentials of its own")
    else:
        yield await _token(source)


async def _get(sessions: Sessions, spec: SourceSpec, url: str, host: str) -> Received:
    """Any answer will do: servers say 404 or 405 to a GET of their token endpoint."""
    async with sessions.open(spec.client, host) as session:
        request = Request(method="GET", url=url, host=host, headers=(("Accept", "*/*"),))
        return await session.send(request, max_bytes=MAX_BYTES)


def _clock(received: Received, host: str) -> Finding:
    ahead = received.ahead_seconds
    if ahead is None:
        return good("clock", f"{host} does not say what time it is")
    if abs(ahead) <= CLOCK_SECONDS:
        return good("clock", f"agrees with {host}")
    side = "ahead of" if ahead > 0 else "behind"
    return bad("clock", f"this machine's clock is {abs(ahead):.0f} s {side} {host}", _set_clock())


def _set_clock() -> str:
    if sys.platform == "darwin":
        return "sudo sntp -sS time.apple.com"
    return "w32tm /resync" if sys.platform == "win32" else "sudo timedatectl set-ntp true"


async def _discover(sessions: Sessions, spec: SourceSpec) -> Finding:
    discovery = Discovery(clock=SystemClock(), look=HttpLook(sessions))
    try:
        located, _ = await discovery.locate(spec)
    except TokenFailure as failure:
        mend = failure.hint or f"set issuer of {spec.name} to what its server says, character by character"
        return bad("discovery", failure.detail, mend)
    finally:
        await discovery.aclose()
    return good("discovery", f"{spec.issuer} gives tokens at {located.token_url.partition('?')[0]}")


async def _token(source: TokenSource) -> Finding:
    spec = source.spec
    try:
        granted = await source.fresh()
    except TokenFailure as failure:
        said = described(failure)
        what = f"{spec.name}: {failure.detail}" + (f" ({said})" if said else "")
        return bad("token", what, failure.hint or f"clientcreds token {spec.name} shows more")
    token = granted.token
    words = [f"{spec.name}: {token.token_type or 'Bearer'}, {_lifetime(token)}", *remarks(spec, token)]
    if wrong := other_audience(spec, token):
        words.append(f"it is for {wrong}, not for {', '.join(spec.audience)} as asked")
    return good("token", "; ".join(words))


def _lifetime(token: Token) -> str:
    return "never expires" if token.lifetime is None else f"good for {token.lifetime:.0f} s"


def other_audience(spec: SourceSpec, token: Token) -> str | None:
    """What a JWT is for, where that is none of what was asked for."""
    said = (token.claims or {}).get("aud")
    audiences = [said] if isinstance(said, str) else said
    if not spec.audience or not isinstance(audiences, list) or not audiences:
        return None
    names = [str(each) for each in audiences]
    return None if set(names) & set(spec.audience) else ", ".join(names)
