"""`upstream-oauth`: the gateway's own credentials, for the API behind it."""

from collections.abc import Iterator

from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft, Source, Value, filled, one_or_many
from clientcreds_proxy.migrate.kong import names
from clientcreds_proxy.migrate.kong.parts import client, named, params, scopes, store
from clientcreds_proxy.migrate.kong.values import value, values

_DEFAULT_TTL = 3600
_EAGERLY = 5


def upstream_oauth(config: At, draft: Draft, name: str) -> tuple[Source, dict[str, Value]]:
    """The token source, and what its rules say."""
    oauth, cache, behavior = config.at("oauth"), config.at("cache"), config.at("behavior")
    keys = _oauth(oauth, draft, name)
    keys |= dict(_client(config.at("client"), oauth, draft))
    keys["expiry"] = {
        "skew_seconds": _given(cache.at("eagerly_expire"), _EAGERLY),
        "default_ttl_seconds": _given(cache.at("default_ttl"), _DEFAULT_TTL),
    }
    if cache.at("strategy").text() == "redis":
        keys["store"] = store(cache.at("redis"), draft)
    else:
        cache.either("redis", "memory")
    cache.finish(("redis", "memory"))
    rule = dict(_behavior(behavior))
    for each in (oauth, behavior, config):
        each.finish(names.OAUTH_BEHAVIOR if each is behavior else ())
    return draft.source(Source(hint=name, keys=keys, at=config)), rule


def _oauth(oauth: At, draft: Draft, name: str) -> dict[str, Value]:
    extra = params(list(oauth.at("token_post_args").members()), draft, name, audience=oauth.at("audience"))
    grant = oauth.at("grant_type").text()
    if grant != "client_credentials":
        extra["grant_type"] = grant
    extra |= filled(
        {
            "username": value(oauth.at("username"), draft),
            "password": value(oauth.at("password"), draft, name, "password"),
        }
    )
    headers = named(list(oauth.at("token_headers").members()), draft, name)
    return filled(
        {
            "token_url": value(oauth.at("token_endpoint"), draft),
            "client_id": value(oauth.at("client_id"), draft),
            "client_secret": value(oauth.at("client_secret"), draft, name, "client_secret"),
            "scopes": scopes(oauth.at("scopes"), draft),
            "audience": one_or_many(values(oauth.at("audience"), draft, [])),
            "endpoint_params": filled(extra),
            "token_request": filled({"headers": headers}),
        }
    )


def _client(at: At, oauth: At, draft: Draft) -> Iterator[tuple[str, Value]]:
    method = at.at("auth_method").text() or "client_secret_post"
    yield "client_auth", method
    algorithm = at.at("client_secret_jwt_alg").text() or "HS512"
    if method == "client_secret_jwt":
        yield "assertion", {"algorithm": algorithm}
    found = dict(client(at, draft, token_url=oauth.at("token_endpoint").text()))
    if found:
        yield "client", found
    at.finish(names.OAUTH_CLIENT)


def _behavior(at: At) -> Iterator[tuple[str, Value]]:
    header = at.at("upstream_access_token_header_name").text() or "Authorization"
    if header.lower() != "authorization":
        yield "attach", {"header": header}
    codes = at.at("purge_token_on_upstream_status_codes")
    if not codes.given:
        return
    numbers = [item.number() for item in codes.items()]
    if 401 not in numbers:
        yield "on_unauthorized", "pass"
    if [number for number in numbers if number != 401]:
        codes.lost("only a 401 drops a token here")


def _given(at: At, otherwise: int) -> float:
    number = at.number()
    return otherwise if number is None else number
