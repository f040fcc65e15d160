"""Fetch one token over HTTP: find the token endpoint, ask there, in turn in each way to authenticate.

Not in it: how HTTP is spoken (`server/session.py`), what is sent (`asking/grant.py`), what an answer means
(`asking/answer.py`), what is remembered (`keeping/cache.py`, `source.py`, `server/discovery.py`).
"""

import random
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from clientcreds_proxy.errors import TokenFailure, TokenRejected
from clientcreds_proxy.tokens.asking.answer import MAX_BYTES, Answer, host_of, parse_answer
from clientcreds_proxy.tokens.asking.grant import encode
from clientcreds_proxy.tokens.asking.hints import joined
from clientcreds_proxy.tokens.model import Clock, SourceSpec, Token
from clientcreds_proxy.tokens.proof.client_auth import Attempt, Granted, attempts, hint, refused_as_client
from clientcreds_proxy.tokens.proof.dpop import NEEDS_NONCE
from clientcreds_proxy.tokens.proof.mint import Mint
from clientcreds_proxy.tokens.proof.prover import Prover
from clientcreds_proxy.tokens.server.discovery import Discovery
from clientcreds_proxy.tokens.server.look import HttpLook
from clientcreds_proxy.tokens.server.session import Request, Session, Sessions
from clientcreds_proxy.tokens.verify.keys import Keys
from clientcreds_proxy.tokens.verify.look import HttpLookForKeys
from clientcreds_proxy.tokens.verify.verifier import Verifier


class HttpFetch:
    """Fetches the tokens of one source."""

    def __init__(  # noqa: PLR0913 - ports, each by its name
        self,
        *,
        clock: Clock,
        sessions: Sessions | None = None,  # None: of its own
        discovery: Discovery | None = None,  # the same
        keys: Keys | None = None,  # the same
        prover: Prover | None = None,  # the same
        chance: Callable[[], float] = random.random,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._clock = clock
        self._assertion = Mint(clock=clock, entropy=entropy)
        self._prover = prover or Prover(clock=clock, entropy=entropy)
        self._sessions = sessions or Sessions(clock=clock, chance=chance)
        self._discovery = discovery or Discovery(clock=clock, look=HttpLook(self._sessions))
        keys = keys or Keys(clock=clock, look=HttpLookForKeys(self._sessions))
        self._verify = Verifier(clock=clock, discovery=self._discovery, keys=keys, mint=self._assertion)

    async def __call__(self, spec: SourceSpec, worked: Attempt | None = None) -> Granted:
        """A token within the source's `timeout_seconds`; raises a TokenFailure.

        What `worked` last is tried first.
        """
        async with self._sessions.open(spec.client, host_of(spec.token_url or spec.issuer or "")) as session:
            located, metadata = await self._discovery.locate(spec)
            advertised = metadata.auth_methods if metadata else ()
            try:
                granted = await self._in_turn(
                    session, located, attempts(located, worked, advertised=advertised)
                )
            except TokenFailure as failure:
                self._discovery.doubt(spec, failure)
                raise
            return replace(granted, token=await self._verify(session, located, granted))

    async def _in_turn(self, session: Session, spec: SourceSpec, attempts: Sequence[Attempt]) -> Granted:
        """The first way that is not refused as client."""
        refusals: list[TokenRejected] = []
        for attempt in attempts:
            try:
                token = await session.patiently(partial(self._once, session, spec, attempt))
                return Granted(token=token, attempt=attempt)
            except TokenRejected as refusal:
                if not refused_as_client(refusal):
                    raise
                refusals.append(refusal)
        # What the server said to the first way, unless only a later one made it name the client.
        told = next((refusal for refusal in refusals if refusal.error == "invalid_client"), refusals[0])
        raise TokenRejected(
            told.detail, error=told.error, hint=joined(told.hint, hint(spec))
        ) from told.__cause__

    async def _once(self, session: Session, spec: SourceSpec, attempt: Attempt) -> Token:
        nonces, url = self._prover.server_nonces, spec.token_url
        known = nonces.of(url)
        try:
            return await self._ask(session, spec, attempt)
        except TokenRejected as refusal:
            if not spec.dpop or refusal.error != NEEDS_NONCE or nonces.of(url) == known:
                raise
        return await self._ask(session, spec, attempt)  # RFC 9449 §8: once more, with the nonce that came

    async def _ask(self, session: Session, spec: SourceSpec, attempt: Attempt) -> Token:
        proof = self._prover.for_token_request(spec.token_url) if spec.dpop else None
        grant = encode(spec, attempt, self._assertion(spec, attempt), proof=proof)
        requested = self._clock.now()
        received = await session.send(
            Request(
                method="POST",
                url=spec.token_url,
                host=host_of(spec.token_url),
                headers=grant.headers,
                body=grant.body,
            ),
            max_bytes=MAX_BYTES,
        )
        self._prover.server_nonces.keep(spec.token_url, received.headers.get("dpop-nonce"))
        answer = Answer(
            status=received.status,
            body=received.body,
            retry_after=received.retry_after,
            ahead_seconds=received.ahead_seconds,
            leads_to=received.leads_to,
        )
        return parse_answer(spec, answer, requested)
