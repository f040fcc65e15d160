from dataclasses import replace

import pytest

from clientcreds_proxy.errors import DestinationMismatch, PlaintextRefused
from clientcreds_proxy.rules.destination import agree, refuse_plaintext
from clientcreds_proxy.rules.model import Destination
from tests.unit.rules.making import a_rule, at

API = at("https://api.example.com")


@pytest.mark.parametrize(
    ("server_name", "host_header"),
    [
        (None, None),
        ("api.example.com", None),
        ("API.example.com.", "api.example.com"),
        ("api.example.com", "API.EXAMPLE.COM.:443"),
        (None, "api.example.com:443"),
    ],
)
def test_agree_lets_equal_names_pass(server_name: str | None, host_header: str | None) -> None:
    agree(API, server_name=server_name, host_header=host_header)


@pytest.mark.parametrize(
    ("server_name", "host_header"),
    [
        ("evil.example", None),
        ("evil.example", "api.example.com"),
        ("", "api.example.com"),
        ("api.example.com", "evil.example"),
        ("api.example.com", "api.example.com:8443"),
        (None, "api.example.com:80"),
        (None, "api.example.com, evil.example"),
        (None, "api.example.com:"),
        (None, "api.example.com:x"),
        (None, "user@api.example.com"),
        (None, ""),
        (None, "xn--api.example.com"),
    ],
)
def test_agree_refuses_another_server(server_name: str | None, host_header: str | None) -> None:
    with pytest.raises(DestinationMismatch, match=r"api\.example\.com:443"):
        agree(API, server_name=server_name, host_header=host_header)


def test_agree_takes_a_missing_port_as_the_default_of_the_scheme() -> None:
    agree(at("http://api.example.com"), server_name=None, host_header="api.example.com")

    with pytest.raises(DestinationMismatch):
        agree(at("http://api.example.com:8080"), server_name=None, host_header="api.example.com")


@pytest.mark.parametrize("host_header", ["[::1]:8443", "[0:0::1]:8443"])
def test_agree_compares_addresses(host_header: str) -> None:
    agree(Destination(scheme="https", host="::1", port=8443), server_name=None, host_header=host_header)


def test_agree_compares_international_names() -> None:
    agree(at("https://xn--bcher-kva.example"), server_name="bücher.example", host_header="Bücher.example")


def test_agree_cuts_what_a_stranger_wrote() -> None:
    with pytest.raises(DestinationMismatch) as raised:
        agree(API, server_name=None, host_header="x" * 10_000)

    assert len(raised.value.detail) < 250


@pytest.mark.parametrize(
    "url", ["https://api.example.com", "http://localhost", "http://app.localhost:8080", "http://127.0.0.1"]
)
def test_refuse_plaintext_lets_tls_and_loopback_pass(url: str) -> None:
    """D04."""
    refuse_plaintext(a_rule(), at(url))


def test_refuse_plaintext_refuses_a_token_over_http() -> None:
    """D04."""
    with pytest.raises(PlaintextRefused, match="allow_plain_http"):
        refuse_plaintext(a_rule(), at("http://api.example.com"))


def test_refuse_plaintext_lets_http_pass_when_the_rule_allows_it() -> None:
    """D04."""
    refuse_plaintext(replace(a_rule(), allow_plain_http=True), at("http://api.example.com"))


def test_refuse_plaintext_lets_http_pass_when_the_rule_has_no_token() -> None:
    refuse_plaintext(replace(a_rule(), token_source=None), at("http://api.example.com"))
