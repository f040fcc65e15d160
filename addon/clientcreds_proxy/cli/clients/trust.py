"""Files that make clients trust the proxy: a bundle of CAs, the same for Java, and a wgetrc.

Most of the variables that name a CA file replace a client's trust store, so the bundle holds all that was
trusted before: the system's CAs and those of the user's own variables.
"""

import base64
import os
import re
import ssl
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

from clientcreds_proxy.cli.clients.table import CA_VARIABLES, Files

BUNDLE, TRUSTSTORE, WGETRC = "bundle.pem", "truststore.p12", "wgetrc"
TRUSTSTORE_PASSWORD = "changeit"  # as Java's own has; it holds certificates, which are no secret
NODE_SHIM = Path(__file__).parent / "node_proxy.cjs"

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_SYSTEM = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Certificates (DER), ours last, and what could not be read of what the user's variables name."""

    certificates: tuple[bytes, ...]
    unreadable: tuple[str, ...] = ()

    @property
    def pem(self) -> str:
        """All of them as PEM."""
        return "".join(ssl.DER_cert_to_PEM_cert(each) for each in self.certificates)


def bundle(ca: Path, environ: Mapping[str, str]) -> Bundle:
    """What was trusted before, and the CA. OSError where that can't be read."""
    found: dict[bytes, None] = dict.fromkeys(_certificates(system().read_bytes()))
    unreadable: list[str] = []
    for name in CA_VARIABLES:
        if own := environ.get(name):
            try:
                found |= dict.fromkeys(certificates_in(Path(own)))
            except OSError as error:
                unreadable.append(f"{name} names {own}, which can't be read: {error.strerror}")
    ours = list(_certificates(ca.read_bytes()))
    for each in ours:
        found.pop(each, None)
    return Bundle(certificates=(*found, *ours), unreadable=tuple(unreadable))


def truststore(certificates: Iterable[bytes]) -> bytes:
    """A PKCS#12 trust store that Java 6 and newer read; mitmproxy's .p12 has no entry that Java trusts."""
    # 3DES and SHA-1 hide nothing here, and are what a Java before 8u301 knows.
    protection = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(2048)
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(SHA1())  # noqa: S303
        .build(TRUSTSTORE_PASSWORD.encode())
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about serial numbers of CAs that every system trusts
        entries = [
            pkcs12.PKCS12Certificate(each, f"ca-{number}".encode())
            for number, each in enumerate(_parsed(certificates))
        ]
        return pkcs12.serialize_java_truststore(entries, protection)


def wgetrc(environ: Mapping[str, str], bundle: Path) -> str:
    """The user's own wgetrc, which `WGETRC` replaces, and the bundle."""
    named = environ.get("WGETRC")
    path = Path(named) if named else Path(environ.get("HOME", "~")).expanduser() / ".wgetrc"
    try:
        own = path.read_text(errors="surrogateescape").rstrip("\n")
    except OSError:
        own = ""
    kept = [
        line for line in own.splitlines() if not re.match(r"\s*ca[-_]?certificate\s*=", line, re.IGNORECASE)
    ]
    return "\n".join([*kept, f"ca_certificate = {bundle}", ""])


def write_files(folder: Path, found: Bundle, environ: Mapping[str, str], *, shared: bool = False) -> Files:
    """Write all files into a folder of the user's own; `shared`: for other users, and with all they need."""
    if shared:
        folder.mkdir(parents=True, exist_ok=True)
    else:
        private_folder(folder)
    files = Files(
        bundle=folder / BUNDLE,
        truststore=folder / TRUSTSTORE,
        truststore_password=TRUSTSTORE_PASSWORD,
        wgetrc=folder / WGETRC,
        node_shim=folder / NODE_SHIM.name if shared else NODE_SHIM,
    )
    contents = {
        files.wgetrc: wgetrc(environ, files.bundle).encode(errors="surrogateescape"),
        files.bundle: found.pem.encode(),
        files.truststore: truststore(found.certificates),
    }
    if shared:
        contents[files.node_shim] = NODE_SHIM.read_bytes()
    for path, content in contents.items():
        write_whole(path, content, mode=0o644 if shared else 0o600)
    return files


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where files lie that outlive a command."""
    named = Path(environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path("~/.cache").expanduser()) / "clientcreds"


def private_folder(folder: Path) -> None:
    """Make a folder that its owner alone can look into. PermissionError where it is somebody else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    folder.chmod(0o700)


def write_whole(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace a file as a whole: who reads it meanwhile sees the old one or the new one."""
    name = None
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # it names the new file
    finally:
        if name is not None:
            Path(name).unlink(missing_ok=True)


def system() -> Path:
    """The system's bundle; not `ssl`'s idea of it, which SSL_CERT_FILE changes."""
    return next((path for each in _SYSTEM if (path := Path(each)).exists()), Path(certifi.where()))


def certificates_in(path: Path) -> list[bytes]:
    """The certificates of a file, or of the files of a folder, which requests and OpenSSL take as well."""
    files = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
    return [each for file in files for each in _certificates(file.read_bytes())]


def _certificates(pem: bytes) -> Iterable[bytes]:
    return (base64.b64decode(found) for found in _PEM.findall(pem))


def _parsed(certificates: Iterable[bytes]) -> Iterable[x509.Certificate]:
    for each in certificates:
        try:
            yield x509.load_der_x509_certificate(each)
        except ValueError:
            continue  # no certificate: other clients pass over it as well
