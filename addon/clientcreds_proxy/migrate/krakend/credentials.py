"""`auth/client-credentials` as a token source."""

import re
from urllib.parse import urlsplit

from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft, Source, Value, one_or_many
from clientcreds_proxy.migrate.krakend.names import COMMENTS
from clientcreds_proxy.migrate.url import url
from clientcreds_proxy.migrate.vault import looks_secret

_NAME = re.compile(r"[A-Za-z][\w.-]{0,29}", re.ASCII)
_EXPIRY = (
    "expiry: KrakenD uses a token without expires_in for ever; without this line it would be 300 seconds"
)


def source(at: At, draft: Draft) -> Source:
    """The token source of one backend, shared with those that say the same."""
    token_url, client_id = at.at("token_url"), at.at("client_id").text()
    name = hint(client_id, token_url.text())
    params = _Params(at.at("endpoint_params"), draft, name)
    keys: dict[str, Value] = {"token_url": url(token_url.text(), token_url, draft)}
    client_id = client_id or params.text("client_id")
    if client_id:
        keys["client_id"] = client_id
    secret = at.at("client_secret").text() or params.text("client_secret")
    if secret:
        keys["client_secret"] = draft.vault.keep(secret, at.at("client_secret"), name, "client_secret")
    keys |= params.method(client_id, secret)
    scopes = _scopes(at.at("scopes"))
    if scopes:
        keys["scopes"] = list(scopes)
    else:
        draft.remark(
            "KrakenD sends scope= where no scopes are set; here no such parameter is sent (RFC 6749 §3.3)"
        )
    keys |= params.keys(has_scopes=bool(scopes))
    keys["expiry"] = {"default_ttl_seconds": "never"}
    at.finish(("is_disabled",), comments=COMMENTS)
    return draft.source(Source(hint=name, keys=keys, at=at, comments=(_EXPIRY,)))


def hint(client_id: str, token_url: str) -> str:
    """What to call a source: its client, or the authorization server where that is a row of characters."""
    if _NAME.fullmatch(client_id):
        return client_id
    try:
        return urlsplit(token_url).hostname or "imported"
    except ValueError:
        return "imported"


def _scopes(at: At) -> list[str]:
    """The scopes, as KrakenD splits them, without the empty ones it makes of blanks."""
    if isinstance(at.value, list):
        at.note("KrakenD itself does not start with a list here; expected one text with commas")
        return [scope for scope in at.texts() if scope]
    return [scope for part in at.text().split(",") for scope in part.split()]


class _Params:
    """`endpoint_params`: what has a key of its own here, and the rest."""

    def __init__(self, at: At, draft: Draft, name: str) -> None:
        self._draft = draft
        self._name = name
        self._given: dict[str, tuple[At, list[str]]] = {}
        for key, member in at.members():
            if key[:1] in {*COMMENTS}:
                continue
            if not isinstance(member.value, list):
                member.note("KrakenD itself does not start with this; expected a list of texts")
            values = (
                [item.text() for item in member.items()] if isinstance(member.value, list) else member.texts()
            )
            if values:
                self._given[key] = (member, values)

    def text(self, name: str) -> str:
        """The first value of a parameter."""
        _, values = self._given.get(name, (None, [""]))
        return values[0]

    def method(self, client_id: str, secret: str) -> dict[str, Value]:
        """`client_auth`, where the credentials are repeated here: the documented recipe for Auth0."""
        repeated = [name for name in ("client_id", "client_secret") if name in self._given]
        for name, value in (("client_id", client_id), ("client_secret", secret)):
            at, values = self._given.pop(name, (None, []))
            if at is not None and values != [value]:
                if name == "client_secret":
                    for each in values:
                        self._draft.vault.keep(each, at, self._name, name)
                at.lost(f"other credentials than {name} of this client: the token request sends one client's")
        if not repeated:
            return {}
        self._draft.remark(
            "KrakenD sends credentials that endpoint_params repeat twice, as Basic and in the body"
        )
        return {"client_auth": "client_secret_post"}

    def keys(self, *, has_scopes: bool) -> dict[str, Value]:
        """The other parameters."""
        keys: dict[str, Value] = {}
        rest: dict[str, Value] = {}
        for name, (at, values) in self._given.items():
            if name == "scope" and has_scopes:
                at.lost("scopes are set, too: with both, each of KrakenD's token requests fails")
            elif name == "scope":
                at.note(
                    "KrakenD's token requests fail with this (cannot overwrite parameter); here it is sent"
                )
                rest[name] = one_or_many(values)
            elif name == "audience" and all(values):
                keys[name] = one_or_many(values)
            elif name.startswith("client_assertion"):
                for value in values:
                    self._draft.vault.keep(value, at, self._name, name)
                at.lost("client_auth: private_key_jwt signs assertions here, with the key of assertion.key")
            else:
                rest[name] = one_or_many([self._value(name, at, value) for value in values])
        return keys | ({"endpoint_params": rest} if rest else {})

    def _value(self, name: str, at: At, value: str) -> Value:
        if not value or not looks_secret(name):
            return value
        return self._draft.vault.keep(value, at, self._name, name)
