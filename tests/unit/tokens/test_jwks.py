"""RFC 7515, RFC 7517, RFC 8725: which keys count, and which signatures prove something."""

import base64
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from joserfc import jws

from clientcreds_proxy.errors import TokenInvalid
from clientcreds_proxy.tokens.claims.values import Claims
from clientcreds_proxy.tokens.verify.jwks import (
    ALGORITHMS,
    MAX_KEYS,
    KeySet,
    read_keys,
    signature_header,
    verified,
)
from tests.unit.tokens.jwts import imported, jwks, jwt, public_jwk
from tests.unit.tokens.signing import ED25519, KEYS, P256, RSA

PLACE = "https://idp.example.com/jwks"
CLAIMS = {"sub": "app", "exp": 2_000_000_000}
ANOTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SHORT_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - to be refused


def keys(*entries: Any) -> KeySet:
    return read_keys(jwks(*entries), place=PLACE)


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def part(value: Any) -> str:
    return encoded(json.dumps(value).encode())


def claims_of(token: str, known: KeySet) -> Claims:
    header = signature_header(token)
    return verified(token, header, known.candidates(header))


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_token_is_verified_by_the_key_that_it_names(alg: str) -> None:
    known = keys(public_jwk(ANOTHER_RSA, kid="old"), public_jwk(KEYS[alg], kid="k1"))

    assert claims_of(jwt(CLAIMS, alg=alg), known) == CLAIMS


def test_token_that_names_no_key_is_verified_by_any_that_fits() -> None:
    known = keys(public_jwk(P256, kid="a"), public_jwk(ANOTHER_RSA, kid="b"), public_jwk(RSA, kid="c"))

    assert claims_of(jwt(CLAIMS, kid=None), known) == CLAIMS


@pytest.mark.parametrize(
    "entry",
    [
        public_jwk(ANOTHER_RSA, kid="k1"),
        public_jwk(RSA, kid="another"),
        public_jwk(RSA, kid="k1", use="enc"),
        public_jwk(RSA, kid="k1", alg="RS512"),
        public_jwk(P256, kid="k1"),
        public_jwk(ED25519, kid="k1"),
    ],
)
def test_signature_by_another_key_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid, match="signature is not by a key of its issuer"):
        claims_of(jwt(CLAIMS), keys(entry))


@pytest.mark.parametrize("payload", [b"no JSON", b"[]", b"\xff", b"[" * 5_000])
def test_signed_token_without_claims_is_refused(payload: bytes) -> None:
    token = jws.serialize_compact({"alg": "RS256"}, payload, imported(RSA), algorithms=["RS256"])

    with pytest.raises(TokenInvalid, match="holds no claims"):
        claims_of(token, keys(public_jwk(RSA, kid="k1")))


def test_changed_token_is_refused() -> None:
    head, _, signature = jwt(CLAIMS).split(".")

    with pytest.raises(TokenInvalid):
        claims_of(f"{head}.{part(CLAIMS | {'sub': 'root'})}.{signature}", keys(public_jwk(RSA, kid="k1")))


def test_public_key_is_no_shared_secret() -> None:
    """RFC 8725 §2.1."""
    body = f"{part({'alg': 'HS256', 'kid': 'k1'})}.{part(CLAIMS)}"
    secret = imported(RSA).as_pem(private=False)
    token = f"{body}.{encoded(hmac.digest(secret, body.encode(), 'sha256'))}"

    with pytest.raises(TokenInvalid, match="signed with HS256, which proves nothing here"):
        claims_of(token, keys(public_jwk(RSA, kid="k1")))


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": ["RS256"]}, {}, {"alg": "x\r\ny"}, "text"])
def test_header_without_a_real_signature_is_refused(header: Any) -> None:
    with pytest.raises(TokenInvalid, match="proves nothing here") as caught:
        signature_header(f"{part(header)}.e30.")

    assert "\n" not in caught.value.detail


@pytest.mark.parametrize("token", ["", "…", "e30", "AAAA.x.y"])
def test_header_that_can_not_be_read_is_refused(token: str) -> None:
    with pytest.raises(TokenInvalid):
        signature_header(token)


def test_header_with_an_odd_key_id_names_none() -> None:
    assert signature_header(jwt(CLAIMS, kid=None)).key_id is None
    assert signature_header(f"{part({'alg': 'RS256', 'kid': 7})}.e30.").key_id is None


def test_unknown_critical_header_is_refused() -> None:
    """RFC 7515 §4.1.11."""
    body = f"{part({'alg': 'RS256', 'kid': 'k1', 'crit': ['x'], 'x': 1})}.{part(CLAIMS)}"
    signature = RSA.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256())

    with pytest.raises(TokenInvalid):
        claims_of(f"{body}.{encoded(signature)}", keys(public_jwk(RSA, kid="k1")))


def test_signed_list_holds_no_claims() -> None:
    with pytest.raises(TokenInvalid):
        claims_of(jwt(["a"]), keys(public_jwk(RSA, kid="k1")))


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_keys_of_unknown_kinds_are_passed_over() -> None:
    """RFC 7517 §5."""
    odd = [{"kty": "XYZ"}, {"kty": ["RSA"]}, {"kty": "RSA"}, {"kty": "RSA", "n": 1, "e": "AQAB"}, 7, None]
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "k1"}
    good = public_jwk(RSA, kid="k1")

    known = keys(
        *odd, secret, public_jwk(SHORT_RSA, kid="k1"), good, public_jwk(P256, kid=7), public_jwk(P256)
    )

    assert [(key_id, algorithm) for key_id, algorithm, _ in known.keys] == [("k1", None), (None, None)]


def test_more_keys_than_anybody_has_are_not_read() -> None:
    known = keys(*[{"kty": "XYZ"}] * MAX_KEYS, public_jwk(RSA, kid="k1"))

    assert known.keys == ()


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"keys": {}}', b"\xff", b"[" * 100_000])
def test_document_that_is_no_key_set_is_refused(body: bytes) -> None:
    with pytest.raises(TokenInvalid, match="holds no JWK set"):
        read_keys(body, place=PLACE)
