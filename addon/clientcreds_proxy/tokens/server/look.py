"""Look up an authorization server's metadata where its issuer says it lies."""

from functools import partial

from clientcreds_proxy.errors import TokenBackoff, TokenMalformed, TokenUnavailable
from clientcreds_proxy.tokens.asking.answer import backoff_seconds, host_of
from clientcreds_proxy.tokens.model import Client
from clientcreds_proxy.tokens.server.metadata import MAX_BYTES, Found, kept_seconds, locations, read_metadata
from clientcreds_proxy.tokens.server.session import Received, Request, Session, Sessions

HEADERS = (("Accept", "application/json"), ("Accept-Encoding", "identity"), ("User-Agent", "clientcreds"))


class HttpLook:
    """Fetches metadata over HTTP."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def __call__(self, issuer: str, client: Client) -> Found:
        """From the first of the two places that has any, within `timeout_seconds`; raises a TokenFailure."""
        places = locations(issuer)
        unusable: list[TokenMalformed] = []
        async with self._sessions.open(client, host_of(issuer)) as session:
            for place in places:
                try:
                    found = await session.patiently(partial(_ask, session, issuer, place))
                except TokenMalformed as failure:
                    unusable.append(failure)  # a page for people under every path, say: the other may do
                else:
                    if found is not None:
                        return found
        if unusable:
            raise unusable[0]
        raise TokenMalformed(
            f"{host_of(issuer)} has no metadata at {places[0]} nor at {places[1]}; "
            "expected its issuer, or a token_url instead"
        )


async def _ask(session: Session, issuer: str, place: str) -> Found | None:
    """What is there; None: nothing."""
    request = Request(method="GET", url=place, host=host_of(place), headers=HEADERS)
    received = await session.send(request, max_bytes=MAX_BYTES)
    if received.status == 200:
        return Found(
            metadata=read_metadata(issuer, received.body, place=place),
            kept_seconds=kept_seconds(received.headers),
        )
    _refuse(received, place)
    return None


def _refuse(received: Received, place: str) -> None:
    """Raise unless the answer means that nothing is there."""
    status, words = received.status, f"{place} answered {received.status}"
    if status == 429 or (status == 503 and received.retry_after is not None):
        raise TokenBackoff(words, retry_after=backoff_seconds(received.retry_after))
    if status >= 500 or status in {408, 425}:
        raise TokenUnavailable(words)
    if status < 400:
        raise TokenMalformed(f"{words}, expected 200; redirects are never followed")
