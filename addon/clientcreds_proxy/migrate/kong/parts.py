"""What the configurations of both plugins have in common."""

from collections.abc import Iterator

from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft, Value
from clientcreds_proxy.migrate.kong.names import REDIS
from clientcreds_proxy.migrate.kong.values import value, values
from clientcreds_proxy.migrate.vault import looks_secret

# Parameters that a source sends by keys of its own.
_OWN = {
    "client_id": "the token request sends the client_id of its source",
    "client_secret": "the token request sends the client_secret of its source",
    "scope": "the token request sends the plugin's scopes: add it there",
    "audience": "the token request sends the plugin's audience: add it there",
}

Named = list[tuple[str, At]]


def pairs(names: At, values: At) -> Named:
    """Kong's two lists side by side, as names with values."""
    found = list(zip(names.texts(), values.items(), strict=False))
    if len(names.texts()) != len(values.items()):
        names.lost("not as many values as names: only those that have both are carried over")
    return found


def named(given: Named, draft: Draft, hint: str) -> dict[str, Value]:
    """Parameters or headers with their values: references for those that sound secret."""
    return {
        name: value(at, draft, hint, name) if looks_secret(name, at.text()) else value(at, draft)
        for name, at in given
        if at.given
    }


def params(given: Named, draft: Draft, hint: str, *, audience: At) -> dict[str, Value]:
    """Parameters of the token request; the credentials, and what has a key of its own, are none of them."""
    own = _OWN if audience.value else {name: why for name, why in _OWN.items() if name != "audience"}
    for name, at in given:
        if name in own and at.given:
            if looks_secret(name):
                draft.vault.learn(at.text())
            at.lost(own[name])
    return named([(name, at) for name, at in given if name not in own], draft, hint)


def scopes(at: At, draft: Draft) -> list[Value]:
    """The scopes: Kong joins its list with blanks, so that an entry may hold several."""
    given = values(at, draft, ["openid"])
    return [word for each in given for word in (each.split() if isinstance(each, str) else [each])]


def client(at: At, draft: Draft, *, token_url: str) -> Iterator[tuple[str, Value]]:
    """How the authorization server is reached."""
    timeout = at.at("timeout").number()
    if timeout:
        yield "timeout_seconds", timeout / 1000
    kind = "http_proxy" if token_url.startswith("http:") else "https_proxy"
    other = "https_proxy" if kind == "http_proxy" else "http_proxy"
    at.at(other).text()
    for each in ("http_proxy_authorization", "https_proxy_authorization"):
        if at.at(each).text():
            value(at.at(each), draft, "proxy", "authorization")
            at.at(each).lost(
                "write client.proxy with a user and a password: http://${env:USER}:${env:PASSWORD}@…"
            )
    if at.at(kind).text():
        yield "proxy", value(at.at(kind), draft)
    verify = at.at("ssl_verify")
    if verify.given and not verify.flag():
        verify.note("certificates of the authorization server are not verified, as in Kong")
        yield "tls", {"insecure_skip_verify": True}


def store(redis: At, draft: Draft) -> str:
    """The name of the store that these settings make."""
    keys: dict[str, Value] = {"endpoints": list(_endpoints(redis)), **dict(_login(redis, draft, ""))}
    database = redis.at("database").number()
    if redis.at("cluster_nodes").items():
        keys["cluster"] = {}
    elif redis.at("sentinel_nodes").items():
        master = redis.at("sentinel_master").text()
        keys["sentinel"] = {"master_set": master, **dict(_login(redis, draft, "sentinel_"))}
    if database:
        keys["database"] = database
    if redis.at("ssl").flag():
        skip = not redis.at("ssl_verify").flag()
        keys["tls"] = {"insecure_skip_verify": True} if skip else {}
    else:
        redis.at("ssl_verify").flag()
    redis.finish(REDIS)
    redis.note("tokens in a store are encrypted here: choose a secret")
    secret = draft.vault.ask(f"16 characters or more of your own, for {redis.where}", "store_secret")
    return draft.store({"redis": keys, "secret": secret})


def _endpoints(redis: At) -> Iterator[str]:
    for list_name, host in (("cluster_nodes", "ip"), ("sentinel_nodes", "host")):
        for node in redis.at(list_name).items():
            yield f"{node.at(host).text() or '127.0.0.1'}:{node.at('port').number() or 6379}"
    if not redis.at("cluster_nodes").given and not redis.at("sentinel_nodes").given:
        yield f"{redis.at('host').text() or '127.0.0.1'}:{redis.at('port').number() or 6379}"
    else:
        redis.either("host", "port")


def _login(redis: At, draft: Draft, start: str) -> Iterator[tuple[str, Value]]:
    if redis.at(f"{start}username").text():
        yield "username", value(redis.at(f"{start}username"), draft)
    if redis.at(f"{start}password").text():
        yield "password", value(redis.at(f"{start}password"), draft, f"redis_{start}password")
