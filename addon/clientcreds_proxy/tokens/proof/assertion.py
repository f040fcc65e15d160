"""The JWT that a client proves itself with (RFC 7523 §2.2, §3; OpenID Connect Core §9).

Pure: the moment and the randomness are arguments. Not in it: which keys and algorithms go together
(`config/building/assertion.py`), and how the assertion is sent (`client_auth.py`).
"""

import base64
import hashlib
import math
import warnings
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import Assertion, SourceSpec

SigningKey = OctKey | RSAKey | ECKey | OKPKey
SHORTEST_SECRET = {"HS256": 32, "HS384": 48, "HS512": 64}  # bytes (RFC 7518 §3.2)
JTI_BYTES = 16  # 128 bits: nobody ever draws the same one twice


def signing_key(assertion: Assertion, client_secret: Secret) -> SigningKey:
    """The key ready to sign with: reading an RSA key takes 30 ms, so it is kept."""
    if assertion.key is None:
        return OctKey.import_key(client_secret.reveal().encode())
    pem = assertion.key.reveal()
    match assertion.algorithm[:2]:
        case "ES":
            return ECKey.import_key(pem)
        case "Ed":
            return OKPKey.import_key(pem)
        case _:
            return RSAKey.import_key(pem)


def signed(
    spec: SourceSpec, assertion: Assertion, key: SigningKey, *, wall: float, randomness: bytes
) -> Secret:
    """An assertion for one token request; `randomness` (`JTI_BYTES` or more) must be new each time."""
    issued = math.floor(wall)  # a moment in the future would be refused
    claims = {
        "iss": spec.client_id,
        "sub": spec.client_id,
        # One text, never a list: RFC 7523bis and FAPI 2 allow no other audience beside the server's.
        "aud": assertion.audience or spec.token_url,
        "iat": issued,
        "exp": issued + math.ceil(assertion.lifetime_seconds),
        "jti": randomness.hex(),
    }
    header = {"typ": "JWT", "alg": assertion.algorithm, **_key_headers(assertion)}
    with warnings.catch_warnings():
        # RFC 9864 deprecates the name EdDSA, which is the one that servers know.
        warnings.simplefilter("ignore", SecurityWarning)
        return Secret(jwt.encode(header, claims, key, algorithms=[assertion.algorithm]))


def _key_headers(assertion: Assertion) -> dict[str, Any]:
    """How the server finds the key (RFC 7515 §4.1.4 to §4.1.8)."""
    headers: dict[str, Any] = {} if assertion.key_id is None else {"kid": assertion.key_id}
    if assertion.certificate is None:
        return headers
    chain = [
        certificate.public_bytes(Encoding.DER)
        for certificate in x509.load_pem_x509_certificates(assertion.certificate.encode())
    ]
    match assertion.thumbprint:
        case "x5t#S256":
            # Of the digest's bytes: Entra's AADSTS700027 is what its hex digits get.
            headers["x5t#S256"] = _base64url(hashlib.sha256(chain[0]).digest())
        case "x5t":
            headers["x5t"] = _base64url(hashlib.sha1(chain[0], usedforsecurity=False).digest())
        case "x5c":
            headers["x5c"] = [base64.b64encode(der).decode() for der in chain]
        case _:
            pass
    return headers


def _base64url(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
