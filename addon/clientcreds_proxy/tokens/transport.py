"""TLS towards the authorization server, and its failures in plain words."""

import os
import socket  # noqa: TID251 - names an exception of it
import ssl  # noqa: TID251 - half of the one edge, with fetch.py
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clientcreds_proxy.tokens.model import ClientTls


def tls_context(tls: ClientTls) -> ssl.SSLContext:
    """A client's TLS context; raises ValueError that says which of ca, cert and key can't be used."""
    try:
        # Bundles have comments in every language; Python wants ASCII.
        context = ssl.create_default_context(cadata=tls.ca and tls.ca.encode("ascii", "ignore").decode())
    except (ssl.SSLError, ValueError):
        raise ValueError("`ca` holds no usable certificate") from None
    # The same on every Python: 3.13 became stricter about CA certificates than 3.12, Go and curl are, and
    # many a company CA fails that; it also trusts a `ca` that is no root, as curl does.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert is not None:
        pem = tls.cert + "\n" + (tls.key.reveal() if tls.key else "")
        try:
            with _on_disk(pem) as path:
                context.load_cert_chain(path, password="")  # none: OpenSSL asks a terminal
        except ssl.SSLError:
            raise ValueError("`cert` and `key` are not a certificate and its unencrypted key") from None
    return context


def transport_words(error: BaseException, host: str) -> str:
    """What went wrong with a connection, without anything secret."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return f"the certificate of {host} is not trusted: {cause.verify_message}"
            case ssl.SSLError():
                reason = (getattr(cause, "reason", None) or "it failed").lower().replace("_", " ")
                return f"no TLS connection with {host}: {reason}"
            case socket.gaierror():
                return f"the name {host} can't be resolved"
            case ConnectionRefusedError():
                return f"{host} refused the connection"
            case _:
                pass
    return f"the connection with {host} failed"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):  # one for each address that was tried
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__


@contextmanager
def _on_disk(pem: str) -> Iterator[str]:
    # OpenSSL's interface reads certificates with keys from files only.
    handle, path = tempfile.mkstemp(prefix="clientcreds-")  # 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(pem)
        yield path
    finally:
        Path(path).unlink()
