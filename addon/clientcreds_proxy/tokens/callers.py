"""The callers of one source, each with a token of its own.

A caller's source is an ordinary `TokenSource` with the caller's id and secret: single flight, renewal and
remembered failures are those of every token. Callers that got a token are kept apart from those that did not
(yet): whoever makes up credentials never pushes out a caller that works. Who they are is looked up by a keyed
hash, so that comparing takes the same time whatever was sent.
"""

import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace

from clientcreds_proxy.errors import CallerUnauthorized, TokenFailure
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.credentials import Credentials
from clientcreds_proxy.tokens.keeping.entry import Standing
from clientcreds_proxy.tokens.model import Assertion, Obtained, Place, SourceSpec
from clientcreds_proxy.tokens.proof.assertion import SHORTEST_SECRET
from clientcreds_proxy.tokens.proof.client_auth import Attempt, Granted, Way, refused_as_client
from clientcreds_proxy.tokens.source import Fetch, TokenSource

MOST_KNOWN = 10_000  # callers with a token; one more pushes out the one that was away for longest
MOST_UNKNOWN = 1_000  # callers without: being tried, failing, refused

Open = Callable[[SourceSpec], TokenSource]


class Callers:
    """Everybody who uses one source of the configuration."""

    def __init__(
        self,
        spec: SourceSpec,
        opened: Open,
        *,
        key: bytes,
        most_known: int = MOST_KNOWN,
        most_unknown: int = MOST_UNKNOWN,
    ) -> None:
        self.spec = spec
        self._open = opened
        self._key = key  # of this process alone
        self._known = _Recent(most_known)
        self._unknown = _Recent(most_unknown)

    @property
    def places(self) -> tuple[Place, ...]:
        """Where they say who they are."""
        return self.spec.caller.places if self.spec.caller else ()

    @property
    def known(self) -> int:
        """How many have a token, or had one."""
        return len(self._known)

    def keys(self) -> Iterator[str]:
        """Of their entries in the cache."""
        for each in (self._known, self._unknown):
            yield from (source.key for source in each.values())

    def standing(self) -> Standing | None:
        """How things are with the token of the caller that came last; one that works goes first."""
        latest = next(reversed((self._known or self._unknown).values()), None)
        return None if latest is None else latest.standing()

    def purge(self) -> None:
        """Drop all tokens and remembered failures, in the store, too."""
        for each in (self._known, self._unknown):
            for source in each.values():
                source.purge()
            each.clear()

    async def token(
        self, credentials: Credentials, refusal: type[CallerUnauthorized] = CallerUnauthorized
    ) -> tuple[TokenSource, Obtained]:
        """This caller's token, and its source, for a 401 later.

        Raises a `refusal` where the authorization server refuses these credentials, from memory too, and a
        TokenFailure where it can't tell.
        """
        name = self._name_of(credentials)
        source = self._known.again(name)
        obtained = source.cached() if source is not None else None
        if source is not None and obtained is not None:
            return source, obtained
        source = source or self._unknown.again(name) or self._try(name, credentials, refusal)
        try:
            obtained = await source.token()
        except TokenFailure as failure:
            refused = refused_as_client(failure)
            self._note_failure(name, source, refused=refused)
            if not refused:
                raise
            raise refusal(failure.detail, error=failure.error) from failure
        self._unknown.pop(name, None)
        self._known.put(name, source)
        return source, obtained

    def _try(self, name: bytes, credentials: Credentials, refusal: type[CallerUnauthorized]) -> TokenSource:
        spec = replace(self.spec, client_id=credentials.client_id, client_secrets=(credentials.secret,))
        if why := _unusable(spec, credentials.secret):
            raise refusal(why)
        source = self._open(spec)
        self._unknown.put(name, source)
        return source

    def _note_failure(self, name: bytes, source: TokenSource, *, refused: bool) -> None:
        if refused and self._known.pop(name, None) is not None:
            self._unknown.put(name, source)  # its secret has changed, say
        elif name not in self._known and name not in self._unknown:
            source.forget()  # it was pushed out while it was tried

    def _name_of(self, credentials: Credentials) -> bytes:
        client_id, secret = credentials.client_id.encode(), credentials.secret.reveal().encode()
        # The length keeps `a` with `bc` apart from `ab` with `c`.
        return hmac.digest(self._key, len(client_id).to_bytes(8) + client_id + secret, "sha256")


class SameWay:
    """Fetches as another does; a new caller begins with the way to authenticate that worked for the last."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._way: Way | None = None

    async def __call__(self, spec: SourceSpec, worked: Attempt | None = None) -> Granted:
        """What the other gives."""
        if worked is None and self._way is not None:
            worked = Attempt(way=self._way, secret=spec.client_secrets[0])
        granted = await self._fetch(spec, worked)
        self._way = granted.attempt.way
        return granted


class _Recent(OrderedDict[bytes, TokenSource]):
    """As many sources as there may be, those first that were used longest ago."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def again(self, name: bytes) -> TokenSource | None:
        """The one of this name, which is used now."""
        source = self.get(name)
        if source is not None:
            self.move_to_end(name)
        return source

    def put(self, name: bytes, source: TokenSource) -> None:
        """Take this one in, and drop another where that is one too many."""
        self[name] = source
        self.move_to_end(name)
        if len(self) > self._most:
            _, pushed_out = self.popitem(last=False)
            pushed_out.forget()


def _unusable(spec: SourceSpec, secret: Secret) -> str | None:
    """Why these credentials can't be sent the way that the source says."""
    if spec.token_request.basic_encoding == "raw" and ":" in spec.client_id:
        return "a colon ends the client id where basic_encoding is raw (RFC 7617 §2)"
    if isinstance(spec.assertion, Assertion):
        algorithm = spec.assertion.algorithm
        if len(secret.reveal().encode()) < SHORTEST_SECRET.get(algorithm, 0):
            return f"too short a client secret: {algorithm} takes {SHORTEST_SECRET[algorithm]} bytes or more"
    return None
