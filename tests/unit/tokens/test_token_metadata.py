import json
from typing import Any

import pytest

from clientcreds_proxy.errors import TokenMalformed
from clientcreds_proxy.tokens.server.endpoint import issuer
from clientcreds_proxy.tokens.server.metadata import Metadata, kept_seconds, locations, read_metadata

ISSUER = "https://idp.example.com/realms/main"
OIDC, OAUTH = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
PLACE = "https://idp.example.com/realms/main/.well-known/openid-configuration"


def body(**changes: Any) -> bytes:
    document = {"issuer": ISSUER, "token_endpoint": "https://idp.example.com/token"} | changes
    return json.dumps({name: value for name, value in document.items() if value is not None}).encode()


def complaint(body: bytes) -> str:
    with pytest.raises(TokenMalformed) as caught:
        read_metadata(ISSUER, body, place=PLACE)
    return caught.value.detail


@pytest.mark.parametrize(
    ("issuer", "appended", "inserted"),
    [
        ("https://h", f"https://h{OIDC}", f"https://h{OAUTH}"),
        ("https://h/", f"https://h{OIDC}", f"https://h{OAUTH}"),
        ("https://h/realms/x", f"https://h/realms/x{OIDC}", f"https://h{OAUTH}/realms/x"),
        ("https://h:8443/t/", f"https://h:8443/t{OIDC}", f"https://h:8443{OAUTH}/t"),
    ],
)
def test_metadata_has_two_places(issuer: str, appended: str, inserted: str) -> None:
    assert locations(issuer) == (appended, inserted)


def test_metadata_is_read() -> None:
    document = body(
        token_endpoint_auth_methods_supported=["client_secret_post", 5],
        grant_types_supported=["client_credentials"],
        mtls_endpoint_aliases={"token_endpoint": "https://mtls.idp.example.com/token"},
        signed_metadata="eyJ…",
        unknown={"deep": [1]},
    )

    assert read_metadata(ISSUER, b"\xef\xbb\xbf" + document, place=PLACE) == Metadata(
        issuer=ISSUER,
        token_endpoint="https://idp.example.com/token",
        mtls_token_endpoint="https://mtls.idp.example.com/token",
        auth_methods=("client_secret_post",),
        grant_types=("client_credentials",),
    )


@pytest.mark.parametrize("aliases", [None, [], {}, {"revocation_endpoint": "https://x/"}])
def test_metadata_without_an_alias_has_none(aliases: object) -> None:
    assert read_metadata(ISSUER, body(mtls_endpoint_aliases=aliases), place=PLACE).mtls_token_endpoint is None


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"[]", b'"x"', b"\xff", b"{", b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}"]
)
def test_metadata_is_a_json_object(content: bytes) -> None:
    assert complaint(content) == f"{PLACE} holds no JSON object, so nothing says where tokens are given"


def test_metadata_of_another_issuer_is_refused_naming_both() -> None:
    assert complaint(body(issuer=ISSUER + "/")) == (
        f"{PLACE} says its issuer is '{ISSUER}/', the configuration says '{ISSUER}'; "
        "they must be equal, a trailing slash included"
    )


def test_metadata_shows_a_foreign_issuer_on_one_line() -> None:
    said = complaint(body(issuer="x\r\ny" + "z" * 5000))

    assert "'x??yzzz" in said
    assert len(said) < 500


@pytest.mark.parametrize("value", [None, 5, [ISSUER]])
def test_metadata_without_issuer_is_refused(value: object) -> None:
    assert complaint(body(issuer=value)) == f"{PLACE} names no issuer"


@pytest.mark.parametrize("value", [None, 5, {}])
def test_metadata_without_token_endpoint_is_refused(value: object) -> None:
    assert complaint(body(token_endpoint=value)) == f"{PLACE} names no token_endpoint"


@pytest.mark.parametrize(
    "url", ["http://idp.example.com/token", "https://u:p@idp.example.com/", "/token", "https://x/#f", ""]
)
def test_metadata_with_an_unusable_endpoint_is_refused(url: str) -> None:
    words = "names a token_endpoint that can't be used: "
    aliases = {"token_endpoint": url}

    assert complaint(body(token_endpoint=url)).startswith(f"{PLACE} {words}")
    assert complaint(body(mtls_endpoint_aliases=aliases)).startswith(
        f"{PLACE}, in mtls_endpoint_aliases, {words}"
    )


def test_metadata_may_lead_to_plain_http_on_loopback() -> None:
    found = read_metadata(ISSUER, body(token_endpoint="http://127.0.0.1:8080/token"), place=PLACE)

    assert found.token_endpoint == "http://127.0.0.1:8080/token"


@pytest.mark.parametrize(
    ("control", "seconds"),
    [
        (None, 3600),
        ("public", 3600),
        ("max-age=60", 300),
        ("public, max-age=7200", 7200),
        ('Max-Age="7200"', 7200),
        ("max-age=99999999999999", 86_400),
        ("no-store", 300),
        ("no-cache, max-age=7200", 300),
        ("s-maxage=7200", 3600),
        ("x-max-age=7200", 3600),
    ],
)
def test_metadata_is_kept_as_long_as_the_server_says(control: str | None, seconds: float) -> None:
    assert kept_seconds({} if control is None else {"cache-control": control}) == seconds


@pytest.mark.parametrize(
    "value", ["https://idp.example.com", "https://h/realms/x/", "http://localhost:8080/x"]
)
def test_issuer_is_taken(value: str) -> None:
    assert issuer(value) == value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("http://idp.example.com", "expected https: "),
        ("https://idp.example.com?x=1", "expected a URL without query, "),
        ("https://idp.example.com/#x", "expected a URL without query, "),
        ("https://u@idp.example.com/", "expected a URL without query, "),
        ("idp.example.com", "not a URL"),
        ("https://idp.exämple.com", "not a URL; expected ASCII"),
        ("https://[::1", "not a URL"),
        ("https:///realms/x", "not a URL"),
        ("https://idp.example.com:0", "not a URL"),
        ("https://idp.example.com/.well-known/openid-configuration", "expected the issuer alone: "),
    ],
)
def test_issuer_is_refused(value: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}"):
        issuer(value)


def test_endpoints_for_verifying_are_taken_where_they_can_be_used() -> None:
    own = {
        "jwks_uri": "https://idp.example.com/jwks",
        "introspection_endpoint": "https://idp.example.com/about",
    }
    odd = {"jwks_uri": "http://idp.example.com/jwks", "introspection_endpoint": 7}

    good, bad = (read_metadata(ISSUER, body(**each), place=PLACE) for each in (own, odd))

    assert (good.jwks_uri, good.introspection_endpoint) == tuple(own.values())
    assert (bad.jwks_uri, bad.introspection_endpoint) == (None, None)
