"""Where a cluster is, and whether it speaks TLS. How Envoy balances and connects has no counterpart."""

from collections.abc import Iterator
from dataclasses import dataclass

from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.envoy.field import field, type_of
from clientcreds_proxy.rules.host import ip_literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A group of servers for one purpose."""

    at: At
    addresses: tuple[tuple[str, int], ...]
    tls: bool
    sni: str

    @property
    def scheme(self) -> str:
        """That of its URLs."""
        return "https" if self.tls else "http"

    def hosts(self, renamed: str = "") -> tuple[str, ...]:
        """Its hosts as rules name them. A name that Envoy itself uses stands for addresses that are none."""
        name = renamed.partition(":")[0] or self.sni
        found = ((name if name and _is_address(host) else host, port) for host, port in self.addresses)
        return tuple(dict.fromkeys(self._shown(host, port) for host, port in found))

    def _shown(self, host: str, port: int) -> str:
        host = f"[{host}]" if ":" in host else host
        return host if port == (443 if self.tls else 80) else f"{host}:{port}"


def clusters(resources: list[At]) -> dict[str, Cluster]:
    """All clusters by name."""
    return {at.at("name").text(): _cluster(at) for at in resources}


def _cluster(at: At) -> Cluster:
    choices = field(at, "transport_socket_matches").items()
    found = [_innermost(field(each, "transport_socket")) for each in choices]
    if found:
        choices[0].note("one of several transport sockets: https here where any of them speaks TLS")
    socket = next(filter(_speaks_tls, found), _innermost(field(at, "transport_socket")))
    return Cluster(
        at=at,
        addresses=tuple(_addresses(at)),
        tls=_speaks_tls(socket),
        sni=field(socket, "typed_config", "sni").text(),
    )


def _innermost(socket: At) -> At:
    """The transport socket inside of those that only wrap it: HTTP and PROXY protocol proxies, taps."""
    inner = field(socket, "typed_config", "transport_socket")
    return _innermost(inner) if inner.given else socket


def _speaks_tls(socket: At) -> bool:
    return socket.given and type_of(field(socket, "typed_config")) != "RawBuffer"


def _addresses(at: At) -> Iterator[tuple[str, int]]:
    for locality in field(at, "load_assignment", "endpoints").items():
        for endpoint in field(locality, "lb_endpoints").items():
            address = field(endpoint, "endpoint", "address", "socket_address")
            host, port = address.at("address").text(), field(address, "port_value").number()
            if host and port:
                yield host, int(port)


def _is_address(host: str) -> bool:
    return ip_literal(host) is not None
