"""What a server makes of a DPoP proof (RFC 9449 §4.3), written for servers and not with our own code."""

import base64
import hashlib
import json
from collections.abc import Mapping, MutableSet
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A proof whose signature is its key's."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @property
    def thumbprint(self) -> str:
        """Of its key (RFC 7638)."""
        jwk = self.header["jwk"]
        members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
        return _encoded(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())


def read(text: str) -> Proof:
    """The proof in a `DPoP` header; ValueError for one that is not what it says."""
    head, body, signature = text.split(".")
    header, claims = json.loads(_decoded(head)), json.loads(_decoded(body))
    jwk = header["jwk"]
    if header["typ"] != "dpop+jwt" or header["alg"] != "ES256" or (jwk["kty"], jwk["crv"]) != ("EC", "P-256"):
        raise ValueError(f"not a proof: {header}")
    if jwk.keys() & {"d", "p", "q", "k"}:
        raise ValueError("it holds the private key")
    x, y = (int.from_bytes(_decoded(jwk[name])) for name in ("x", "y"))
    raw = _decoded(signature)
    try:
        EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key().verify(
            encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:])),
            f"{head}.{body}".encode(),
            ECDSA(SHA256()),
        )
    except InvalidSignature:
        raise ValueError("its signature is another key's") from None
    return Proof(header=header, claims=claims)


def check(
    text: str, *, method: str, url: str, used: MutableSet[str], token: str | None = None, now: float
) -> Proof:
    """The proof, if it is good for this request and was never used; ValueError otherwise."""
    proof = read(text)
    said = proof.claims
    ath = None if token is None else _encoded(hashlib.sha256(token.encode()).digest())
    if (said["htm"], said["htu"], said.get("ath")) != (method, url, ath):
        raise ValueError(f"a proof for another request: {said}, expected {method} {url} {ath}")
    if not now - 60 <= said["iat"] <= now:
        raise ValueError(f"a proof of another time: {said['iat']}, now it is {now}")
    if said["jti"] in used or len(said["jti"]) < 22:
        raise ValueError("used before, or too easy to guess")
    used.add(said["jti"])
    return proof


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
