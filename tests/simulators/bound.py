"""A server that binds tokens to keys, and an API that takes no other ones (RFC 9449)."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulators.api import Api, Request
from tests.simulators.authorization_server import AuthorizationServer, Reply, Seen
from tests.simulators.dpop import Proof, check


@dataclass(slots=True, kw_only=True)
class BindingServer(AuthorizationServer):
    """Gives token `t1`, `t2`, … to whoever proves to have a key."""

    nonce: str | None = None  # demanded in every proof
    bound: dict[str, str] = field(default_factory=dict)  # tokens, and the thumbprints of their keys
    proofs: list[Proof] = field(default_factory=list)
    _used: set[str] = field(default_factory=set)

    def _answer(self, request: Seen) -> Reply:
        try:
            proof = check(
                request.headers.get("dpop", ""),
                method=request.method,
                url=self.token_url,
                used=self._used,
                now=time.time(),
            )
        except ValueError as error:
            return _error("invalid_dpop_proof", str(error))
        self.proofs.append(proof)
        if self.nonce is not None and proof.claims.get("nonce") != self.nonce:
            return _error("use_dpop_nonce", "bring it", {"DPoP-Nonce": self.nonce})
        if self._credentials(request) != (self.client_id, self.client_secret):
            return _error("invalid_client", "who are you?")
        token = f"t{len(self.bound) + 1}"
        self.bound[token] = proof.thumbprint
        body = {"access_token": token, "token_type": "DPoP", "expires_in": self.expires_in}
        return Reply(body=json.dumps(body).encode())


@dataclass(slots=True, kw_only=True)
class BoundApi(Api):
    """Takes a token only with a new proof of its key for this very request."""

    key_of: Callable[[str], str | None]  # the thumbprint that a token is bound to; None: not one of ours
    scheme: str = "http"
    nonce: str | None = None  # demanded in every proof
    next_nonce: str | None = None  # sent along with every 200, and demanded from then on
    revoked: set[str] = field(default_factory=set)
    proofs: list[Proof] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _used: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.answer = self._decide

    async def _decide(
        self, request: Request, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        headers, status = {"Content-Length": "0"}, 401
        error = self._error_of(request)
        if error is None:
            status = 200
            if self.next_nonce is not None:
                headers["DPoP-Nonce"] = self.nonce = self.next_nonce
        else:
            headers["WWW-Authenticate"] = f'DPoP error="{error}", algs="ES256"'
            if self.nonce is not None:
                headers["DPoP-Nonce"] = self.nonce
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def _error_of(self, request: Request) -> str | None:
        scheme, _, token = (request.one("authorization") or "").partition(" ")
        path = request.target.partition("?")[0]
        try:
            proof = check(
                request.one("dpop") or "",
                method=request.method,
                url=f"{self.scheme}://{(request.one('host') or '').lower()}{path}",
                used=self._used,
                token=token,
                now=time.time(),
            )
        except ValueError as error:
            self.complaints.append(str(error))
            return "invalid_dpop_proof"
        self.proofs.append(proof)
        if self.nonce is not None and proof.claims.get("nonce") != self.nonce:
            return "use_dpop_nonce"
        if scheme != "DPoP" or token in self.revoked or self.key_of(token) != proof.thumbprint:
            return "invalid_token"
        return None


def _error(code: str, words: str, headers: dict[str, str] | None = None) -> Reply:
    body = {"error": code, "error_description": words}
    return Reply(status=400, body=json.dumps(body).encode(), headers=headers or {})
