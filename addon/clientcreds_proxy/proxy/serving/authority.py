"""mitmproxy's CA on this machine: where its certificate lies, made if it is not there yet."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mitmproxy import certs
from mitmproxy.options import CONF_BASENAME, CONF_DIR, KEY_SIZE, Options

from clientcreds_proxy.errors import ClientcredsError

CONFDIR = CONF_DIR


class AuthorityError(ClientcredsError):
    """mitmproxy's CA can't be read, or can't be made where there is none."""

    def __init__(self, folder: Path, why: Exception) -> None:
        # The first sentence of cryptography's; the others lead to its documentation.
        reason = why.strerror if isinstance(why, OSError) else str(why).partition(". ")[0]
        file = getattr(why, "filename", None) or folder
        super().__init__(f"mitmproxy's CA can't be read or made: {file}: {reason}")


def ca_certificate(confdir: str | None = None) -> Path:
    """The file with the CA's certificate (PEM) in mitmproxy's folder, or in `confdir`."""
    folder = Path(confdir or CONFDIR).expanduser()
    certificate = folder / f"{CONF_BASENAME}-ca-cert.pem"
    with _named(folder):
        if not certificate.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(folder):
                store = certs.CertStore.from_store(folder, CONF_BASENAME, KEY_SIZE)
                if not certificate.exists():  # somebody has put a CA of their own there, with its key
                    certificate.write_bytes(store.default_ca.to_pem())
    return certificate


def check(options: Options) -> None:
    """Raise an `AuthorityError` where a proxy with these options could not sign."""
    folder = Path(options.confdir).expanduser()
    passphrase = options.cert_passphrase
    with _named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            certs.CertStore.from_store(
                folder, CONF_BASENAME, options.key_size, passphrase.encode() if passphrase else None
            )


@contextmanager
def _named(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, TypeError) as error:  # TypeError: the key wants a passphrase
        raise AuthorityError(folder, error) from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep two processes from making a CA each, one of which would sign what the other's clients refuse."""
    try:
        import fcntl  # noqa: PLC0415 - Windows has none
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
