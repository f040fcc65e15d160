from typing import Any

import pytest

from clientcreds_proxy.tokens.asking import hints
from clientcreds_proxy.tokens.model import AssertionFile, ErrorAnswer
from tests.unit.tokens.making import a_spec


def hint(error: str | None, *, status: int = 400, ahead: float | None = None, **spec: Any) -> str:
    said = ErrorAnswer(status=status, error=error, description=None)
    return hints.rejected(a_spec(**spec), said, host="idp", ahead_seconds=ahead) or ""


@pytest.mark.parametrize(
    ("error", "spec", "words"),
    [
        ("invalid_client", {}, "check client_id and client_secret"),
        ("invalid_client", {"client_auth": "private_key_jwt"}, "check client_id and assertion"),
        ("invalid_client", {"client_auth": "tls_client_auth"}, "check client_id and client.tls.cert"),
        ("invalid_scope", {"scopes": ("a", "b")}, "check scopes (a, b)"),
        ("invalid_scope", {}, "check scopes (none is set)"),
        ("invalid_target", {"resource": ("https://r",), "audience": ("a",)}, "resource (https://r)"),
        ("unauthorized_client", {}, "the grant client_credentials"),
        ("unsupported_grant_type", {}, "check token_url"),
        ("access_denied", {"audience": ("https://api/",)}, "grant this application the API"),
        ("access_denied", {"audience": ("{x}",)}, "audience ({x})"),
    ],
)
def test_hint_says_which_key_the_error_is_about(error: str, spec: dict[str, Any], words: str) -> None:
    assert words in hint(error, **spec)


@pytest.mark.parametrize("error", [None, "teapot"])
def test_hint_is_none_where_nothing_is_known(error: str | None) -> None:
    assert hint(error) == ""


@pytest.mark.parametrize("status", [404, 405, 410])
def test_hint_doubts_the_url_where_nothing_is_there(status: int) -> None:
    assert hint(None, status=status) == "check token_url: no tokens are given there"
    assert "token_url or issuer" in hint(None, status=status, issuer="https://idp.example.com")
    assert hint("teapot", status=status) == ""


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (3600.4, "this machine's clock is 3600 s ahead of idp: set it"),
        (-61, "this machine's clock is 61 s behind idp: set it"),
        (60, ""),
        (-60, ""),
        (None, ""),
    ],
)
def test_hint_tells_of_a_clock_that_is_off_by_more_than_a_minute(ahead: float | None, words: str) -> None:
    assert hint(None, status=401, ahead=ahead) == words


def test_hint_tells_of_the_clock_only_where_time_can_be_the_reason() -> None:
    clock = "this machine's clock"

    assert clock in hint("invalid_client", ahead=100)
    assert clock in hint("invalid_grant", ahead=100)
    assert clock in hint("invalid_request", ahead=100, assertion=AssertionFile(path="/a"))
    assert clock not in hint("invalid_scope", ahead=100)


def test_hints_are_joined() -> None:
    assert hint("invalid_client", ahead=100) == (
        "this machine's clock is 100 s ahead of idp: set it; check client_id and client_secret"
    )
    assert hints.joined(None, "", None) is None
