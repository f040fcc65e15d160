"""What an authorization server leaves to be desired, although its tokens are good."""

from collections.abc import Iterator

from clientcreds_proxy.tokens.model import SourceSpec, SourceWarning, Token, Warn
from clientcreds_proxy.tokens.proof.client_auth import Attempt, Granted
from clientcreds_proxy.tokens.source import Fetch


class Remarking:
    """Fetches the tokens of one source as another does, and tells each remark once: renewals repeat it."""

    def __init__(self, fetch: Fetch, warn: Warn) -> None:
        self._fetch = fetch
        self._warn = warn
        self._told: set[str] = set()

    async def __call__(self, spec: SourceSpec, worked: Attempt | None = None) -> Granted:
        """What the other gives."""
        granted = await self._fetch(spec, worked)
        for remark in remarks(spec, granted.token):
            if remark not in self._told:
                self._told.add(remark)
                self._warn(SourceWarning(source=spec.name, message=remark))
        return granted


def remarks(spec: SourceSpec, token: Token) -> Iterator[str]:
    """What whoever runs the proxy should know about this token (RFC 6749 §5.1)."""
    if token.token_type is None:
        yield "the server does not say of what type its tokens are; they are used as Bearer"
    if token.scope is not None:
        missing = [scope for scope in dict.fromkeys(spec.scopes) if scope not in token.scope]
        if missing:
            yield f"the server did not grant {' '.join(missing)}"
