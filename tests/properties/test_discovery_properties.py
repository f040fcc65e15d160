import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clientcreds_proxy.errors import TokenMalformed
from clientcreds_proxy.tokens.server.endpoint import issuer as check_issuer
from clientcreds_proxy.tokens.server.metadata import (
    KEPT_MAX_SECONDS,
    KEPT_MIN_SECONDS,
    kept_seconds,
    locations,
    read_metadata,
)

ISSUER = "https://idp.example.com"
SEGMENT = st.text("abcXYZ019-._~", min_size=1, max_size=8).filter(lambda segment: segment not in {".", ".."})
ISSUERS = st.builds(
    lambda segments, slash: "/".join(["https://idp.example.com:8443", *segments]) + slash,
    st.lists(SEGMENT, max_size=4),
    st.sampled_from(["", "/"]),
)
URLS = st.sampled_from(["https://idp.example.com/t", "http://idp.example.com/", "http://[::1]/", "/token"])
LEAF = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | URLS
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "token_endpoint": URLS | LEAF,
        "mtls_endpoint_aliases": st.dictionaries(st.just("token_endpoint"), LEAF) | LEAF,
        "token_endpoint_auth_methods_supported": st.lists(LEAF, max_size=3) | LEAF,
        "grant_types_supported": st.lists(LEAF, max_size=3) | LEAF,
    },
)


@given(ISSUERS)
def test_metadata_lies_at_the_issuers_own_origin(issuer: str) -> None:
    """H02."""
    appended, inserted = locations(check_issuer(issuer))

    bare = issuer.rstrip("/")
    assert appended.replace("/.well-known/openid-configuration", "") == bare
    assert inserted.replace("/.well-known/oauth-authorization-server", "") == bare
    assert inserted.startswith("https://idp.example.com:8443/.well-known/oauth-authorization-server")


@given(MEMBERS)
def test_metadata_is_usable_or_malformed(members: dict[str, Any]) -> None:
    """H04, H08: nothing else ever comes out of a document."""
    try:
        found = read_metadata(ISSUER, json.dumps({"issuer": ISSUER, **members}).encode(), place="it")
    except TokenMalformed:
        return
    for url in (found.token_endpoint, found.mtls_token_endpoint or "https://"):
        assert url.startswith(("https://", "http://[::1]/"))


@given(st.binary(max_size=200))
def test_metadata_of_any_bytes_is_malformed(body: bytes) -> None:
    """H04."""
    try:
        read_metadata(ISSUER, body, place="it")
    except TokenMalformed:
        return
    raise AssertionError("these bytes named this issuer")


@given(st.text())
def test_metadata_is_kept_within_bounds_whatever_the_header_says(control: str) -> None:
    """H07."""
    assert KEPT_MIN_SECONDS <= kept_seconds({"cache-control": control}) <= KEPT_MAX_SECONDS
