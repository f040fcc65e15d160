"""mitmproxy's CA on this machine: where its certificate lies, made if it is not there yet."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mitmproxy import certs
from mitmproxy.options import CONF_BASENAME, CONF_DIR, KEY_SIZE

CONFDIR = CONF_DIR


def ca_certificate(confdir: str | None = None) -> Path:
    """The file with the CA's certificate (PEM) in mitmproxy's folder, or in `confdir`.

    OSError where there is none and it can't be made; ValueError where the files there are no CA.
    """
    folder = Path(confdir or CONFDIR).expanduser()
    certificate = folder / f"{CONF_BASENAME}-ca-cert.pem"
    if not certificate.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            store = certs.CertStore.from_store(folder, CONF_BASENAME, KEY_SIZE)
            if not certificate.exists():  # somebody has put a CA of their own there, with its key
                certificate.write_bytes(store.default_ca.to_pem())
    return certificate


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
