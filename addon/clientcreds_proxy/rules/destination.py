"""Where a token may go: names in the request that must agree with its destination, and plain http."""

from clientcreds_proxy.errors import DestinationMismatch, PlaintextRefused
from clientcreds_proxy.rules.host import is_loopback, normalise, split_host_port
from clientcreds_proxy.rules.matching import DEFAULT_PORTS
from clientcreds_proxy.rules.model import Destination, Rule


def agree(destination: Destination, *, server_name: str | None, host_header: str | None) -> None:
    """Refuse a request whose TLS server name or Host header (None: not sent) names another server.

    `destination` is the one the client spoke to, before any upgrade. A Host header without a port means the
    scheme's default port.
    """
    if server_name is not None and not _names(server_name, destination.host):
        raise DestinationMismatch(_differs("TLS server name", server_name, destination))
    if host_header is None:
        return
    try:
        host, port = split_host_port(host_header)
    except ValueError as error:
        raise DestinationMismatch(_differs("Host header", host_header, destination)) from error
    if port is None:
        port = DEFAULT_PORTS[destination.scheme]
    if port != destination.port or not _names(host, destination.host):
        raise DestinationMismatch(_differs("Host header", host_header, destination))


def refuse_plaintext(rule: Rule, destination: Destination, *, stays_here: bool = True) -> None:
    """Refuse a token over plain http. `destination`: where the request leaves for, after any upgrade.

    `stays_here`: whether what is written as loopback is this machine.
    """
    if destination.scheme == "https" or rule.token_source is None:
        return
    if not (rule.allow_plain_http or (stays_here and is_loopback(destination.host))):
        raise PlaintextRefused(
            f"a token would go to {destination.host} unencrypted; expected https, or in the rule {rule.name} "
            "upgrade_to_https or allow_plain_http"
        )


def host_header(destination: Destination) -> str:
    """How a request names this server: without the scheme's default port."""
    host, _, _ = destination.authority.rpartition(":")
    return host if destination.port == DEFAULT_PORTS[destination.scheme] else destination.authority


def _names(text: str, host: str) -> bool:
    try:
        return normalise(text) == host
    except ValueError:
        return False


def _differs(what: str, text: str, destination: Destination) -> str:
    shown = text if len(text) <= 80 else f"{text[:80]}…"
    return f"the connection leads to {destination.host}:{destination.port}, but the {what} is {shown!r}"
