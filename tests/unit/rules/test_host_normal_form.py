import pytest

from clientcreds_proxy.rules.host import is_loopback, normalise, split_host_port


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("API.Example.COM", "api.example.com"),
        ("api.example.com.", "api.example.com"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("xn--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("☃.example", "xn--n3h.example"),
        ("api。example。com", "api.example.com"),
        ("_dmarc.example.com", "_dmarc.example.com"),
        ("r3---sn-x.example.com", "r3---sn-x.example.com"),
        ("localhost", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1.", "192.0.2.1"),
        ("[2001:DB8:0:0::1]", "2001:db8::1"),
        ("2001:db8::0001", "2001:db8::1"),
        ("::1", "::1"),
    ],
)
def test_normalise_gives_the_one_form_of_a_host(written: str, normal: str) -> None:
    assert normalise(written) == normal


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("", "empty"),
        (".", "empty"),
        ("a..b", "empty"),
        ("a.b..", "empty"),
        ("exa mple.com", "' '"),
        ("user@example.com", "'@'"),
        ("ex%61mple.com", "'%'"),
        ("*.example.com", "'*'"),
        ("example.com\n", r"'\\n'"),
        ("℀.example", "'a/c' is what a browser reads"),
        ("\udcff.example", "no host name"),
        ("a\U000e0fff.example", "no host name"),
        ("a" * 64 + ".example", "longer than 63"),
        (".".join(["a" * 63] * 4), "longer than the 253"),
        ("127.1", "four numbers"),
        ("2130706433", "four numbers"),
        ("0x7f.1", "four numbers"),
        ("192.0.2.256", "four numbers"),
        ("192.0.2.01", "four numbers"),
        ("[example.com]", "no IPv6 address"),
        ("fe80::1%eth0", "zone"),
        ("1:2", "no IPv6 address"),
    ],
)
def test_normalise_says_what_is_wrong_when_it_is_no_host(written: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        normalise(written)


def test_normalise_keeps_its_message_short_when_the_host_is_long() -> None:
    with pytest.raises(ValueError, match="no host") as raised:
        normalise("/" * 10_000)

    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    "written",
    [
        "localhost",
        "LOCALHOST.",
        "app.localhost",
        "127.0.0.1",
        "127.255.255.254",
        "::1",
        "[::1]",
        "0:0:0:0:0:0:0:1",
    ],
)
def test_is_loopback_takes_what_is_written_as_this_machine(written: str) -> None:
    assert is_loopback(written)


@pytest.mark.parametrize(
    "written",
    [
        "localhost.example.com",
        "notlocalhost",
        "127.0.0.1.example.com",
        "localtest.me",
        "128.0.0.1",
        "0.0.0.0",
        "::2",
        "::ffff:127.0.0.1",
        "127.1",
        "2130706433",
        "",
    ],
)
def test_is_loopback_refuses_what_merely_resolves_to_it(written: str) -> None:
    assert not is_loopback(written)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("api.example.com", ("api.example.com", None)),
        ("API.example.com:8443", ("API.example.com", 8443)),
        ("*.example.com:1", ("*.example.com", 1)),
        ("[2001:DB8::1]", ("2001:db8::1", None)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_split_host_port_takes_brackets_and_port_off(text: str, parts: tuple[str, int | None]) -> None:
    assert split_host_port(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "a:",
        "a:0",
        "a:65536",
        "a:123456",
        "a:-1",
        "a:80a",
        "a:\uff180",
        "a:b:80",
        "::1",
        "[::1",
        "::1]:80",
        "[::1]80",
        "[a]",
    ],
)
def test_split_host_port_refuses_what_is_neither(text: str) -> None:
    with pytest.raises(ValueError, match=r"no host|no IPv6"):
        split_host_port(text)
