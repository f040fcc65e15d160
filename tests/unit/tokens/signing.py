"""Keys to sign with, and signatures looked at by another library than the one that made them."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
P521 = ec.generate_private_key(ec.SECP521R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()

KEYS: dict[str, PrivateKey] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), RSA),
    "ES256": P256,
    "ES384": P384,
    "ES512": P521,
    "EdDSA": ED25519,
    "Ed25519": ED25519,
}
HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


def pem(key: PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A JWT taken apart."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    signature: bytes


def read(token: str) -> Read:
    header, claims, signature = token.split(".")
    return Read(
        header=json.loads(_decoded(header)),
        claims=json.loads(_decoded(claims)),
        signed=f"{header}.{claims}".encode(),
        signature=_decoded(signature),
    )


def verify(token: str, key: PrivateKey | bytes) -> Read:
    """The JWT, or an InvalidSignature (RFC 7518 §3, RFC 8037 §3.1)."""
    jwt = read(token)
    algorithm: str = jwt.header["alg"]
    digest = HASHES.get(algorithm[2:], hashes.SHA256())
    match key:
        case bytes():
            mac = hmac.HMAC(key, digest)
            mac.update(jwt.signed)
            mac.verify(jwt.signature)
        case rsa.RSAPrivateKey():
            pss = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
            filled = pss if algorithm.startswith("PS") else padding.PKCS1v15()
            key.public_key().verify(jwt.signature, jwt.signed, filled, digest)
        case ec.EllipticCurvePrivateKey():
            half = (key.key_size + 7) // 8
            assert len(jwt.signature) == 2 * half
            r, s = (int.from_bytes(part) for part in (jwt.signature[:half], jwt.signature[half:]))
            key.public_key().verify(encode_dss_signature(r, s), jwt.signed, ec.ECDSA(digest))
        case ed25519.Ed25519PrivateKey():
            key.public_key().verify(jwt.signature, jwt.signed)
    return jwt


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
