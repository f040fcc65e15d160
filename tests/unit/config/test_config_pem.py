import base64

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from clientcreds_proxy.tokens.model import ClientTls
from tests.unit.config.files import Files, with_source

TLS = "client_secret: ${env:SECRET}\nclient: {tls: {%s}}"
PLACE = "7:20: token_sources.s.client.tls"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def client(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("client.example")


def certificates(client: trustme.LeafCert) -> str:
    return "".join(blob.bytes().decode() for blob in client.cert_chain_pems)


def key(client: trustme.LeafCert) -> str:
    return client.private_key_pem.bytes().decode()


def tls(files: Files, keys: str) -> ClientTls:
    return files.load(with_source(TLS % keys)).sources["s"].client.tls


def test_pem_is_text_a_path_or_a_reference(
    files: Files, authority: trustme.CA, client: trustme.LeafCert
) -> None:
    ca = authority.cert_pem.bytes().decode()
    files.write("pki/ca.pem", ca)
    files.write("cert.pem", certificates(client))
    files.environ["KEY"] = key(client)

    loaded = tls(
        files, f'ca: pki/ca.pem, cert: "{certificates(client).replace(chr(10), "\\n")}", key: "${{env:KEY}}"'
    )

    assert loaded.ca == ca
    assert loaded.cert == certificates(client)
    assert loaded.key is not None
    assert loaded.key.reveal().startswith("-----BEGIN PRIVATE KEY-----")
    assert files.load(with_source(TLS % "ca: pki/ca.pem")).files[-1] == files.folder / "pki" / "ca.pem"


def test_cert_of_a_combined_file_leaves_the_key_behind(files: Files, client: trustme.LeafCert) -> None:
    files.write("both.pem", client.private_key_and_cert_chain_pem.bytes())

    loaded = tls(files, "cert: both.pem, key: both.pem")

    assert loaded.cert is not None
    assert "PRIVATE" not in loaded.cert
    assert "PRIVATE" not in repr(loaded)


@pytest.mark.parametrize("name", ["ca", "cert", "key"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "gone.pem",
            "neither PEM text nor the path of a PEM file: the file can't be read: No such file or directory",
        ),
        ("''", "neither PEM text nor the path of a PEM file: the file can't be read: Is a directory"),
        ("note.txt", "expected "),
        ("'-----BEGIN CERTIFICATE-----x'", "expected "),
        ("'-----BEGIN PRIVATE KEY-----x'", "expected "),
        (base64.b64encode(b"hunter2" * 99).decode(), "neither PEM text nor the path of a PEM file: "),
    ],
)
def test_pem_is_refused(name: str, value: str, message: str, files: Files) -> None:
    files.write("note.txt", "hunter2")

    problems = files.problems(with_source(TLS % f"{name}: {value}"))

    assert len(problems) == 1
    assert problems[0].startswith(f"{PLACE}.{name}: {message}")
    assert "hunter2" not in problems[0]
    assert base64.b64encode(b"hunter2").decode()[:8] not in problems[0]


def test_encrypted_key_is_refused(files: Files, client: trustme.LeafCert) -> None:
    private = load_pem_private_key(key(client).encode(), None)
    files.write(
        "key.pem",
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hunter2")),
    )
    files.write("cert.pem", certificates(client))

    assert files.problems(with_source(TLS % "key: key.pem, cert: cert.pem")) == [
        f"{PLACE}.key: this key is encrypted; expected one without a passphrase"
    ]


def test_key_of_another_certificate_is_refused(
    files: Files, authority: trustme.CA, client: trustme.LeafCert
) -> None:
    """F05."""
    files.write("key.pem", key(authority.issue_cert("other.example")))
    files.write("cert.pem", certificates(client))

    assert files.problems(with_source(TLS % "key: key.pem, cert: cert.pem")) == [
        f"{PLACE}.key: this key does not belong to the first certificate of cert"
    ]


@pytest.mark.parametrize("name", ["cert", "key"])
def test_cert_and_key_come_together(name: str, files: Files, client: trustme.LeafCert) -> None:
    files.write("both.pem", client.private_key_and_cert_chain_pem.bytes())

    assert files.problems(with_source(TLS % f"{name}: both.pem")) == [
        "7:14: token_sources.s.client.tls: cert and key belong together; expected both or none"
    ]
