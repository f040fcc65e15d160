import base64
import hashlib
import warnings
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import Assertion, SourceSpec
from clientcreds_proxy.tokens.proof.assertion import signed, signing_key
from tests.unit.tokens.making import a_spec
from tests.unit.tokens.signing import KEYS, P256, Read, pem, read, verify

SECRET = "s" * 64


def an_assertion(algorithm: str = "ES256", **changes: Any) -> Assertion:
    key = KEYS.get(algorithm)
    values: dict[str, Any] = {"algorithm": algorithm, "key": None if key is None else Secret(pem(key))}
    return Assertion(**(values | changes))


def token_of(assertion: Assertion, *, spec: SourceSpec | None = None, wall: float = 1_800_000_000.9) -> str:
    key = signing_key(assertion, Secret(SECRET))
    return signed(spec or a_spec(), assertion, key, wall=wall, randomness=b"\x07" * 16).reveal()


def jwt_of(assertion: Assertion, **arguments: Any) -> Read:
    return read(token_of(assertion, **arguments))


@pytest.fixture(scope="module")
def chain() -> str:
    leaf = trustme.CA().create_child_ca().issue_cert("client.example")
    return "".join(blob.bytes().decode() for blob in leaf.cert_chain_pems)


@pytest.mark.parametrize("algorithm", list(KEYS))
def test_signature_of_a_private_key_verifies(algorithm: str) -> None:
    """E10."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # joserfc calls EdDSA deprecated: nothing a user could do about
        token = token_of(an_assertion(algorithm))

    assert verify(token, KEYS[algorithm]).header["alg"] == algorithm


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_signature_of_a_secret_is_keyed_with_its_utf_8_bytes(algorithm: str) -> None:
    """E13."""
    secret = "ü" * 32
    assertion = an_assertion(algorithm)

    key = signing_key(assertion, Secret(secret))
    token = signed(a_spec(), assertion, key, wall=0, randomness=b"").reveal()

    verify(token, secret.encode())
    with pytest.raises(InvalidSignature):
        verify(token, secret.encode("latin-1"))


def test_claims_name_the_client_the_server_and_the_moment() -> None:
    """E04, E05, E06, E07."""
    jwt = jwt_of(an_assertion(lifetime_seconds=59.5))

    assert jwt.claims == {
        "iss": "app",
        "sub": "app",
        "aud": "https://idp.example.com/token",
        "iat": 1_800_000_000,
        "exp": 1_800_000_060,
        "jti": "07" * 16,
    }


def test_audience_is_the_one_that_is_set() -> None:
    """E05: one text, never a list."""
    assert jwt_of(an_assertion(audience="https://idp.example.com")).claims["aud"] == "https://idp.example.com"


def test_header_says_what_it_is_and_which_key() -> None:
    """E08, E11."""
    assert jwt_of(an_assertion(key_id="k1")).header == {"typ": "JWT", "alg": "ES256", "kid": "k1"}
    assert jwt_of(an_assertion()).header == {"typ": "JWT", "alg": "ES256"}


@pytest.mark.parametrize(("thumbprint", "digest"), [("x5t#S256", hashlib.sha256), ("x5t", hashlib.sha1)])
def test_thumbprint_is_of_the_digests_bytes(thumbprint: str, digest: Any, chain: str) -> None:
    """E12: of its hex digits is the classic fault."""
    der = x509.load_pem_x509_certificate(chain.encode()).public_bytes(Encoding.DER)

    header = jwt_of(an_assertion(certificate=chain, thumbprint=thumbprint)).header

    assert base64.urlsafe_b64decode(header[thumbprint] + "=") == digest(der).digest()
    assert not header[thumbprint].endswith("=")


def test_x5c_holds_the_chain_as_plain_base64(chain: str) -> None:
    """E12; RFC 7515 §4.1.6: not base64url."""
    header = jwt_of(an_assertion(certificate=chain, thumbprint="x5c")).header

    ders = [cert.public_bytes(Encoding.DER) for cert in x509.load_pem_x509_certificates(chain.encode())]
    assert [base64.b64decode(each, validate=True) for each in header["x5c"]] == ders
    assert len(ders) == 2


def test_certificate_alone_adds_no_header(chain: str) -> None:
    assert jwt_of(an_assertion(certificate=chain)).header == {"typ": "JWT", "alg": "ES256"}


def test_no_repr_shows_the_key_or_the_assertion() -> None:
    assertion = an_assertion()
    token = signed(a_spec(), assertion, signing_key(assertion, Secret("")), wall=0, randomness=b"x")

    assert "PRIVATE" not in repr(assertion)
    assert token.reveal() not in repr(token)
    verify(token.reveal(), P256)
