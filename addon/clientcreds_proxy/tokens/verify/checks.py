"""What a verified token must say: issuer, audience, time and scopes (RFC 9068 §4, RFC 7662 §2.2).

Pure. Not in it: the signature (`jwks.py`), and asking the server (`verifier.py`).
"""

from collections.abc import Iterable
from typing import Any

from clientcreds_proxy.errors import TokenInvalid
from clientcreds_proxy.tokens.asking.lifetime import number
from clientcreds_proxy.tokens.claims.values import Claims
from clientcreds_proxy.tokens.model import SourceSpec, Token, Verify


def check_jwt(verify: Verify, claims: Claims, *, wall: float) -> None:
    """Raise `TokenInvalid` unless a JWT says what it must; `wall` is now, in seconds since the epoch."""
    if verify.issuer is not None:
        _check_issuer(verify.issuer, claims.get("iss"))
    _check_audience(verify, claims)
    _check_time(verify, claims, wall)
    _check_scopes(verify, _scopes(claims))


def check_introspected(verify: Verify, claims: Claims, *, wall: float) -> None:
    """The same for what introspection said; an issuer is compared only where it names one."""
    if claims.get("active") is not True:
        raise TokenInvalid("the server says that the token it gave is not active")
    if verify.issuer is not None and "iss" in claims:
        _check_issuer(verify.issuer, claims["iss"])
    _check_audience(verify, claims)
    _check_time(verify, claims, wall)
    _check_scopes(verify, _scopes(claims))


def check_opaque(spec: SourceSpec, verify: Verify, token: Token) -> None:
    """The same for a token that nobody can read: its scopes alone are known.

    An answer without `scope` grants what was asked for (RFC 6749 §5.1).
    """
    _check_scopes(verify, spec.scopes if token.scope is None else token.scope)


def _check_issuer(expected: str, found: Any) -> None:
    if found == expected:
        return
    if isinstance(found, str) and found.rstrip("/") == expected.rstrip("/"):
        raise TokenInvalid(
            "the token's issuer is not the expected one",
            hint="they differ in a slash at the end: set verify.issuer as the token writes it",
        )
    raise TokenInvalid("the token's issuer is not the expected one", hint=f"expected {expected}")


def _check_audience(verify: Verify, claims: Claims) -> None:
    if not verify.audience:
        return
    found = claims.get("aud")
    audiences = found if isinstance(found, list) else [found]
    if not any(audience in verify.audience for audience in audiences if isinstance(audience, str)):
        raise TokenInvalid(
            "the token is for another audience" if found else "the token names no audience",
            hint=f"expected {' or '.join(verify.audience)}",
        )


def _check_time(verify: Verify, claims: Claims, wall: float) -> None:
    leeway = verify.leeway_seconds
    for name in ("exp", "nbf"):
        if claims.get(name) is None:
            continue
        moment = number(claims[name])
        if moment is None:
            raise TokenInvalid(f"the token's {name} is no moment")
        if name == "exp" and moment + leeway <= wall:
            raise TokenInvalid("the token has expired", hint="check this machine's clock")
        if name == "nbf" and moment - leeway > wall:
            raise TokenInvalid("the token is not valid yet", hint="check this machine's clock")


def _check_scopes(verify: Verify, granted: Iterable[str]) -> None:
    missing = set(verify.scopes_required) - set(granted)
    if missing:
        raise TokenInvalid(f"the token lacks the scope {' '.join(sorted(missing))}")


def _scopes(claims: Claims) -> tuple[str, ...]:
    """`scope` (RFC 9068 §2.2.3), or `scp` as Okta and Entra write it."""
    for name in ("scope", "scp"):
        found = claims.get(name)
        if isinstance(found, str):
            return tuple(found.split())
        if isinstance(found, list):
            return tuple(each for each in found if isinstance(each, str))
    return ()
