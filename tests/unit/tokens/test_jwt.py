"""What a token says, read without a look at its signature."""

import base64

import pytest

from clientcreds_proxy.tokens.claims.jwt import payload


def encoded(text: bytes) -> str:
    """As a part of a JWT, without padding."""
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def test_payload_of_a_jwt_is_its_claims() -> None:
    assert payload(f"x.{encoded(b'{"sub": "app"}')}.x") == {"sub": "app"}


@pytest.mark.parametrize(
    "token",
    [
        "opaque",
        "x.y",
        "x.abcde.x",  # no Base64 has five characters
        f"x.{encoded(b'no JSON')}.x",
        f"x.{encoded(b'[]')}.x",
        f"x.{encoded(b'[' * 5_000)}.x",
        f"x.{encoded(b'\xff')}.x",
    ],
)
def test_opaque_token_has_no_payload(token: str) -> None:
    assert payload(token) is None
