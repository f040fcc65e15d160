import base64
import json
from typing import Any

import pytest

from clientcreds_proxy.tokens.asking.lifetime import jwt_expiry, lifetime
from clientcreds_proxy.tokens.model import Expiry, TokenResponse
from tests.unit.tokens.making import START, a_spec

NOW = START.wall


def jwt(**claims: Any) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.c2ln"


def life(document: dict[str, Any], token: str = "opaque", **spec: Any) -> float | None:
    return lifetime(document, a_spec(**spec), token=token, requested=START)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (3600, 3600),
        (3600.5, 3600.5),
        ("3599", 3599),
        (" 3599 ", 3599),
        ("3600.5", 3600.5),
        ("3.6e3", 3600),
        (1e30, 1e30),
        (0, 0),
        (-5, -5),
        ("-5", -5),
    ],
)
def test_lifetime_is_expires_in_where_that_is_a_number(written: object, seconds: float) -> None:
    assert life({"expires_in": written}, token=jwt(exp=NOW + 7)) == seconds


@pytest.mark.parametrize(
    "written",
    [
        *(
            None,
            True,
            False,
            [],
            {},
            "",
            "soon",
            "3_600",
            "\uff13\uff16\uff10\uff10",
            "0x10",
            "1e400",
            "nan",
            "inf",
        ),
        *(float("nan"), float("inf"), float("-inf"), 10**400),
    ],
)
def test_lifetime_is_the_default_where_expires_in_is_unusable(written: object) -> None:
    assert life({"expires_in": written}) == 300
    assert life({"expires_in": written}, expiry=Expiry(default_ttl_seconds=60)) == 60


def test_lifetime_is_the_jwts_where_expires_in_is_missing() -> None:
    """B12."""
    assert life({}, token=jwt(exp=NOW + 900)) == 900
    assert life({}, token=jwt(exp=NOW - 900)) == -900
    assert life({"expires_in": 3600}, token=jwt(exp=NOW + 900)) == 3600


@pytest.mark.parametrize(
    "token",
    [
        "a.b",
        "a.!!!.c",
        "e30.bnVsbA.x",
        "e30.e30.x",
        jwt(exp="soon"),
        jwt(exp=True),
        f"e30.{base64.urlsafe_b64encode(b'[' * 100_000).decode()}.x",
        f"e30.{base64.urlsafe_b64encode(bytes([255, 254])).decode()}.x",
    ],
)
def test_jwt_without_readable_exp_says_nothing(token: str) -> None:
    assert jwt_expiry(token) is None


@pytest.mark.parametrize("written", [0, -1, None, "soon"])
def test_token_never_expires_where_the_source_says_so(written: object) -> None:
    never = Expiry(default_ttl_seconds="never")

    assert life({"expires_in": written}, expiry=never) is None
    assert life({"expires_in": written}, token=jwt(exp=NOW + 60), expiry=never) == 60
    assert life({"expires_in": 20}, expiry=never) == 20


def test_lifetime_may_be_written_in_milliseconds() -> None:
    response = TokenResponse(expires_in="/data/ttl", expires_in_unit="milliseconds")

    assert life({"data": {"ttl": "90000"}}, token_response=response) == 90


@pytest.mark.parametrize(
    "written",
    [
        NOW + 600,
        str(int(NOW + 600)),
        (NOW + 600) * 1000,
        "2027-01-15T08:10:00Z",
        "2027-01-15T09:10:00.000000000+01:00",
        "2027-01-15 08:10:00",
    ],
)
def test_lifetime_may_be_written_as_the_moment_of_expiry(written: object) -> None:
    response = TokenResponse(expires_at="expires")

    assert life({"expires": written}, token_response=response) == pytest.approx(600)
    assert life({"expires": written, "expires_in": 20}, token_response=response) == 20


@pytest.mark.parametrize("written", ["tomorrow", None, [], "9999-99-99"])
def test_lifetime_is_the_default_where_the_moment_of_expiry_is_unusable(written: object) -> None:
    assert life({"expires": written}, token_response=TokenResponse(expires_at="expires")) == 300
