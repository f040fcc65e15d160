"""`openid-connect` with the client credentials grant: callers bring their own id and secret."""

from collections.abc import Iterator, Mapping

from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft, Source, Value, filled, one_or_many
from clientcreds_proxy.migrate.kong import names
from clientcreds_proxy.migrate.kong.parts import client, named, pairs, params, scopes, store
from clientcreds_proxy.migrate.kong.values import value, values

_WELL_KNOWN = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
_PLACES = ("header", "query", "body")
_HEADER = "authorization:bearer"
_DEFAULT_TTL = 3600
_FOR_CALLERS = ("client_secret_basic", "client_secret_post", "client_secret_jwt")
# What means something, and has no counterpart.
_CLIENTS = "nothing of the client's request goes to the authorization server, or back"
_HEADERS = "no header for this is set here"
_LIVES = "tokens are used until shortly before they expire: see expiry.skew_seconds"
_LOST: Mapping[str, str] = {
    **dict.fromkeys(("token_post_args_client", "token_headers_client", "token_headers_replay"), _CLIENTS),
    **dict.fromkeys(("cache_ttl_max", "cache_ttl_min"), _LIVES),
    **{f"upstream_{name}_header": _HEADERS for name in ("access_token_jwk", "id_token", "id_token_jwk")},
    **{f"upstream_{name}_header": _HEADERS for name in ("introspection", "introspection_jwt")},
    **{
        f"upstream_{name}_header": _HEADERS
        for name in ("refresh_token", "session_id", "user_info", "user_info_jwt")
    },
}


def grants_client_credentials(config: At) -> bool:
    """Whether the plugin takes client credentials at all."""
    methods = config.at("auth_methods")
    return not methods.given or "client_credentials" in methods.texts()


def openid_connect(config: At, draft: Draft, name: str) -> tuple[Source, dict[str, Value]]:
    """The token source, and what its rules say."""
    keys = _source(config, draft, name)
    rule = _rule(config)
    _report(config, draft)
    config.finish(names.OIDC, starts=names.OIDC_STARTS)
    draft.remark("callers without credentials are answered with 401 and WWW-Authenticate: Basic")
    return draft.source(Source(hint=name, keys=keys, at=config)), rule


def _source(config: At, draft: Draft, name: str) -> dict[str, Value]:
    endpoint = config.at("token_endpoint")
    extra = pairs(config.at("token_post_args_names"), config.at("token_post_args_values"))
    headers = pairs(config.at("token_headers_names"), config.at("token_headers_values"))
    shares = (
        config.at("cluster_cache_strategy").text() == "redis"
        and "tokens" in config.at("cluster_cache_items").texts()
    )
    asked = endpoint.text() or config.at("issuer").text()
    return filled(
        {
            "issuer": _issuer(config, draft),
            "token_url": value(endpoint, draft),
            "caller": dict(_caller(config)),
            **_method(config),
            "scopes": scopes(config.at("scopes"), draft),
            "audience": one_or_many(values(config.at("audience"), draft, [])),
            "endpoint_params": params(extra, draft, name, audience=config.at("audience")),
            "token_request": filled({"headers": named(headers, draft, name)}),
            "expiry": {"default_ttl_seconds": config.at("cache_ttl").number() or _DEFAULT_TTL},
            "client": dict(client(config, draft, token_url=asked)),
            "verify": _verify(config),
            "store": store(config.at("cluster_cache_redis"), draft) if shares else None,
        }
    )


def _report(config: At, draft: Draft) -> None:
    """Say what of the configuration has no counterpart."""
    others = [each for each in config.at("auth_methods").texts() if each != "client_credentials"]
    if others:
        config.at("auth_methods").lost("only client_credentials is carried over of the ways to authenticate")
    for key in _LOST:
        at = config.at(key)
        if at.given and at.value != []:
            at.lost(_LOST[key])
    if config.at("cache_tokens").given and not config.at("cache_tokens").flag():
        config.at("cache_tokens").lost("tokens are always cached here")
    if config.at("client_secret").given:  # of Kong's other grants
        for item in config.at("client_secret").items():
            draft.vault.learn(item.text())
        config.at("client_secret").note("serves Kong's other grants: here each caller brings its own")
    config.either("client_id", "client_jwk")


def _issuer(config: At, draft: Draft) -> Value:
    found = value(config.at("issuer"), draft)
    if config.at("using_pseudo_issuer").flag():
        return None
    if isinstance(found, str):
        for end in _WELL_KNOWN:
            found = found.removesuffix(end)
    return found


def _method(config: At) -> dict[str, Value]:
    given = config.at("client_auth")
    method = config.at("token_endpoint_auth_method").text() or next(iter(given.texts()), "")
    algorithm = next(iter(config.at("client_alg").texts()), "")
    if method and method not in _FOR_CALLERS:
        given.lost("a caller's secret can't be used in this way; here it is client_auth: auto")
        return {}
    signed = {"algorithm": algorithm} if method == "client_secret_jwt" and algorithm else None
    return filled({"client_auth": method, "assertion": dict(signed) if signed else None})


def _caller(config: At) -> Iterator[tuple[str, Value]]:
    places = config.at("client_credentials_param_type")
    given = places.texts() if places.given else [*_PLACES]
    yield "from", [place for place in _PLACES if place in given]
    if config.at("hide_credentials").given and not config.at("hide_credentials").flag():
        yield "hide_credentials", False


def _verify(config: At) -> dict[str, Value]:
    """What Kong asks of a token beside being one."""
    verify = filled(
        {"issuer": _only_issuer(config), "audience": _audience(config), "scopes_required": _scopes(config)}
    )
    signature, ignored = config.at("verify_signature"), config.at("ignore_signature").texts()
    leeway = config.at("leeway").number()
    if verify and ((signature.given and not signature.flag()) or "client_credentials" in ignored):
        verify["signature"] = False
    if verify and leeway is not None:
        verify["leeway_seconds"] = leeway
    return verify


def _only_issuer(config: At) -> Value:
    issuers = config.at("issuers_allowed").texts()
    if len(issuers) > 1:
        config.at("issuers_allowed").lost("verify.issuer takes one issuer")
        return None
    return next(iter(issuers), None)


def _audience(config: At) -> Value:
    given = config.at("audience_required")
    if any(" " in text for text in given.texts()) or not _is_default(config, "audience", "aud"):
        given.lost("verify.audience takes a list, of which one must be in the claim aud")
        return None
    return list(given.texts())


def _scopes(config: At) -> Value:
    given = config.at("scopes_required")
    if len(given.texts()) > 1 or not _is_default(config, "scopes", "scope"):
        given.lost("verify.scopes_required takes a list, of which all must be in the claim scope")
        return None
    return [word for text in given.texts() for word in text.split()]


def _is_default(config: At, kind: str, claim: str) -> bool:
    given = config.at(f"{kind}_claim")
    asked = config.at(f"{kind}_required").texts()
    return not asked or not given.given or given.texts() == [claim]


def _rule(config: At) -> dict[str, Value]:
    header, _, scheme = (config.at("upstream_access_token_header").text() or _HEADER).partition(":")
    is_usual = f"{header}:{scheme}".lower() == _HEADER
    claims = [each for kind in ("groups", "roles") if (each := _required(config, kind))]
    flat = pairs(config.at("upstream_headers_names"), config.at("upstream_headers_claims"))
    headers: dict[str, Value] = {name: claim.text() for name, claim in flat}
    for entry in config.at("upstream_headers").items():
        headers[entry.at("header").text()] = _path(entry.at("path").texts())
        entry.finish()
    return filled(
        {
            "attach": None if is_usual else {"header": header, "scheme": scheme.capitalize()},
            "claims": " && ".join(f"({each})" for each in claims) if len(claims) > 1 else "".join(claims),
            "forward_headers": headers,
            "username_claim": _path(config.at("credential_claim").texts()),
        }
    )


def _required(config: At, kind: str) -> str:
    """Kong's list as an expression: one of its entries, and of that every word."""
    path = _path(config.at(f"{kind}_claim").texts() or [kind])
    choices = [
        " && ".join(f"Contains(`{path}`, `{word}`)" for word in entry.split())
        for entry in config.at(f"{kind}_required").texts()
    ]
    return " || ".join(f"({each})" if " && " in each else each for each in choices)


def _path(segments: list[str]) -> str:
    return ".".join(segment.replace("\\", "\\\\").replace(".", "\\.") for segment in segments)
