"""An API that wants a token of the authorization server: it says who called, and what it saw of the request.

It is as strict as Auth0's: 401 without a good token, 406 unless the request says `Accept: application/json`.
It never sends the token back. The other paths are for what a proxy can do wrong: streams, large bodies,
WebSockets, and tokens that stop being good before they expire.
"""

import asyncio
import json
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from tornado.web import Application, Finish, RequestHandler, stream_request_body
from tornado.websocket import WebSocketHandler

CHUNK = b"." * 65_536


class ProtectedApi:
    """What a good token is, and which tokens have stopped being good."""

    def __init__(self, *, keys: KeySet, issuer: str, audience: str) -> None:
        self.keys = keys
        self.revoked: set[str] = set()  # `jti` of each
        self.claims = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            jti={"essential": True},
        )

    def application(self) -> Application:
        """The paths, to be put on a port."""
        own = {"api": self}
        return Application(
            [
                (r"/events", Events, own),
                (r"/upload", Upload, own),
                (r"/download/(\d+)", Download, own),
                (r"/revoke", Revoke, own),
                (r"/refuses/(\d+)", Refuses, own),
                (r"/socket", Socket, own),
                (r"/.*", Saw, own),
            ],
            log_function=lambda _: None,
        )

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token that is good; otherwise a `JoseError` or `ValueError`."""
        claims = jwt.decode(token, self.keys, algorithms=["ES256"]).claims
        self.claims.validate(claims)
        if claims["jti"] in self.revoked:
            raise ValueError("the token is revoked")
        return claims


class Protected(RequestHandler):
    """A path that answers 401 without a good token."""

    claims: dict[str, Any]

    def initialize(self, api: ProtectedApi) -> None:
        """Tornado's hook for what the route holds."""
        self.api = api

    def prepare(self) -> None:
        """Tornado's hook before every method: the token (RFC 6750 §3)."""
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            self.refuse()
        try:
            self.claims = self.api.verify(token)
        except (JoseError, ValueError) as error:
            self.refuse(str(error))

    def refuse(self, why: str | None = None) -> None:
        """401: without a reason where no token came (RFC 6750 §3.1)."""
        challenge = 'Bearer realm="demo"' + (', error="invalid_token"' if why else "")
        self.set_header("WWW-Authenticate", challenge)
        self.reply(401, {"message": f"invalid token: {why}" if why else "no token"})
        raise Finish

    def reply(self, status: int, content: dict[str, Any]) -> None:
        """Answer with JSON on several lines."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(content, indent=2) + "\n")

    def saw(self) -> dict[str, Any]:
        """What came, but for the token."""
        return {
            "method": self.request.method,
            "path": self.request.path,
            "query": self.request.query,
            "host": self.request.host,
            "accept": self.request.headers.get("Accept"),
            "body_bytes": len(self.request.body),
            "claims": self.claims,
        }


class Saw(Protected):
    """Any other path, any method: 200 and what the API saw."""

    def get(self) -> None:
        """Say what came."""
        if "application/json" not in self.request.headers.get("Accept", ""):
            self.reply(406, {"message": "this API speaks application/json only: ask for it"})
        else:
            self.reply(200, self.saw())

    head = post = put = patch = delete = options = get


class Revoke(Protected):
    """`POST /revoke`: the token that this request brings is not good any more."""

    def post(self) -> None:
        """Forget it."""
        self.api.revoked.add(self.claims["jti"])
        self.set_status(204)


class Refuses(Protected):
    """`/refuses/N`: revokes the token that it is shown until N are revoked, then it says what came."""

    def get(self, limit: str) -> None:
        """Revoke and answer 401, or say what came."""
        if len(self.api.revoked) < int(limit):
            self.api.revoked.add(self.claims["jti"])
            self.refuse("the token is revoked")
        self.reply(200, self.saw())

    post = put = get


class Events(Protected):
    """`GET /events?count=3&every=0.5`: an event stream, one event every so many seconds."""

    async def get(self) -> None:
        """Send the first event at once."""
        self.set_header("Content-Type", "text/event-stream")
        for number in range(int(self.get_query_argument("count", "3"))):
            if number:
                await asyncio.sleep(float(self.get_query_argument("every", "0.5")))
            self.write(f"data: {number}\n\n")
            await self.flush()


@stream_request_body
class Upload(Protected):
    """`POST /upload`: counts the body's bytes as they come; any size."""

    received = 0

    def data_received(self, chunk: bytes) -> None:
        """Count."""
        self.received += len(chunk)

    def post(self) -> None:
        """Say how many there were."""
        self.reply(200, {**self.saw(), "body_bytes": self.received})

    put = post


class Download(Protected):
    """`GET /download/N`: N bytes, with their Content-Length, as fast as the reader takes them."""

    async def get(self, size: str) -> None:
        """Send them."""
        left = int(size)
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Content-Length", size)
        while left:
            chunk = CHUNK[:left]
            self.write(chunk)
            await self.flush()
            left -= len(chunk)


class Socket(Protected, WebSocketHandler):
    """`/socket`: a WebSocket that sends back what it gets."""

    def check_origin(self, origin: str) -> bool:  # noqa: ARG002 - tornado's signature
        """Pages of any origin may come: the token decides."""
        return True

    def on_message(self, message: str | bytes) -> None:
        """Send it back."""
        self.write_message(message, binary=isinstance(message, bytes))
