"""One Middleware with oAuthClientCredentials: a token source, and what the rules that use it say."""

from collections.abc import Iterator

from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft, Source, Value
from clientcreds_proxy.migrate.traefik.urn import Secrets, value


class Middleware:
    """One of them, as yet without its rules."""

    def __init__(self, at: At, draft: Draft, known: Secrets, *, name: str, namespace: str) -> None:
        self.at = at
        self.name = name
        self._draft = draft
        self._known = known
        self._namespace = namespace
        self.source = draft.source(Source(hint=name, keys=self._source(), at=at))
        self.keys = dict(self._rule())
        at.finish()

    def _source(self) -> dict[str, Value]:
        at = self.at
        keys: dict[str, Value] = {"token_url": self._value(at.at("url"))}
        client_id, secret = at.at("clientID"), at.at("clientSecret")
        if client_id.text():
            keys["client_id"] = self._value(client_id)
        if secret.text():
            keys["client_secret"] = self._value(secret, "client_secret")
        if not client_id.text() and not secret.text():
            keys["caller"] = {"from": ["header"]}
            self._draft.remark(
                "where Traefik has no clientID, callers send their own credentials as Basic: an empty "
                "Authorization header is answered with 401"
            )
        elif not client_id.text() or not secret.text():
            at.lost("clientID and clientSecret belong together; Traefik refuses one without the other")
        audience = self._value(at.at("audience"))
        if audience:
            keys["audience"] = audience
        client = dict(self._client(at.at("clientConfig")))
        if client:
            keys["client"] = client
        store = at.at("store")
        if store.mapping():
            keys["store"] = self._draft.store(self._store(store))
        return keys

    def _rule(self) -> Iterator[tuple[str, Value]]:
        claims, username = self.at.at("claims").text(), self.at.at("usernameClaim").text()
        headers: dict[str, Value] = {
            name: at.text() for name, at in self.at.at("forwardHeaders").members() if at.text()
        }
        if claims:
            yield "claims", claims
        if headers:
            yield "forward_headers", headers
        if username:
            yield "username_claim", username

    def _client(self, at: At) -> Iterator[tuple[str, Value]]:
        timeout, retries = at.at("timeoutSeconds").number(), at.at("maxRetries").number()
        if timeout is not None:
            yield "timeout_seconds", timeout
        if retries is not None:
            yield "max_retries", retries
        tls = dict(self._tls(at.at("tls"), "tls"))
        if tls:
            yield "tls", tls
        at.finish()

    def _tls(self, at: At, hint: str) -> Iterator[tuple[str, Value]]:
        for key, given in (("ca", at.either("ca", "caBundle")), ("cert", at.at("cert"))):
            if given.text():
                yield key, self._value(given)
        if at.at("key").text():
            yield "key", self._value(at.at("key"), hint, "key")
        if at.at("insecureSkipVerify").flag():
            yield "insecure_skip_verify", True
        at.finish()

    def _store(self, at: At) -> dict[str, Value]:
        redis = at.at("redis")
        keys: dict[str, Value] = {"redis": dict(self._redis(redis))}
        if at.at("keyPrefix").text():
            keys["key_prefix"] = at.at("keyPrefix").text()
        secret = at.at("secret")
        if secret.text():
            keys["secret"] = self._value(secret, self.name, "store_secret")
        else:
            keys["secret"] = self._draft.vault.ask(
                f"16 characters or more of your own, for {at.where}", "store_secret"
            )
            at.note("tokens in a store are encrypted here: choose a secret")
        at.finish()
        return keys

    def _redis(self, at: At) -> Iterator[tuple[str, Value]]:
        endpoints = at.at("endpoints")
        yield "endpoints", [text for text in endpoints.texts() if text]
        yield from self._login(at, "redis")
        database = at.at("database").number()
        if database is not None:
            yield "database", database
        if at.at("cluster").given:
            at.at("cluster").finish()
            yield "cluster", {}
        sentinel = at.at("sentinel")
        if sentinel.given:
            yield (
                "sentinel",
                {"master_set": sentinel.at("masterSet").text(), **dict(self._login(sentinel, "sentinel"))},
            )
            sentinel.finish()
        tls = dict(self._tls(at.at("tls"), "redis_tls"))
        if tls:
            yield "tls", tls
        at.finish()

    def _login(self, at: At, hint: str) -> Iterator[tuple[str, Value]]:
        if at.at("username").text():
            yield "username", self._value(at.at("username"))
        if at.at("password").text():
            yield "password", self._value(at.at("password"), hint, "password")

    def _value(self, at: At, *hint: str) -> Value:
        named = (self.name, *hint) if hint and hint[0] != self.name else hint
        return value(at, self._draft, self._known, self._namespace, *named)
