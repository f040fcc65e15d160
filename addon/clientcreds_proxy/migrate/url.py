"""URLs and queries of the source file: what is secret in one becomes a reference, the rest stays as it is."""

import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft
from clientcreds_proxy.migrate.vault import Reference, literal, looks_secret

_PASSWORD = re.compile(r"://[^/?#]*?:(?P<secret>[^/?#]+)@")
_PARAMETER = re.compile(r"(?:^|[?&])(?P<name>[^=&#?/]+)=(?P<secret>[^&#]+)")


def url(text: str, at: At, draft: Draft, hint: str = "token_url") -> str | Reference:
    """A URL or a query, with references for the password and the keys in it."""
    parts: list[str] = []
    end = 0
    for begin, after in _secrets(text):
        secret = text[begin:after]
        draft.vault.learn(unquote_plus(secret))
        parts += [literal(text[end:begin]), draft.vault.keep(secret, at, hint, "secret").text]
        end = after
    return Reference(text="".join([*parts, literal(text[end:])])) if parts else text


def _secrets(text: str) -> Iterator[tuple[int, int]]:
    password = _PASSWORD.search(text)
    if password:
        yield password.span("secret")
    for found in _PARAMETER.finditer(text):
        if looks_secret(unquote_plus(found["name"])):
            yield found.span("secret")
