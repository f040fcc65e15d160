"""Tokens that are JWTs, and the key sets that they are verified by."""

import json
import warnings
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from tests.unit.tokens.signing import KEYS, RSA, PrivateKey, pem

Key = RSAKey | ECKey | OKPKey


def imported(key: PrivateKey) -> Key:
    """The key as the library has it."""
    match key:
        case rsa.RSAPrivateKey():
            return RSAKey.import_key(pem(key))
        case ec.EllipticCurvePrivateKey():
            return ECKey.import_key(pem(key))
        case _:
            return OKPKey.import_key(pem(key))


def public_jwk(key: PrivateKey, **members: Any) -> dict[str, Any]:
    """The public half as a JWK."""
    return {**imported(key).as_dict(private=False), **members}


def jwks(*keys: dict[str, Any]) -> bytes:
    """A document with these keys."""
    return json.dumps({"keys": list(keys)}).encode()


def jwt(
    claims: Any, *, alg: str = "RS256", key: Key | OctKey | None = None, kid: str | None = "k1", **header: Any
) -> str:
    """A token with these claims, signed with the key of its algorithm unless another is named."""
    head = {"alg": alg, "typ": "at+jwt"} | ({} if kid is None else {"kid": kid}) | header
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        signer = key or imported(KEYS.get(alg, RSA))
        return jws.serialize_compact(head, json.dumps(claims).encode(), signer, algorithms=[alg])
