import pytest

from clientcreds_proxy.rules.url import parse_url
from tests.unit.rules.making import at


@pytest.mark.parametrize(
    ("text", "destination", "target"),
    [
        ("https://api.example.com", "https://api.example.com", "/"),
        ("HTTP://API.Example.com./a", "http://api.example.com", "/a"),
        ("https://api.example.com:8443/a?b=c#d", "https://api.example.com:8443", "/a?b=c"),
        ("https://api.example.com?b=c", "https://api.example.com", "/?b=c"),
        ("https://api.example.com#d", "https://api.example.com", "/"),
        ("https://bücher.example/ä?ü=%2f", "https://xn--bcher-kva.example", "/%C3%A4?%C3%BC=%2f"),
        ("http://api.example.com/a/../b//c", "http://api.example.com", "/a/../b//c"),
        (r"http://api.example.com\a", "http://api.example.com", r"\a"),
    ],
)
def test_url_is_taken_apart_as_a_client_would(text: str, destination: str, target: str) -> None:
    url = parse_url(text)

    assert (url.destination, url.target) == (at(destination), target)


@pytest.mark.parametrize(
    ("text", "authority", "host_header", "server_name"),
    [
        ("https://api.example.com/", "api.example.com:443", "api.example.com", "api.example.com"),
        ("http://api.example.com:443/", "api.example.com:443", "api.example.com:443", "api.example.com"),
        ("https://[2001:DB8::0:1]/", "[2001:db8::1]:443", "[2001:db8::1]", None),
        ("http://127.0.0.1:80/", "127.0.0.1:80", "127.0.0.1", None),
    ],
)
def test_url_names_its_server_as_clients_do(
    text: str, authority: str, host_header: str, server_name: str | None
) -> None:
    url = parse_url(text)

    assert (url.authority, url.host_header, url.server_name) == (authority, host_header, server_name)


@pytest.mark.parametrize(
    ("userinfo", "basic"),
    [
        ("", None),
        ("app:s3cr3t@", "Basic YXBwOnMzY3IzdA=="),
        ("a%3Ab@", "Basic YTpiOg=="),
        ("@", "Basic Og=="),
    ],
)
def test_credentials_in_a_url_become_a_header(userinfo: str, basic: str | None) -> None:
    """As curl does; they are never part of where a request goes."""
    url = parse_url(f"https://{userinfo}api.example.com/")

    assert (url.destination, url.basic) == (at("https://api.example.com"), basic)


def test_url_is_shown_without_credentials_and_fragment() -> None:
    assert str(parse_url("https://a:b@api.example.com:443/x?y#z")) == "https://api.example.com/x?y"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("api.example.com/a", "expected http://HOST"),
        ("ftp://api.example.com/", "expected http://HOST"),
        ("https:///a", "is no host"),
        ("https://api.example.com:0/", "is no host with or without a port"),
        ("https://::1/", "is no host with or without a port"),
        ("https://127.1/", "four numbers"),
        ("https://api.example.com/a b", "holds a space"),
        ("https://api.example.com/a\tb", "holds a space or a control character"),
    ],
)
def test_what_no_client_could_call_is_no_url(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_url(text)
