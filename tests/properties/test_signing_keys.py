"""Whatever stands where a key should: reading it gives a key, or says what is wrong."""

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey

from clientcreds_proxy.config.building.signing_key import read_signing_key
from tests.unit.tokens.signing import PrivateKey, pem

MEMBERS: dict[str, Any] = {
    **dict.fromkeys(("x", "y", "d", "n", "e", "k"), "aa"),
    "kty": "EC",
    "crv": "P-256",
    "use": "sig",
}
WORDS = st.sampled_from(["EC", "RSA", "OKP", "oct", "P-256", "Ed25519", "X25519", "", "AAAA", "sig", "ES256"])
VALUES = st.one_of(WORDS, st.none(), st.integers(), st.lists(st.text()), st.text())
CURVES: list[ec.EllipticCurve] = [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()]


def read(text: str) -> str:
    """What is said about the text, empty for a key."""
    try:
        read_signing_key(text, "")
    except ValueError as error:
        return str(error)
    return ""


@given(st.dictionaries(st.sampled_from([*MEMBERS, "kid", "alg", "key_ops", "p", "q"]), VALUES))
def test_any_jwk_is_a_key_or_a_problem(changes: dict[str, Any]) -> None:
    said = read(json.dumps({**MEMBERS, **changes}))

    assert said
    assert "\n" not in said


@given(
    st.one_of(
        st.text(), st.recursive(VALUES, st.lists).map(json.dumps), st.text().map("-----BEGIN {}".format)
    )
)
def test_any_text_is_a_problem(text: str) -> None:
    assert read(text)


@given(st.sampled_from(CURVES).map(ec.generate_private_key) | st.builds(ed25519.Ed25519PrivateKey.generate))
def test_key_is_the_same_as_pem_and_as_jwk(private: PrivateKey) -> None:
    kind = OKPKey if isinstance(private, ed25519.Ed25519PrivateKey) else ECKey
    jwk = json.dumps(kind.import_key(pem(private)).as_dict(private=True))

    assert read_signing_key(pem(private), "") == read_signing_key(jwk, "")
