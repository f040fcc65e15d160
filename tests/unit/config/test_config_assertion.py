import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from joserfc.jwk import ECKey, OKPKey, RSAKey

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import Assertion, AssertionFile
from tests.unit.config.files import Files, with_source
from tests.unit.tokens.signing import ED25519, KEYS, P256, RSA, PrivateKey, pem

SOURCE = "token_sources.s"
BY_KEY = "client_auth: private_key_jwt\nassertion: {key: key.pem%s}"
BY_SECRET = "client_auth: client_secret_jwt\nclient_secret: ${env:SECRET}\nassertion: {%s}"


def source(files: Files, keys: str) -> Any:
    return files.load(with_source(keys)).sources["s"]


def assertion(files: Files, keys: str) -> Assertion:
    built = source(files, keys).assertion
    assert isinstance(built, Assertion)
    return built


def warnings(files: Files, keys: str) -> list[str]:
    return [line.partition(f"{SOURCE}.")[2] for line in files.warnings(with_source(keys)) if SOURCE in line]


def problems(files: Files, keys: str) -> list[str]:
    return files.problems(with_source(keys))


def jwk(key: PrivateKey) -> RSAKey | ECKey | OKPKey:
    match key:
        case rsa.RSAPrivateKey():
            return RSAKey.import_key(pem(key))
        case ec.EllipticCurvePrivateKey():
            return ECKey.import_key(pem(key))
        case _:
            return OKPKey.import_key(pem(key))


def jwk_of(key: PrivateKey, **members: Any) -> str:
    return json.dumps({**jwk(key).as_dict(private=True), **members})


@pytest.fixture
def key(files: Files) -> Path:
    return files.write("key.pem", pem(P256))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def certified(files: Files, leaf: trustme.LeafCert) -> None:
    files.write("key.pem", leaf.private_key_pem.bytes())
    files.write("cert.pem", b"".join(blob.bytes() for blob in leaf.cert_chain_pems))


def test_assertion_has_the_defaults_of_the_contract(files: Files, key: Path) -> None:
    """Contract section 2, defaults."""
    assert assertion(files, BY_KEY % "") == Assertion(
        algorithm="ES256",
        key=Secret(pem(P256)),
        key_id=jwk(P256).thumbprint(),
        guesses_key_id=True,
        certificate=None,
        thumbprint="none",
        lifetime_seconds=60,
        audience=None,
    )


def test_assertion_takes_every_key(files: Files, authority: trustme.CA) -> None:
    certified(files, authority.issue_cert("client.example", key_type=trustme.KeyType.RSA))
    built = assertion(
        files,
        BY_KEY % ", key_id: k1, algorithm: PS384, certificate: cert.pem, thumbprint: x5t, "
        "lifetime_seconds: 30, audience: https://idp.example.com",
    )

    assert (built.key_id, built.algorithm, built.thumbprint) == ("k1", "PS384", "x5t")
    assert (built.lifetime_seconds, built.audience) == (30, "https://idp.example.com")
    assert built.certificate == (files.folder / "cert.pem").read_text()


@pytest.mark.parametrize(
    "written", ["key.pem", "${file:key.pem}", "${env:KEY}", "key.jwk", "${file:key.jwk}", "${env:JWK}"]
)
@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES384", "ES512", "EdDSA"])
def test_key_is_pem_or_jwk_as_text_or_file(written: str, algorithm: str, files: Files) -> None:
    """E14; the algorithm is the one that fits the key."""
    private = KEYS[algorithm]
    files.write("key.pem", pem(private))
    files.write("key.jwk", jwk_of(private))
    files.environ.update(KEY=pem(private), JWK=jwk_of(private))

    built = assertion(files, f'client_auth: private_key_jwt\nassertion: {{key: "{written}"}}')

    assert (built.algorithm, built.key) == (algorithm, Secret(pem(private)))


@pytest.mark.parametrize("form", [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8])
@pytest.mark.parametrize("passphrase", ["", "päss"])
@pytest.mark.parametrize("private", [RSA, P256])
def test_pem_of_every_kind_is_read(
    form: PrivateFormat, passphrase: str, private: rsa.RSAPrivateKey, files: Files
) -> None:
    """E14: PKCS#1, SEC1 and PKCS#8, encrypted or not."""
    cipher = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    files.write("key.pem", private.private_bytes(Encoding.PEM, form, cipher))
    files.environ["PASS"] = passphrase

    built = assertion(files, BY_KEY % (", passphrase: '${env:PASS}'" if passphrase else ""))

    assert built.key == Secret(pem(private))


def test_key_may_stand_beside_its_certificate(files: Files, authority: trustme.CA) -> None:
    leaf = authority.issue_cert("client.example")
    files.write("key.pem", leaf.cert_chain_pems[0].bytes() + leaf.private_key_pem.bytes())

    private = load_pem_private_key(leaf.private_key_pem.bytes(), None)
    assert isinstance(private, EllipticCurvePrivateKey)
    assert assertion(files, BY_KEY % "").key == Secret(pem(private))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("key: key.pem", (jwk(P256).thumbprint(), True)),
        ("key: key.pem, key_id: k1", ("k1", False)),
        ("key: key.pem, key_id: ''", (None, False)),
        ("key: key.jwk", ("from-the-jwk", False)),
        ("key: key.jwk, key_id: k1", ("k1", False)),
    ],
)
def test_key_id_is_the_one_set_or_the_jwks_or_the_thumbprint(
    written: str, expected: tuple[str | None, bool], files: Files, key: Path
) -> None:
    """E11; providers 14: glewlwyd demands one. The thumbprint is a guess."""
    files.write("key.jwk", jwk_of(P256, kid="from-the-jwk"))

    built = assertion(files, f"client_auth: private_key_jwt\nassertion: {{{written}}}")

    assert (built.key_id, built.guesses_key_id) == expected


def test_audience_may_be_the_issuer(files: Files, key: Path) -> None:
    """E05."""
    keys = BY_KEY % ", audience: issuer"

    assert assertion(files, f"issuer: https://idp.example.com\n{keys}").audience == "https://idp.example.com"
    assert problems(files, keys) == [
        f"7:31: {SOURCE}.assertion.audience: the source has no issuer; expected one, or the text to send"
    ]


def test_certificates_thumbprint_stands_for_the_key_id(files: Files, authority: trustme.CA) -> None:
    certified(files, authority.issue_cert("client.example"))

    built = assertion(files, BY_KEY % ", certificate: cert.pem, thumbprint: x5t#S256")

    assert (built.key_id, built.guesses_key_id, built.thumbprint) == (None, False, "x5t#S256")


def test_algorithm_of_a_jwk_is_the_one_that_it_names(files: Files) -> None:
    files.write("key.pem", jwk_of(RSA, alg="PS512"))

    assert assertion(files, BY_KEY % "").algorithm == "PS512"
    assert problems(files, BY_KEY % ", algorithm: RS256") == [
        f"7:31: {SOURCE}.assertion.algorithm: does not fit the key; expected PS512"
    ]


def test_ed25519_takes_both_of_its_names(files: Files) -> None:
    files.write("key.pem", pem(ED25519))

    assert assertion(files, BY_KEY % ", algorithm: Ed25519").algorithm == "Ed25519"


@pytest.mark.parametrize("algorithm", ["RS256", "ES384", "EdDSA", "HS256"])
def test_algorithm_must_fit_the_key(algorithm: str, files: Files, key: Path) -> None:
    """E09."""
    assert problems(files, BY_KEY % f", algorithm: {algorithm}") == [
        f"7:31: {SOURCE}.assertion.algorithm: does not fit the key; expected ES256"
    ]


def test_encrypted_key_needs_its_passphrase(files: Files) -> None:
    cipher = BestAvailableEncryption(b"hunter2")
    files.write("key.pem", P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, cipher))

    assert problems(files, BY_KEY % "") == [
        f"7:17: {SOURCE}.assertion.key: this key is encrypted; expected its passphrase"
    ]
    assert problems(files, BY_KEY % ", passphrase: hunter3") == [
        f"7:31: {SOURCE}.assertion.passphrase: this passphrase does not open the key"
    ]


UNUSABLE = {
    "expected a private key as PEM or JWK": [
        "hunter2",
        "{}",
        '{"kty": "RSA"}',
        '{"kty": []}',
        '{"kty": "EC", "crv": "x", "x": "a", "y": "b", "d": "c"}',
        "[1]",
        "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----",
        "{" * 99_999,
    ],
    "expected a private key, found a symmetric one": ['{"kty": "oct", "k": "aHVudGVyMg"}'],
    'the "alg" of this JWK is none that such a key signs with': [jwk_of(P256, alg="ECDH-ES")],
    'expected a key to sign with; the "use" of this JWK is another': [jwk_of(P256, use="enc")],
    "expected a private key, found a public one": [
        json.dumps(ECKey.import_key(pem(P256)).as_dict(private=False))
    ],
    "this RSA key has 1024 bits; expected 2048 or more (RFC 7518 §3.3)": [
        pem(rsa.generate_private_key(65537, 1024))  # noqa: S505 - what is refused
    ],
    "a key of this kind signs no assertion; expected RSA, EC (P-256, P-384, P-521) or Ed25519": [
        pem(ec.generate_private_key(ec.SECP256K1())),
        pem(dsa.generate_private_key(2048)),  # type: ignore[arg-type]
        pem(x25519.X25519PrivateKey.generate()),  # type: ignore[arg-type]
        OKPKey.generate_key("X25519").as_pem(private=True).decode(),
        json.dumps(OKPKey.generate_key("X25519").as_dict(private=True)),
    ],
}


@pytest.mark.parametrize(("message", "content"), [(m, each) for m, all_ in UNUSABLE.items() for each in all_])
def test_unusable_key_is_refused(message: str, content: str, files: Files) -> None:
    files.write("key.pem", content)

    assert problems(files, BY_KEY % "") == [f"7:17: {SOURCE}.assertion.key: {message}"]


@pytest.mark.parametrize(
    "keys",
    [
        "client_auth: private_key_jwt\nassertion: {key: '${env:GONE}'}",
        BY_KEY % ", passphrase: '${env:GONE}'",
        "client_auth: client_secret_jwt\nclient_secret: ${env:GONE}",
    ],
)
def test_reference_without_a_value_is_told_once(keys: str, files: Files) -> None:
    cipher = BestAvailableEncryption(b"hunter2")
    files.write("key.pem", P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, cipher))

    (problem,) = problems(files, keys)

    assert problem.endswith("the environment variable GONE is not set")


def test_missing_key_file_is_refused(files: Files) -> None:
    (problem,) = problems(files, BY_KEY % "")

    assert problem.startswith(
        f"7:17: {SOURCE}.assertion.key: neither PEM or JWK text nor the path of a file of it: "
    )


def test_certificate_must_be_the_keys(files: Files, key: Path, authority: trustme.CA) -> None:
    leaf = authority.issue_cert("client.example")
    files.write("cert.pem", leaf.cert_chain_pems[0].bytes())

    assert problems(files, BY_KEY % ", certificate: cert.pem, thumbprint: x5t") == [
        f"7:31: {SOURCE}.assertion.certificate: the first certificate is not the key's"
    ]


def test_thumbprint_needs_a_certificate(files: Files, key: Path) -> None:
    assert problems(files, BY_KEY % ", thumbprint: x5t") == [
        f"7:31: {SOURCE}.assertion.thumbprint: needs the certificate that it is of"
    ]


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ((-9, -1), "this certificate expired on {end}"),
        ((-9, 13), "this certificate expires on {end}"),
        ((1, 99), "this certificate is not valid before {begin}"),
        ((-9, 15), None),
    ],
)
def test_certificate_out_of_its_time_is_a_warning(
    days: tuple[int, int], said: str | None, files: Files, authority: trustme.CA
) -> None:
    """F05."""
    begin, end = (datetime.now(UTC) + timedelta(days=each) for each in days)
    certified(files, authority.issue_cert("client.example", not_before=begin, not_after=end))
    of_the_connection = "client_secret: ${env:SECRET}\nclient: {tls: {cert: cert.pem, key: key.pem}}"

    told = warnings(files, BY_KEY % ", certificate: cert.pem, thumbprint: x5c")
    told += warnings(files, of_the_connection)

    words = said and said.format(begin=f"{begin:%Y-%m-%d}", end=f"{end:%Y-%m-%d}")
    assert told == ([f"assertion.certificate: {words}", f"client.tls.cert: {words}"] if words else [])


def test_what_has_no_effect_is_a_warning(files: Files, key: Path, authority: trustme.CA) -> None:
    assert warnings(files, f"client_secret: x\n{BY_KEY % ''}") == [
        "client_secret: the secret stands in this file; use ${env:NAME}, ${file:PATH} or ${cmd:PROGRAM}",
        "client_secret: is not sent with client_auth private_key_jwt",
    ]
    assert warnings(files, "client_secret: ${env:SECRET}\nassertion: {key: key.pem}") == [
        "assertion: has no effect with client_auth auto"
    ]
    assert warnings(files, BY_KEY % ", passphrase: '${env:SECRET}'") == [
        "assertion.passphrase: has no effect: the key is not encrypted"
    ]
    certified(files, authority.issue_cert("client.example"))
    assert warnings(files, BY_KEY % ", certificate: cert.pem") == [
        "assertion.certificate: has no effect without thumbprint"
    ]


def test_risky_values_are_warnings(files: Files, key: Path) -> None:
    assert warnings(files, BY_KEY % ", lifetime_seconds: 301") == [
        "assertion.lifetime_seconds: servers refuse long-lived assertions; 300 is plenty"
    ]
    inline = json.dumps(jwk_of(P256))
    assert warnings(files, f"client_auth: private_key_jwt\nassertion: {{key: {inline}}}") == [
        "assertion.key: the key stands in this file; use its path, ${env:NAME} or ${file:PATH}"
    ]


def test_auto_without_a_secret_means_the_key(files: Files, key: Path) -> None:
    assert source(files, "assertion: {key: key.pem}").client_auth == "private_key_jwt"
    assert source(files, "assertion: {file: a.jwt}").client_auth == "private_key_jwt"
    assert source(files, "client_secret: x\nassertion: {key: key.pem}").client_auth == "auto"


def test_private_key_jwt_needs_a_key(files: Files) -> None:
    assert problems(files, "client_auth: private_key_jwt") == [
        f"6:5: {SOURCE}.client_auth: private_key_jwt needs assertion.key or assertion.file"
    ]


def test_ready_made_assertion_is_a_path(files: Files) -> None:
    """E15: it may come later, and no reload follows when it changes."""
    config = files.load(with_source("client_auth: private_key_jwt\nassertion: {file: run/a.jwt}"))
    path = files.folder / "run" / "a.jwt"

    assert config.sources["s"].assertion == AssertionFile(path=str(path))
    assert path not in config.files
    assert [str(each).rpartition(": ")[2] for each in config.warnings if "assertion" in each.path] == [
        "there is no such file yet; it is looked for at every use"
    ]
    assert len(warnings(files, f"client_auth: private_key_jwt\nassertion: {{file: {'a' * 300}}}")) == 1
    files.write("run/a.jwt", "a.b.c")
    assert warnings(files, "client_auth: private_key_jwt\nassertion: {file: run/a.jwt}") == []


def test_ready_made_assertion_stands_alone(files: Files, key: Path) -> None:
    found = problems(
        files, "client_auth: private_key_jwt\nassertion: {file: a.jwt, key: key.pem, lifetime_seconds: 9}"
    )

    alone = "a ready-made assertion is sent as it is; expected file alone"
    assert found == [
        f"7:30: {SOURCE}.assertion.key: {alone}",
        f"7:44: {SOURCE}.assertion.lifetime_seconds: {alone}",
    ]


def test_client_secret_jwt_signs_with_the_secret(files: Files) -> None:
    files.environ["SECRET"] = "s" * 64

    assert assertion(files, BY_SECRET % "") == Assertion(algorithm="HS256", key=None)
    built = assertion(files, BY_SECRET % "algorithm: HS512, key_id: k1, lifetime_seconds: 9, audience: x")
    assert built == Assertion(algorithm="HS512", key=None, key_id="k1", lifetime_seconds=9, audience="x")


@pytest.mark.parametrize(("algorithm", "needed"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_short_secret_is_refused(algorithm: str, needed: int, files: Files) -> None:
    """E13: counted in bytes of UTF-8; joserfc would sign with it."""
    keys = BY_SECRET % f"algorithm: {algorithm}"
    files.environ["SECRET"] = "ü" * (needed // 2)
    assert problems(files, keys) == []

    files.environ["SECRET"] = "s" * (needed - 1)
    message = f"too short to sign with; {algorithm} takes {needed} bytes or more (RFC 7518 §3.2)"
    assert problems(files, keys) == [f"7:5: {SOURCE}.client_secret: {message}"]


def test_each_secret_is_measured(files: Files) -> None:
    files.environ.update(SECRET="s" * 32, NEXT="short")
    keys = "client_auth: client_secret_jwt\nclient_secret: ['${env:SECRET}', '${env:NEXT}']"

    (problem,) = problems(files, keys)

    assert problem.startswith(f"7:38: {SOURCE}.client_secret[1]: too short to sign with; ")


def test_client_secret_jwt_takes_no_key_of_its_own(files: Files, key: Path) -> None:
    files.environ["SECRET"] = "s" * 64

    assert problems(files, BY_SECRET % "key: key.pem, algorithm: RS256") == [
        f"8:17: {SOURCE}.assertion.key: client_secret_jwt signs with client_secret; expected no key",
        f"8:31: {SOURCE}.assertion.algorithm: expected one of HS256, HS384, HS512 for client_secret_jwt",
    ]
    assert problems(files, "client_auth: client_secret_jwt") == [
        f"6:5: {SOURCE}.client_auth: client_secret_jwt signs with client_secret; expected one"
    ]


@pytest.mark.parametrize("client_auth", ["tls_client_auth", "self_signed_tls_client_auth"])
def test_tls_methods_need_a_certificate(client_auth: str, files: Files, authority: trustme.CA) -> None:
    """F01."""
    certified(files, authority.issue_cert("client.example"))

    assert problems(files, f"client_auth: {client_auth}") == [
        f"6:5: {SOURCE}.client_auth: {client_auth} needs client.tls.cert and client.tls.key"
    ]
    keys = f"client_auth: {client_auth}\nclient: {{tls: {{cert: cert.pem, key: key.pem}}}}"
    assert source(files, keys).client_auth == client_auth
    assert warnings(files, keys) == []


def test_tls_method_over_plain_http_is_a_warning(files: Files, authority: trustme.CA) -> None:
    certified(files, authority.issue_cert("client.example"))
    keys = "client_auth: tls_client_auth\nclient: {tls: {cert: cert.pem, key: key.pem}}"

    loaded = files.load(with_source(keys).replace("https://idp.example.com", "http://localhost:1"))

    (warning,) = (each for each in loaded.warnings if each.path)
    assert warning.message == "no certificate is presented over plain http: tls_client_auth can't work"


@pytest.mark.parametrize("client_auth", ["client_secret_jwt", "private_key_jwt"])
def test_credentials_are_never_sent_beside_an_assertion(client_auth: str, files: Files, key: Path) -> None:
    """E02: the id may stand there, it is sent anyway."""
    files.environ["SECRET"] = "s" * 32
    keys = f"client_auth: {client_auth}\nclient_secret: ${{env:SECRET}}\n"
    keys += "assertion: {key: key.pem}\n" if client_auth == "private_key_jwt" else ""

    assert source(files, keys + "endpoint_params: {client_id: app}").client_auth == client_auth
    (problem,) = problems(files, keys + "endpoint_params: {client_secret: '${env:SECRET}'}")
    assert "client_secret: the credentials would be sent in two ways" in problem


def test_changed_key_file_is_seen(files: Files, key: Path) -> None:
    """E11: the file is watched, and another key is another source."""
    before = files.load(with_source(BY_KEY % ""))
    files.write("key.pem", pem(RSA))
    after = files.load(with_source(BY_KEY % ""))

    assert key in before.files
    assert before.sources["s"] != after.sources["s"]
