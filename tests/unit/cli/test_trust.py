import stat
import warnings
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from clientcreds_proxy.cli.clients import trust


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    path = tmp_path / "ours.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return path


def another(path: Path) -> bytes:
    """A CA written there, as DER."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(path)
    return next(iter(trust._certificates(authority.cert_pem.bytes())))


def test_bundle_has_the_systems_cas_and_ours(ca: Path) -> None:
    found = trust.bundle(ca, {})

    assert len(found.certificates) > 50
    assert found.pem.endswith(ca.read_text().strip() + "\n")


def test_bundle_has_what_the_users_variables_name(ca: Path, tmp_path: Path) -> None:
    """They are replaced, and what they trusted shall be trusted on."""
    folder = tmp_path / "folder"
    folder.mkdir()
    own, others = another(tmp_path / "own.pem"), another(folder / "others.crt")
    environ = {"SSL_CERT_FILE": str(tmp_path / "own.pem"), "REQUESTS_CA_BUNDLE": str(folder)}

    certificates = trust.bundle(ca, environ).certificates

    assert {own, others} < set(certificates)
    assert len(certificates) == len(set(certificates))


def test_bundle_of_a_bundle_is_the_same(ca: Path, tmp_path: Path) -> None:
    found = trust.bundle(ca, {})
    (tmp_path / "bundle.pem").write_text(found.pem)

    assert trust.bundle(ca, {"SSL_CERT_FILE": str(tmp_path / "bundle.pem")}) == found


def test_a_file_that_is_gone_is_said(ca: Path) -> None:
    assert trust.bundle(ca, {"GIT_SSL_CAINFO": "/nowhere.pem"}).unreadable == (
        "GIT_SSL_CAINFO names /nowhere.pem, which can't be read: No such file or directory",
    )


def test_truststore_holds_every_certificate(ca: Path) -> None:
    """Java's own verdict is in tests/services."""
    certificates = trust.bundle(ca, {}).certificates

    made = trust.truststore([*certificates, b"no certificate"])

    with warnings.catch_warnings(action="ignore"):  # about CAs of the system
        store = pkcs12.load_pkcs12(made, b"changeit")

    assert len(store.additional_certs) == len(certificates)
    assert store.additional_certs[-1].certificate == x509.load_der_x509_certificate(certificates[-1])


@pytest.mark.parametrize("named", [True, False])
def test_wgetrc_keeps_the_users_own(named: bool, tmp_path: Path) -> None:  # noqa: FBT001
    path = tmp_path / (".wgetrc" if not named else "rc")
    path.write_text("tries = 3\nca-certificate = /old.pem\nCA_Certificate=/older.pem\nuser = me")
    environ = {"WGETRC": str(path)} if named else {"HOME": str(tmp_path)}

    assert trust.wgetrc(environ, Path("/b.pem")) == "tries = 3\nuser = me\nca_certificate = /b.pem\n"


def test_files_are_the_users_alone(ca: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"

    files = trust.write_files(folder, trust.bundle(ca, {}), {"HOME": "/nowhere"})

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert sorted(path.name for path in folder.iterdir()) == ["bundle.pem", "truststore.p12", "wgetrc"]
    assert files.node_shim.exists()


def test_files_for_other_users_can_be_read_by_them(ca: Path, tmp_path: Path) -> None:
    files = trust.write_files(tmp_path / "etc", trust.bundle(ca, {}), {"HOME": "/nowhere"}, shared=True)

    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "etc").iterdir()} == {0o644}
    assert files.node_shim.parent == tmp_path / "etc"


def test_files_are_replaced_as_a_whole(ca: Path, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    with path.open() as before:
        trust.write_whole(path, b"new")

        assert (before.read(), path.read_text()) == ("old", "new")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["f", "ours.pem"]


def test_a_file_that_can_t_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(IsADirectoryError):
        trust.write_whole(tmp_path / "folder", b"x")

    assert [each.name for each in tmp_path.iterdir()] == ["folder"]
