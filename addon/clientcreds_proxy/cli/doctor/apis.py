"""The APIs: does something listen at a ruled host, and does the proxy trust its certificate."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from clientcreds_proxy.cli.doctor.finding import Finding, bad, good, left_out
from clientcreds_proxy.cli.doctor.patient import Patient, Surroundings
from clientcreds_proxy.rules.host import is_loopback
from clientcreds_proxy.rules.matching import DEFAULT_PORTS, leaves_for
from clientcreds_proxy.rules.model import Destination, Rule, Scheme

MOST = 20  # places; a larger configuration has more than anybody wants to read
SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a rule's requests go, and how they come in."""

    rule: Rule
    asked: Destination  # as the client names it
    goes_to: Destination


def places_of(rule: Rule) -> Iterator[Place]:
    """One for each host that is written in full and each port; for `port: any` the scheme's own."""
    ports = rule.match.ports if isinstance(rule.match.ports, frozenset) else {None}
    for pattern in rule.match.hosts:
        for port in sorted(ports, key=lambda each: each or 0):
            if pattern.kind == "exact" and (place := next(_ways_to(rule, pattern.base, port), None)):
                yield place


def _ways_to(rule: Rule, host: str, port: int | None) -> Iterator[Place]:
    """By each scheme that the rule takes, the likelier one first."""
    schemes: tuple[Scheme, ...] = ("http", "https") if rule.upgrade_to_https else ("https", "http")
    for scheme in schemes:
        asked = Destination(scheme=scheme, host=host, port=port or DEFAULT_PORTS[scheme])
        goes_to = leaves_for(rule, asked)
        if goes_to is not None:
            yield Place(rule=rule, asked=asked, goes_to=goes_to)


async def look_at_apis(patient: Patient) -> AsyncIterator[tuple[Finding, Place | None]]:
    """Each place once, as it can be used, or None."""
    around = patient.around
    places = {place.goes_to: place for rule in patient.config.rules for place in places_of(rule)}
    if not around.goes_direct:
        why = "the proxy goes through another proxy: only a request through it tells"
        for place in places.values():
            yield left_out("api", why), place
        return
    if not places:
        yield left_out("api", "no rule names a host in full"), None
    chosen = list(places.values())[:MOST]
    for found in await asyncio.gather(*(_look(place, around) for place in chosen)):
        yield found
    if len(places) > MOST:
        yield left_out("api", f"{len(places) - MOST} more hosts"), None


async def _look(place: Place, around: Surroundings) -> tuple[Finding, Place | None]:
    to = place.goes_to
    try:
        await _connect(to, around)
    except OSError as error:  # TimeoutError and ssl.SSLError are such, too
        is_tls = isinstance(error, ssl.SSLCertVerificationError)
        plain = None if is_tls else await _plain(place, around)
        if plain is not None:
            return good("api", f"{to.authority} takes connections (plain http)"), plain
        what, mend = _in_words(error, place, around)
        return bad("api", what, mend), None
    if to.scheme == "http":
        return good("api", f"{to.authority} takes connections (plain http)"), place
    if not around.verifies and not is_loopback(to.host):
        mend = "take ssl_insecure out of mitmproxy's options"
        return bad("api", "ssl_insecure is set: the proxy refuses to send tokens", mend), None
    return good("api", f"{to.authority} takes TLS, and its certificate is trusted"), place


async def _plain(place: Place, around: Surroundings) -> Place | None:
    """The same without TLS: on loopback, a rule without a scheme is for both."""
    to = place.goes_to
    if to.scheme == "http" or not is_loopback(to.host):
        return None
    ways = (way for way in _ways_to(place.rule, to.host, to.port) if way.goes_to.scheme == "http")
    plain = next(ways, None)
    if plain is None:
        return None
    try:
        await _connect(plain.goes_to, around)
    except OSError:
        return None
    return plain


async def _connect(to: Destination, around: Surroundings) -> None:
    context = None
    if to.scheme == "https":
        context = ssl.create_default_context(cafile=str(around.trusted_ca))
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # mitmproxy does not ask for as much
    async with asyncio.timeout(SECONDS):
        _, writer = await asyncio.open_connection(
            to.host, to.port, ssl=context, server_hostname=to.host if context else None
        )
    writer.transport.abort()


def _in_words(error: OSError, place: Place, around: Surroundings) -> tuple[str, str]:
    """What went wrong, and what mends it."""
    to, named = place.goes_to, f"match.host and port of rule {place.rule.name}"
    match error:
        case ssl.SSLCertVerificationError():
            what = f"the certificate of {to.authority} is not trusted: {error.verify_message}"
            return what, _trust(error, place, around)
        case ssl.SSLError():
            reason = (error.reason or "it failed").lower().replace("_", " ")
            return f"no TLS with {to.authority}: {reason}", f"check {named}: does that port speak TLS?"
        case TimeoutError():
            tls = ": does that port speak TLS?" if to.scheme == "https" else ""
            return f"{to.authority} does not answer", f"check {named}, and this machine's way to it{tls}"
        case socket.gaierror():
            return f"the name {to.host} can't be resolved", f"check {named}, and this machine's DNS"
        case ConnectionRefusedError():
            return f"{to.authority} refuses the connection", f"start the API, or check {named}"
        case _:
            return f"{to.authority} can't be reached: {error.strerror or error}", f"check {named}"


def _trust(error: ssl.SSLCertVerificationError, place: Place, around: Surroundings) -> str:
    if error.verify_code in {62, 64}:  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
        return f"it is another server's: check match.host of rule {place.rule.name}"
    if error.verify_code in {9, 10}:  # not yet valid, expired
        return "the API needs a new certificate, or this machine's clock is wrong"
    return (
        "clientcreds serve --set ssl_verify_upstream_trusted_ca=FILE, with a FILE that holds "
        f"the CAs of {around.trusted_ca} and the API's"
    )
