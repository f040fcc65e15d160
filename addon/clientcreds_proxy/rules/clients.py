"""Who may use the proxy, or a rule: entries of `allowed_clients`."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from clientcreds_proxy.rules.model import ClientList

_USER = "user:"
_MAPPED = IPv6Network("::ffff:0:0/96")  # IPv4 as a dual-stack socket sees it


def parse_client(text: str) -> IPv4Network | IPv6Network | str:
    """One entry: a network (`127.0.0.0/8`, or `::1` alone), or the name in `user:alice`.

    An address within a network means that network (`10.1.2.3/8`). ValueError where it is neither.
    """
    if text.startswith(_USER):
        if user := text.removeprefix(_USER):
            return user
        raise ValueError(f"{text!r} names no user; expected user:alice")
    try:
        return _unmapped(ip_network(text, strict=False))
    except ValueError:
        raise ValueError(f"{text!r} is no client; expected 127.0.0.0/8, ::1 or user:alice") from None


def admits(clients: ClientList, address: str, user: str | None) -> bool:
    """Whether a client at `address`, logged in to mitmproxy's `proxyauth` as `user`, is on the list."""
    if user is not None and user in clients.users:
        return True
    try:
        client = _plain(ip_address(address))
    except ValueError:
        return False
    return any(client in network for network in clients.networks)


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        return IPv4Network(f"{mapped}/{network.prefixlen - 96}")
    return network
