"""Hosts in one normal form, so that equal names are equal texts. Nothing here resolves a name.

The normal form is what goes into the DNS or an address: lower case, A-labels (`xn--…`), no trailing dot,
IPv6 compressed and without brackets. Unicode is mapped as a browser maps it (UTS #46, non-transitional).
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address

import idna

_LABEL = re.compile(r"[a-z0-9_-]{1,63}")  # underscores: not in RFC 1123, but in use
_FORBIDDEN = re.compile(r"[\x00-,/:-@\[-^`{-\x7f]")  # all of ASCII but letters, digits, `-`, `.` and `_`
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_HOST_AND_PORT = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?")
_LOOPBACK_V4 = IPv4Network("127.0.0.0/8")
_LOOPBACK_V6 = IPv6Address("::1")


@lru_cache(maxsize=1024)  # a request asks for the same few names several times
def normalise(host: str) -> str:
    """`host` in normal form; ValueError with a readable message for what is no host.

    IPv6 is taken with or without brackets. IPv4 is four decimal numbers: what else resolvers read as an
    address (`127.1`, `0x7f.1`, `2130706433`) is refused, because two programs read it differently.
    """
    literal = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" in literal:
        return str(_ipv6(literal))
    if literal != host:
        raise ValueError(f"{_shown(host)} is no IPv6 address")
    return _name_or_ipv4(host)


def is_loopback(host: str) -> bool:
    """Whether `host` is written as this machine: a name that merely resolves to it is not."""
    try:
        normal = normalise(host)
    except ValueError:
        return False
    if normal == "localhost" or normal.endswith(".localhost"):
        return True
    address = ip_literal(normal)
    return address in _LOOPBACK_V4 if isinstance(address, IPv4Address) else address == _LOOPBACK_V6


def ip_literal(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host in normal form is, or None for a name."""
    try:
        return IPv6Address(host) if ":" in host else IPv4Address(host)
    except ValueError:
        return None


def split_host_port(text: str) -> tuple[str, int | None]:
    """Host (as written, without brackets) and port of `api.example.com:8443` or `[::1]:80`.

    ValueError where the port is no port, or where IPv6 has no brackets: `::1:80` could be either.
    """
    found = _HOST_AND_PORT.fullmatch(text)
    port = int(found["port"]) if found and found["port"] else None
    if found is None or (port is not None and not 0 < port < 65536):
        raise ValueError(
            f"{_shown(text)} is no host with or without a port, like example.com:443 or [::1]:443"
        )
    host = found["host"]
    return (str(_ipv6(host[1:-1])) if host.startswith("[") else host), port


def _ipv6(literal: str) -> IPv6Address:
    try:
        address = IPv6Address(literal)
    except ValueError:
        raise ValueError(f"{_shown(literal)} is no IPv6 address") from None
    if address.scope_id is not None:
        raise ValueError(f"{_shown(literal)} has a zone, which means something on one machine only")
    return address


def _name_or_ipv4(host: str) -> str:
    mapped = _mapped(host).removesuffix(".")
    labels = [_a_label(label, host) for label in mapped.split(".")]
    if len(name := ".".join(labels)) > 253:
        raise ValueError(f"{_shown(host)} is longer than the 253 characters of a host name")
    if _NUMBER.fullmatch(labels[-1]) and ip_literal(name) is None:
        raise ValueError(f"{_shown(host)} is no host name, and an IPv4 address is four numbers from 0 to 255")
    return name


def _mapped(host: str) -> str:
    if found := _FORBIDDEN.search(host):
        raise ValueError(f"{_shown(host)} is no host: it holds {found.group()!r}")
    if host.isascii():
        return host.lower()
    try:
        return idna.uts46_remap(host, std3_rules=False, transitional=False)
    except UnicodeError as error:
        raise ValueError(f"{_shown(host)} is no host name: {error}") from error


def _a_label(label: str, host: str) -> str:
    # Symbols (☃.net) are encoded as well: browsers do so, IDNA 2008 alone would not.
    if not label:
        raise ValueError(f"{_shown(host)} is no host: it is empty, or one of its labels is")
    if _FORBIDDEN.search(label):
        raise ValueError(f"{_shown(host)} is no host: {label!r} is what a browser reads there")
    encoded = label if label.isascii() else f"xn--{label.encode('punycode').decode()}"
    if not _LABEL.fullmatch(encoded):
        raise ValueError(f"{_shown(host)} is no host: a label is longer than 63 characters")
    return encoded


def _shown(text: str) -> str:
    """`text` for a message: quoted, and short even where a stranger chose it."""
    return repr(text if len(text) <= 80 else f"{text[:80]}…")
