"""An API over TLS that notes which certificate each request came with (RFC 8705 §3)."""

import asyncio
import hashlib
import ssl
from dataclasses import dataclass, field

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from tests.simulators.api import Api, Request


def server_context(authority: trustme.CA, *, requires: bool = False) -> ssl.SSLContext:
    """TLS for the name localhost, with a look at certificates of the same authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED if requires else ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def thumbprint(certificate: trustme.LeafCert) -> str:
    """SHA-256 (hex) of a certificate."""
    return x509.load_pem_x509_certificate(certificate.cert_chain_pems[0].bytes()).fingerprint(SHA256()).hex()


@dataclass(slots=True, kw_only=True)
class CertificateApi(Api):
    """Answers 200, but 401 to a token that it was told about, or that comes with the wrong certificate."""

    bound: dict[str, str] = field(default_factory=dict)  # tokens, and the thumbprints they are bound to
    presented: list[str | None] = field(default_factory=list)  # thumbprints, one for each request
    protocols: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.answer = self._decide

    async def _decide(
        self, request: Request, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True)
        shown = None if certificate is None else hashlib.sha256(certificate).hexdigest()
        self.presented.append(shown)
        self.protocols.append(tls.selected_alpn_protocol())
        token = (request.one("authorization") or "").removeprefix("Bearer ")
        good = token not in self.unauthorized and self.bound.get(token, shown) == shown
        writer.write(f"HTTP/1.1 {200 if good else 401} X\r\nContent-Length: 0\r\n\r\n".encode())
