"""Proxy variables: do they lead clients to the proxy, and does NO_PROXY lead them round it."""

import socket
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from clientcreds_proxy.cli.clients import no_proxy
from clientcreds_proxy.cli.doctor.finding import Finding, bad, good
from clientcreds_proxy.cli.doctor.patient import Patient
from clientcreds_proxy.rules.host import is_loopback

PAIRS = (("http_proxy", "HTTP_PROXY"), ("https_proxy", "HTTPS_PROXY"))
_ONLY_SMALL = {"http_proxy": "curl, wget and git read", "https_proxy": "wget reads"}


def leads_here(patient: Patient) -> bool:
    """Whether any variable leads clients to our proxy: then they must trust its CA."""
    return any(is_ours(value, patient) for pair in PAIRS for value in _set(pair, patient.environ).values())


def look_at_variables(patient: Patient) -> Iterator[Finding]:
    """HTTP_PROXY and its like."""
    environ = patient.environ
    everything = {name: value for pair in PAIRS for name, value in _set(pair, environ).items()}
    if not everything:
        yield good(
            "variables",
            "no proxy is set here: clientcreds run -- COMMAND does it for a command, env for a shell",
        )
        return
    elsewhere = [name for name, value in everything.items() if not is_ours(value, patient)]
    for name in elsewhere:
        yield _elsewhere(name, everything[name], patient)
    if elsewhere:
        return
    url = str(patient.proxy)
    if patient.mine is None and not _listens(patient.proxy.port):
        names = ", ".join(everything)
        yield bad(
            "variables",
            f"{names}: lead to {url}, where no proxy listens",
            f"clientcreds serve{patient.named} -p {patient.proxy.port}",
        )
        return
    missing = [pair for pair in _wanted(patient) if not environ.get(pair[0])]
    for small, large in missing:
        who = f"{_ONLY_SMALL[small]} it in small letters only" if environ.get(large) else "clients go direct"
        yield bad("variables", f"{small} is not set: {who}", f"export {small}={url} {large}={url}")
    if not missing:
        yield good("variables", f"{', '.join(everything)}: lead to {url}")


def _wanted(patient: Patient) -> Iterator[tuple[str, str]]:
    """The variables for the schemes that rules are for."""
    http, https = PAIRS
    rules = patient.config.rules
    if any(
        rule.upgrade_to_https or rule.allow_plain_http or rule.match.schemes == {"http"} for rule in rules
    ):
        yield http
    if any(rule.match.schemes != {"http"} for rule in rules):
        yield https


def look_at_no_proxy(patient: Patient) -> Iterator[Finding]:
    """Entries that make clients go round the proxy."""
    own = no_proxy.entries(patient.environ)
    hidden = no_proxy.hidden_rules(own, patient.config.rules)
    for entry in dict.fromkeys(entry for entry, _ in hidden):
        rules = ", ".join(dict.fromkeys(rule for each, rule in hidden if each == entry))
        left = ",".join(each for each in own if each not in {entry for entry, _ in hidden})
        yield bad(
            "no_proxy",
            f"{entry} in NO_PROXY hides the host of {rules}: clients go round the proxy, without a token",
            f"export NO_PROXY={left} no_proxy={left}",
        )
    if not hidden:
        yield good("no_proxy", "hides no ruled host" if own else "is not set")


def _set(pair: tuple[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    return {name: environ[name] for name in pair if environ.get(name)}


def is_ours(value: str, patient: Patient) -> bool:
    """Whether this URL leads to our proxy."""
    found = _place(value)
    return found is not None and is_loopback(found[0]) and found[1] == patient.proxy.port


def _place(value: str) -> tuple[str, int] | None:
    """Host and port of a proxy's URL, as clients read it; None where that is none."""
    try:
        url = urlsplit(value if "://" in value else f"http://{value}")
        host, port = url.hostname, url.port or 80
    except ValueError:
        return None
    return (host, port) if host else None


def _elsewhere(name: str, value: str, patient: Patient) -> Finding:
    found = _place(value)
    mend = f'eval "$(clientcreds env --port {patient.proxy.port}{patient.named})"'
    if found is None:
        return bad("variables", f"{name} holds no URL of a proxy; expected {patient.proxy}", mend)
    place = f"[{found[0]}]:{found[1]}" if ":" in found[0] else f"{found[0]}:{found[1]}"
    if not is_loopback(found[0]):
        mend += f"; to go on through that proxy: clientcreds serve --mode upstream:http://{place}"
    return bad("variables", f"{name} leads to {place}, not to the proxy at {patient.proxy}", mend)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
