"""One request of each token source through the proxy, as an app would send it."""

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

from clientcreds_proxy.cli.doctor.apis import Place
from clientcreds_proxy.cli.doctor.finding import Finding, bad, good, left_out
from clientcreds_proxy.cli.doctor.patient import Patient
from clientcreds_proxy.errors import ClientcredsError, TokenFailure
from clientcreds_proxy.rules.destination import host_header
from clientcreds_proxy.rules.model import Rule
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.clock import SystemClock
from clientcreds_proxy.tokens.model import Client, ClientTls
from clientcreds_proxy.tokens.server.session import Received, Request, Sessions

MOST = 5  # requests
SECONDS = 15.0
MAX_BYTES = 16 * 1024 * 1024
_READS = ("GET", "HEAD")  # what changes nothing at the API


async def look_at_journeys(
    patient: Patient, ca: Path, *, broken: set[str], places: Sequence[Place]
) -> AsyncIterator[Finding]:
    """One line for each source that gives tokens, and has a rule whose API is there.

    `broken` are sources that give none, `places` the APIs that can be used.
    """
    chosen: dict[str, Place] = {}
    for place in places:
        source = place.rule.token_source
        if source is None or source in broken or patient.config.sources[source].caller:
            continue
        if _method(place.rule) is not None:
            chosen.setdefault(source, place)
    if not chosen:
        yield left_out("journey", "no rule is left that could be tried with a GET")
        return
    try:
        async with _proxy(patient) as port:
            for place in list(chosen.values())[:MOST]:
                yield await _try(patient, place, port, ca)
    except (ClientcredsError, OSError) as error:
        yield bad("journey", f"the proxy does not start: {error}", f"clientcreds serve{patient.named}")


@asynccontextmanager
async def _proxy(patient: Patient) -> AsyncIterator[int]:
    """The port of the one that runs, or of one for this purpose."""
    if patient.mine is not None:
        yield patient.mine.ports[0]
        return
    from clientcreds_proxy.proxy.serving.serve import serving  # noqa: PLC0415 - mitmproxy is slow to import
    from clientcreds_proxy.proxy.serving.start import Manner  # noqa: PLC0415

    around = patient.around
    async with serving(
        config=patient.path,
        options={"listen_port": 0, **({"confdir": around.confdir} if around.confdir else {})},
        settings=around.settings,
        manner=Manner(log_to=io.StringIO(), lasts=False),
        log_level="error",
    ) as proxy:
        yield proxy.port


async def _try(patient: Patient, place: Place, port: int, ca: Path) -> Finding:
    url = url_of(place)
    method = _method(place.rule) or "GET"
    client = Client(
        timeout_seconds=SECONDS,
        max_retries=0,
        proxy=Secret(f"http://127.0.0.1:{port}"),
        tls=ClientTls(ca=await asyncio.to_thread(ca.read_text)),
    )
    shown = url.partition("?")[0]
    try:
        async with Sessions(clock=SystemClock()).open(client, place.asked.authority) as session:
            request = Request(
                method=method, url=url, host=place.asked.authority, headers=(("Accept", "*/*"),)
            )
            received = await session.send(request, max_bytes=MAX_BYTES)
    except TokenFailure as failure:
        why = failure.detail.replace("client.proxy", "the proxy")  # to this session, ours is such
        return bad(
            "journey", f"{method} {shown}: {why}", f"clientcreds explain {method} {url}{patient.named}"
        )
    return judged(patient, place, f"{method} {shown}", received)


def judged(patient: Patient, place: Place, asked: str, received: Received) -> Finding:
    """What an answer to a request with a token says about the way it took."""
    source = place.rule.token_source or ""
    if refusal := _ours(received):
        why = " ".join(str(refusal.get(name, "")) for name in ("status", "reason", "detail"))
        method = asked.partition(" ")[0]
        mend = f"clientcreds explain {method} {url_of(place)}{patient.named}"
        return bad("journey", f"{asked}: the proxy refuses it: {why}", mend)
    if received.status == 502 and received.headers.get("server", "").startswith("mitmproxy"):
        mend = f"clientcreds serve{patient.named} shows why"
        return bad("journey", f"{asked}: the proxy can't reach the API", mend)
    challenge = received.headers.get("www-authenticate", "")
    shown = f" ({_printable(challenge)})" if challenge else ""
    look = f"clientcreds token {source}{patient.named} shows what the token says"
    if "insufficient_scope" in challenge:
        what = f"{asked}: the API answers {received.status}, it wants other scopes{shown}"
        return bad("journey", what, f"add them to scopes of {source}; {look}")
    if received.status == 401:
        what = f"{asked}: the API refuses the token with 401{shown}"
        return bad("journey", what, f"correct audience, resource or scopes of {source}; {look}")
    return good("journey", f"{asked}: {received.status}, with a token of {source}")


def url_of(place: Place) -> str:
    """One that the rule is for."""
    match = place.rule.match
    path = "/"
    if match.paths:
        segments = (part for part in match.paths[0].segments if part != "**")
        path += "/".join("doctor" if part == "*" else part for part in segments)
        path += "/" if match.paths[0].segments[-1:] == ("**",) and path != "/" else ""
    query = urlencode([(name, min(values)) for name, values in match.query])
    target = quote(path, safe="/%!$&'()*+,;=:@-._~") + (f"?{query}" if query else "")
    return f"{place.asked.scheme}://{host_header(place.asked)}{target}"


def _method(rule: Rule) -> str | None:
    return next((method for method in _READS if not rule.match.methods or method in rule.match.methods), None)


def _ours(received: Received) -> Mapping[str, object] | None:
    if not received.headers.get("proxy-status", "").startswith("clientcreds;"):
        return None
    try:
        said = json.loads(received.body)
    except ValueError:
        return {"status": received.status}
    return said if isinstance(said, dict) else {"status": received.status}


def _printable(text: str) -> str:
    return re.sub(r"[^\x20-\x7e]", "?", text)[:200]
