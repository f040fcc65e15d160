"""Fetch a JWK set over HTTP."""

from functools import partial

from clientcreds_proxy.errors import TokenInvalid, TokenUnavailable
from clientcreds_proxy.tokens.asking.answer import host_of
from clientcreds_proxy.tokens.model import Client
from clientcreds_proxy.tokens.server.metadata import MAX_BYTES, kept_seconds
from clientcreds_proxy.tokens.server.session import Request, Session, Sessions
from clientcreds_proxy.tokens.verify.jwks import read_keys
from clientcreds_proxy.tokens.verify.keys import FoundKeys

HEADERS = (("Accept", "application/json"), ("Accept-Encoding", "identity"), ("User-Agent", "clientcreds"))


class HttpLookForKeys:
    """Fetches keys over HTTP."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def __call__(self, url: str, client: Client) -> FoundKeys:
        """The keys at this URL within `timeout_seconds`; raises a TokenFailure."""
        async with self._sessions.open(client, host_of(url)) as session:
            return await session.patiently(partial(_ask, session, url))


async def _ask(session: Session, url: str) -> FoundKeys:
    request = Request(method="GET", url=url, host=host_of(url), headers=HEADERS)
    received = await session.send(request, max_bytes=MAX_BYTES)
    words = f"{url} answered {received.status}"
    if received.status >= 500 or received.status in {408, 425, 429}:
        raise TokenUnavailable(words)
    if received.status != 200:
        raise TokenInvalid(f"{words}; expected 200 and a JWK set")
    return FoundKeys(keys=read_keys(received.body, place=url), kept_seconds=kept_seconds(received.headers))
