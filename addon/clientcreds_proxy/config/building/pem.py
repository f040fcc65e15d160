"""PEM text, or the path of a PEM file -> PEM text that is known to parse. Messages show neither."""

from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from clientcreds_proxy.config.reading.lookup import UnresolvedError
from clientcreds_proxy.config.reading.references import References
from clientcreds_proxy.tokens.clock import SystemClock
from clientcreds_proxy.tokens.model import Clock

PEM_MARK = "-----BEGIN"
EXPIRES_SOON_SECONDS = 14 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class PemFiles:
    """Where the files of PEM text are: relative paths count from `directory`."""

    directory: Path
    references: References
    clock: Clock = field(default_factory=SystemClock)

    def certificates(self, value: str) -> str:
        """The certificates in `value` or its file, as PEM without anything else; ValueError for none."""
        try:
            found = x509.load_pem_x509_certificates(self._text(value).encode())
        except ValueError as error:
            raise ValueError(_why(error, "expected certificates as PEM")) from None
        return "".join(each.public_bytes(Encoding.PEM).decode() for each in found)

    def private_key(self, value: str) -> str:
        """The private key in `value` or its file, as PEM without anything else; ValueError for none."""
        try:
            found = load_pem_private_key(self._text(value).encode(), password=None)
        except TypeError:
            raise ValueError("this key is encrypted; expected one without a passphrase") from None
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ValueError(_why(error, "expected a private key as PEM")) from None
        return found.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def key_text(self, value: str) -> str:
        """The PEM or JWK text that `value` is, or its file holds; ValueError for no file."""
        try:
            return value if value.lstrip().startswith("{") else self._text(value)
        except UnresolvedError as error:
            raise ValueError(f"neither PEM or JWK text nor the path of a file of it: {error}") from None

    def expiry(self, certificates: str) -> str | None:
        """What is to be said about the time in which the first certificate is valid."""
        certificate = x509.load_pem_x509_certificates(certificates.encode())[0]
        now, end = self.clock.now().wall, certificate.not_valid_after_utc
        if now >= end.timestamp():
            return f"this certificate expired on {end:%Y-%m-%d}"
        if now < certificate.not_valid_before_utc.timestamp():
            return f"this certificate is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}"
        if now + EXPIRES_SOON_SECONDS >= end.timestamp():
            return f"this certificate expires on {end:%Y-%m-%d}"
        return None

    def _text(self, value: str) -> str:
        return value if PEM_MARK in value else self.references.read(self.directory / value)


def belong_together(certificates: str, key: str) -> bool:
    """Whether `key` is the first certificate's. Both are PEM text that parses."""
    certificate = x509.load_pem_x509_certificates(certificates.encode())[0]
    return certificate.public_key() == load_pem_private_key(key.encode(), password=None).public_key()


def _why(error: Exception, expected: str) -> str:
    unreadable = isinstance(error, UnresolvedError)
    return f"neither PEM text nor the path of a PEM file: {error}" if unreadable else expected
