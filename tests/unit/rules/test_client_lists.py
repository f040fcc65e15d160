from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest

from clientcreds_proxy.rules.clients import admits, parse_client
from clientcreds_proxy.rules.model import ClientList


def networks(*texts: str) -> ClientList:
    return ClientList(networks=tuple(ip_network(text) for text in texts))


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("127.0.0.0/8", IPv4Network("127.0.0.0/8")),
        ("10.1.2.3/8", IPv4Network("10.0.0.0/8")),
        ("10.1.2.3", IPv4Network("10.1.2.3/32")),
        ("::1", IPv6Network("::1/128")),
        ("2001:db8::/32", IPv6Network("2001:db8::/32")),
        ("::ffff:127.0.0.0/104", IPv4Network("127.0.0.0/8")),
        ("user:alice", "alice"),
        ("user:a:b", "a:b"),
    ],
)
def test_parse_client_gives_a_network_or_a_user(text: str, entry: IPv4Network | IPv6Network | str) -> None:
    assert parse_client(text) == entry


@pytest.mark.parametrize("text", ["", "alice", "localhost", "10.0.0.0/33", "10.0.0", "user:", "User:alice"])
def test_parse_client_says_what_it_expected(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected .*user:alice"):
        parse_client(text)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1", "::1"])
def test_admits_an_address_in_one_of_the_networks(address: str) -> None:
    assert admits(networks("127.0.0.0/8", "::1/128"), address, None)


@pytest.mark.parametrize("address", ["128.0.0.1", "::2", "::ffff:10.0.0.1", "no address", ""])
def test_admits_no_other_address(address: str) -> None:
    assert not admits(networks("127.0.0.0/8", "::1/128"), address, None)


def test_admits_a_link_local_address_with_its_zone() -> None:
    assert admits(networks("fe80::/10"), "fe80::1%eth0", None)


def test_admits_a_listed_user_from_anywhere() -> None:
    assert admits(ClientList(users=frozenset({"alice"})), "192.0.2.1", "alice")


@pytest.mark.parametrize("user", ["bob", "Alice", "", None])
def test_admits_no_other_user(user: str | None) -> None:
    assert not admits(ClientList(users=frozenset({"alice"})), "192.0.2.1", user)


def test_admits_nobody_when_the_list_is_empty() -> None:
    assert not admits(ClientList(), "127.0.0.1", "alice")
