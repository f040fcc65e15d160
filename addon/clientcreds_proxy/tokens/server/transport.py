"""TLS towards the authorization server, and its failures in plain words."""

import errno
import os
import re
import socket  # noqa: TID251 - names an exception of it
import ssl  # noqa: TID251 - half of the one edge, with fetch.py
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx  # noqa: TID251 - names an exception of it

from clientcreds_proxy.errors import TokenUnavailable
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


def transport_failure(
    error: BaseException, host: str, *, proxied: bool = False, certified: bool = False
) -> TokenUnavailable:
    """What went wrong with a connection and what to do about it, without anything secret.

    `proxied`: it leads through `client.proxy`. `certified`: we present `client.tls.cert`.
    """
    for cause in _causes(error):
        said = _about_tls(cause, host, certified=certified) or _about_the_way(cause, host, proxied=proxied)
        if said is not None:
            words, hint = said
            return TokenUnavailable(words, hint=hint)
    peer = "client.proxy" if proxied else host
    return TokenUnavailable(f"the connection with {peer} failed", hint=_NO_WORD if certified else None)


def _about_tls(cause: BaseException, host: str, *, certified: bool) -> tuple[str, str | None] | None:
    match cause:
        case ssl.SSLCertVerificationError():
            words = f"the certificate of {host} is not trusted: {cause.verify_message}"
            return words, _UNTRUSTED.get(cause.verify_code, _UNKNOWN_CA)
        case ssl.SSLError():
            reason = (getattr(cause, "reason", None) or "it failed").lower().replace("_", " ")
            return f"no TLS connection with {host}: {reason}", _tls_hint(reason, certified=certified)
        case httpx.RemoteProtocolError() if not certified:
            return f"{host} broke off its answer, or that is not HTTP", None
        case _:
            return None


def _about_the_way(cause: BaseException, host: str, *, proxied: bool) -> tuple[str, str] | None:
    """A proxy's name is resolved instead of the server's, and it takes the connection."""
    peer = "client.proxy" if proxied else host
    match cause:
        case httpx.ProxyError():
            answered = re.match(r"[1-5][0-9]{2}\b", str(cause))
            words = f"client.proxy opened no tunnel to {host}" + (f": {answered[0]}" if answered else "")
            return words, "check client.proxy, and user and password in it"
        case socket.gaierror():
            place = "client.proxy" if proxied else "the host in token_url or issuer"
            return f"the name {peer} can't be resolved", f"check {place}, and this machine's DNS"
        case ConnectionRefusedError():
            return f"{peer} refused the connection", "nothing listens there: check host and port"
        case OSError(errno=errno.ENETUNREACH | errno.EHOSTUNREACH | errno.ETIMEDOUT) if not proxied:
            return f"{host} can't be reached", "where the network lets only a proxy out, set client.proxy"
        case _:
            return None


def _tls_hint(reason: str, *, certified: bool) -> str | None:
    if _ABOUT_CERTIFICATE.search(reason):
        return _REFUSED if certified else "the server wants a client certificate: set client.tls.cert and key"
    return _NO_WORD if certified and reason == "unexpected eof while reading" else _TLS.get(reason)


_UNKNOWN_CA = "put the certificate of the authority that signed it into client.tls.ca"
_OTHER_SERVER = "it is another server's certificate: check the host in token_url or issuer"
_UNTRUSTED: Mapping[int, str] = {  # by OpenSSL's number, X509_V_ERR_…
    9: "it is not valid yet: check this machine's clock",
    10: "the server needs a new certificate, or this machine's clock is wrong",
    62: _OTHER_SERVER,  # host name
    64: _OTHER_SERVER,  # IP address
}
_NO_TLS = "this port does not speak TLS: check the port in token_url or issuer"
_TLS: Mapping[str, str] = {
    "wrong version number": _NO_TLS,
    "record layer failure": _NO_TLS,
    "sslv3 alert handshake failure": "the server may want a client certificate: set client.tls.cert and key",
}
# What servers say about our certificate (RFC 8446 §6.2); many say nothing and close the connection.
_ABOUT_CERTIFICATE = re.compile(r"\balert (.*certificate|unknown ca|access denied)")
_REFUSED = (
    "the server does not accept our client certificate: check client.tls.cert, its chain and its expiry"
)
_NO_WORD = "the server may not accept our client certificate: check client.tls.cert, its chain and its expiry"


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
    handle, path = tempfile.mkstemp(prefix="clientcreds-key-")  # 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(pem)
        yield path
    finally:
        Path(path).unlink()
