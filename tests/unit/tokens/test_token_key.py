from dataclasses import replace
from typing import Any

import pytest

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.keeping.key import cache_key
from clientcreds_proxy.tokens.model import (
    Assertion,
    AssertionFile,
    Client,
    ClientTls,
    Expiry,
    TokenRequest,
    TokenResponse,
    Verify,
)
from tests.unit.tokens.making import a_spec

AN_ASSERTION = Assertion(algorithm="RS256", key=Secret("pem"))


@pytest.mark.parametrize(
    "change",
    [
        {"name": "another"},
        {"client": Client(timeout_seconds=9, max_retries=0, proxy=Secret("http://p"))},
        {"client": Client(tls=ClientTls(ca="pem"))},
        {"api_headers": (("X-Api-Key", "k"),)},
    ],
)
def test_key_leaves_out_what_does_not_shape_the_token(change: dict[str, Any]) -> None:
    assert cache_key(a_spec(**change)) == cache_key(a_spec())


@pytest.mark.parametrize(
    "change",
    [
        {"token_url": "https://other.example.com/token"},
        {"client_id": "App"},
        {"client_secrets": (Secret("another"),)},
        {"client_secrets": (Secret("s3cr3t"), Secret("another"))},
        {"client_auth": "client_secret_post"},
        {"scopes": ("a",)},
        {"audience": ("a",)},
        {"resource": ("a",)},
        {"endpoint_params": (("a", ("b",)),)},
        {"token_request": TokenRequest(format="json")},
        {"token_request": TokenRequest(grant_type="password")},
        {"token_request": TokenRequest(scope_separator=",")},
        {"token_request": TokenRequest(basic_encoding="form")},
        {"token_request": TokenRequest(headers=(("X-Tenant", "acme"),))},
        {"token_response": TokenResponse(token="id_token")},
        {"token_response": TokenResponse(expires_in="ttl")},
        {"token_response": TokenResponse(expires_in_unit="milliseconds")},
        {"token_response": TokenResponse(expires_at="expires")},
        {"token_response": TokenResponse(token_types=("Bearer", "Other"))},
        {"expiry": Expiry(skew_seconds=1)},
        {"expiry": Expiry(default_ttl_seconds="never")},
        {"client": Client(tls=ClientTls(cert="pem"))},
        {"assertion": AssertionFile(path="/run/assertion.jwt")},
        {"assertion": AN_ASSERTION},
        {"verify": Verify()},
        {"verify": Verify(audience=("a",))},
        {"verify": Verify(introspection_url="https://idp.example.com/introspect")},
    ],
)
def test_key_changes_with_what_shapes_the_token(change: dict[str, Any]) -> None:
    """F04, G04."""
    assert cache_key(a_spec(**change)) != cache_key(a_spec())


@pytest.mark.parametrize(
    "change",
    [
        {"signature": False},
        {"scopes_required": ("a",)},
        {"leeway_seconds": 0},
        {"inspector": ("rs", (Secret("s3cr3t"),))},
    ],
)
def test_key_changes_with_how_the_token_is_looked_at(change: dict[str, Any]) -> None:
    assert cache_key(a_spec(verify=replace(Verify(), **change))) != cache_key(a_spec(verify=Verify()))


@pytest.mark.parametrize(
    "change",
    [
        {"algorithm": "PS256"},
        {"key": Secret("another")},
        {"key_id": "k1"},
        {"certificate": "pem"},
        {"thumbprint": "x5t"},
        {"audience": "https://idp.example.com"},
    ],
)
def test_key_changes_with_what_the_assertion_says(change: dict[str, Any]) -> None:
    changed = a_spec(assertion=replace(AN_ASSERTION, **change))

    assert cache_key(changed) != cache_key(a_spec(assertion=AN_ASSERTION))


def test_key_changes_with_the_assertions_file_and_not_with_the_lifetime() -> None:
    file = a_spec(assertion=AssertionFile(path="/run/a"))
    longer = a_spec(assertion=replace(AN_ASSERTION, lifetime_seconds=120))

    assert cache_key(file) != cache_key(a_spec(assertion=AssertionFile(path="/run/b")))
    assert cache_key(longer) == cache_key(a_spec(assertion=AN_ASSERTION))


def test_key_does_not_depend_on_the_order_of_scopes() -> None:
    assert cache_key(a_spec(scopes=("a", "b"))) == cache_key(a_spec(scopes=("b", "a", "b")))


def test_key_holds_no_secret_and_nothing_of_the_source() -> None:
    assert len(cache_key(a_spec())) == 64
