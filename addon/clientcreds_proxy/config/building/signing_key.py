"""A private key that signs assertions: PEM or JWK text -> PKCS#8 PEM, with the algorithms it can be used for.

Messages show nothing of the key.
"""

import json
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from clientcreds_proxy.config.building.pem import PEM_MARK
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import PrivateKeyAlgorithm

RSA_BITS = 2048  # RFC 7518 §3.3: a key of this size or larger
_CURVES: dict[str, PrivateKeyAlgorithm] = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_JWKS: dict[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_EXPECTED = "expected a private key as PEM or JWK"
_KINDS = "a key of this kind signs no assertion; expected RSA, EC (P-256, P-384, P-521) or Ed25519"
_PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey


class PassphraseError(ValueError):
    """The passphrase is missing, or does not open the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key that signs."""

    pem: Secret
    key_id: str  # the JWK's own, else its thumbprint (RFC 7638)
    names_itself: bool = False  # whether that is the JWK's own
    algorithms: tuple[PrivateKeyAlgorithm, ...]  # that it can be used for, the usual one first
    is_encrypted: bool = False


def read_signing_key(text: str, passphrase: str) -> SigningKey:
    """The key in PEM or JWK text; ValueError for none, PassphraseError where it can't be opened."""
    return _from_pem(text.encode(), passphrase) if PEM_MARK in text else _from_jwk(text)


def _from_pem(pem: bytes, passphrase: str) -> SigningKey:
    found: object
    try:
        found, is_encrypted = load_pem_private_key(pem, password=None), False
    except TypeError:
        found, is_encrypted = _opened(pem, passphrase), True
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(_EXPECTED) from None
    key = _usable(found)
    plain = _pem(key)
    return SigningKey(
        pem=Secret(plain),
        key_id=_thumbprint(key, plain),
        algorithms=_algorithms(key),
        is_encrypted=is_encrypted,
    )


def _opened(pem: bytes, passphrase: str) -> object:
    if not passphrase:
        raise PassphraseError("this key is encrypted; expected its passphrase")
    try:
        return load_pem_private_key(pem, password=passphrase.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise PassphraseError("this passphrase does not open the key") from None


def _from_jwk(text: str) -> SigningKey:
    try:
        members = json.loads(text)
        kind = members["kty"]
        jwk = None if kind == "oct" else _JWKS[kind].import_key(members)
        found = None if jwk is None else jwk.private_key
    except (JoseError, ValueError, TypeError, LookupError, RecursionError):
        raise ValueError(_EXPECTED) from None
    if jwk is None or found is None:
        raise ValueError(f"expected a private key, found a {'symmetric' if jwk is None else 'public'} one")
    if members.get("use", "sig") != "sig":
        raise ValueError('expected a key to sign with; the "use" of this JWK is another')
    key = _usable(found)
    algorithms = tuple(each for each in _algorithms(key) if members.get("alg") in (None, each))
    if not algorithms:
        raise ValueError('the "alg" of this JWK is none that such a key signs with')
    return SigningKey(
        pem=Secret(_pem(key)),
        key_id=jwk.kid or jwk.thumbprint(),
        names_itself=bool(jwk.kid),
        algorithms=algorithms,
    )


def _usable(key: object) -> _PrivateKey:
    match key:
        case RSAPrivateKey(key_size=bits) if bits < RSA_BITS:
            raise ValueError(f"this RSA key has {bits} bits; expected {RSA_BITS} or more (RFC 7518 §3.3)")
        case EllipticCurvePrivateKey(curve=curve) if curve.name not in _CURVES:
            raise ValueError(_KINDS)
        case RSAPrivateKey() | EllipticCurvePrivateKey() | Ed25519PrivateKey():
            return key
        case _:
            raise ValueError(_KINDS)


def _algorithms(key: _PrivateKey) -> tuple[PrivateKeyAlgorithm, ...]:
    match key:
        case RSAPrivateKey():
            return "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"
        case EllipticCurvePrivateKey():
            return (_CURVES[key.curve.name],)
        case Ed25519PrivateKey():
            return "EdDSA", "Ed25519"  # servers know the first name (RFC 8037); the second is RFC 9864's


def _thumbprint(key: _PrivateKey, pem: str) -> str:
    match key:
        case RSAPrivateKey():
            return RSAKey.import_key(pem).thumbprint()
        case EllipticCurvePrivateKey():
            return ECKey.import_key(pem).thumbprint()
        case Ed25519PrivateKey():
            return OKPKey.import_key(pem).thumbprint()


def _pem(key: _PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
