"""RFC 9068 §4, RFC 7662 §2.2: what a token must say."""

from dataclasses import replace
from typing import Any

import pytest

from clientcreds_proxy.errors import TokenInvalid
from clientcreds_proxy.tokens.model import Verify
from clientcreds_proxy.tokens.verify.checks import check_introspected, check_jwt, check_opaque
from tests.unit.tokens.making import a_spec, a_token

NOW = 1_700_000_000.0
ISSUER = "https://idp.example.com/realms/main"
GOOD = {"iss": ISSUER, "aud": ["https://api.example.com", "other"], "exp": NOW + 60, "scope": "read write"}
VERIFY = Verify(issuer=ISSUER, audience=("https://api.example.com", "x"), scopes_required=("read", "write"))


def test_jwt_that_says_all_of_it_is_good() -> None:
    check_jwt(VERIFY, GOOD, wall=NOW)


@pytest.mark.parametrize(
    "claims",
    [
        GOOD | {"aud": "https://api.example.com"},
        GOOD | {"exp": NOW - 9},
        GOOD | {"exp": None},
        GOOD | {"exp": str(NOW + 60)},
        GOOD | {"nbf": NOW + 9},
        {key: value for key, value in GOOD.items() if key != "scope"} | {"scp": ["write", "read", 7]},
        {key: value for key, value in GOOD.items() if key != "scope"} | {"scp": "write read"},
    ],
)
def test_jwt_may_say_it_in_other_ways(claims: dict[str, Any]) -> None:
    check_jwt(VERIFY, claims, wall=NOW)


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        (GOOD | {"iss": "https://evil.example"}, "the token's issuer is not the expected one"),
        (GOOD | {"iss": None}, "the token's issuer is not the expected one"),
        (GOOD | {"aud": "https://api.example.com.evil"}, "the token is for another audience"),
        (GOOD | {"aud": [["https://api.example.com"]]}, "the token is for another audience"),
        (GOOD | {"aud": []}, "the token names no audience"),
        (GOOD | {"aud": None}, "the token names no audience"),
        (GOOD | {"exp": NOW - 10}, "the token has expired"),
        (GOOD | {"exp": "soon"}, "the token's exp is no moment"),
        (GOOD | {"nbf": NOW + 11}, "the token is not valid yet"),
        (GOOD | {"scope": "read"}, "the token lacks the scope write"),
        (GOOD | {"scope": 7}, "the token lacks the scope read write"),
    ],
)
def test_jwt_that_says_something_else_is_refused(claims: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenInvalid, match=message):
        check_jwt(VERIFY, claims, wall=NOW)


def test_issuer_that_differs_in_a_slash_gets_a_hint() -> None:
    with pytest.raises(TokenInvalid) as caught:
        check_jwt(VERIFY, GOOD | {"iss": ISSUER + "/"}, wall=NOW)

    assert "slash" in (caught.value.hint or "")


def test_nothing_is_compared_that_nobody_asked_for() -> None:
    check_jwt(Verify(), {}, wall=NOW)


def test_introspection_must_say_active() -> None:
    check_introspected(VERIFY, GOOD | {"active": True}, wall=NOW)
    for said in (False, "true", None):
        with pytest.raises(TokenInvalid, match="not active"):
            check_introspected(VERIFY, GOOD | {"active": said}, wall=NOW)


def test_introspection_need_not_name_its_issuer_but_must_not_name_another() -> None:
    without = {key: value for key, value in GOOD.items() if key != "iss"} | {"active": True}

    check_introspected(VERIFY, without, wall=NOW)
    with pytest.raises(TokenInvalid, match="issuer"):
        check_introspected(VERIFY, without | {"iss": "https://evil.example"}, wall=NOW)


@pytest.mark.parametrize(("asked", "granted"), [(("read",), ("read", "write")), (("read", "write"), None)])
def test_opaque_token_is_good_by_its_granted_scopes(
    asked: tuple[str, ...], granted: tuple[str, ...] | None
) -> None:
    token = replace(a_token(), scope=granted)

    check_opaque(a_spec(scopes=asked), Verify(scopes_required=("read", "write")), token)


@pytest.mark.parametrize(("asked", "granted"), [(("read", "write"), ("read",)), (("read",), None)])
def test_opaque_token_with_less_is_refused(asked: tuple[str, ...], granted: tuple[str, ...] | None) -> None:
    token = replace(a_token(), scope=granted)

    with pytest.raises(TokenInvalid, match="lacks the scope write"):
        check_opaque(a_spec(scopes=asked), Verify(scopes_required=("read", "write")), token)
