"""What all importers owe: no request gets a token that the gateway would not have given one."""

import json

import pytest

from clientcreds_proxy.migrate.importer import Gateway
from tests.unit.migrate.bootstrap import envoy
from tests.unit.migrate.importing import tokens

TRAEFIK = """
kind: Middleware
metadata: {name: app}
spec:
  plugin:
    oAuthClientCredentials: {url: "https://idp.example.com/t", clientID: app, clientSecret: long-secret}
---
kind: Middleware
metadata: {name: strip}
spec: {stripPrefix: {prefixes: [/v1]}}
---
kind: Middleware
metadata: {name: inner}
spec: {chain: {middlewares: [{name: strip}, {name: app}]}}
---
kind: Middleware
metadata: {name: outer}
spec: {chain: {middlewares: [{name: inner}]}}
---
kind: Middleware
metadata: {name: ring}
spec: {chain: {middlewares: [{name: ring}]}}
---
kind: IngressRoute
metadata: {name: app}
spec: {routes: ROUTES}
"""
KONG = """
_format_version: "3.0"
_info: {defaults: {service: {protocol: https, port: 8443}, route: {strip_path: false}}}
consumers:
  - username: alice
    plugins: [{name: upstream-oauth, config: {}}, {name: cors}]
services:
  - {name: off, url: https://off.example.com, enabled: false, routes: [{name: off}], plugins: [&oauth PLUGIN]}
  - name: app
    host: app.example.com
    routes: [{name: slash, paths: [/a/]}, {name: star, paths: ["/b/*"]}]
    plugins: [*oauth]
  - {name: url, url: "http://127.0.0.1:9000", routes: [{name: url}], plugins: [*oauth]}
  - {name: some, host: targets, protocol: http, port: 80, routes: [{name: some}], plugins: [*oauth]}
upstreams:
  - {name: targets, targets: [{target: "one.example.com:80"}, {target: "two.example.com:80", weight: 0}]}
""".replace(
    "PLUGIN",
    "{name: upstream-oauth, config: {oauth: {token_endpoint: https://idp.example.com/t, client_id: a, "
    "client_secret: long-secret, scopes: [a b, c]}}}",
)


@pytest.mark.parametrize(
    ("gateway", "text"),
    [
        (
            "traefik",
            TRAEFIK.replace(
                "ROUTES",
                "[{match: Host(`api.example.com`) && PathPrefix(`/a/`), middlewares: [{name: app}]}]",
            ),
        ),
        ("kong", KONG.replace("host: app.", "url: https://api.")),
        ("envoy", envoy([{"match": {"prefix": "/a/"}, "route": {"cluster": "api"}}])),
    ],
)
def test_prefix_with_a_slash_at_its_end_is_not_the_path_without_it(gateway: Gateway, text: str) -> None:
    api = "GET https://api.example.com"

    _, given = tokens(gateway, text, f"{api}/a", f"{api}/a/", f"{api}/a/b", f"{api}/a/b/c/", f"{api}/ab")

    assert [*given.values()] == [False, True, True, True, False]


def test_label_of_a_named_expression_is_one_label() -> None:
    """Traefik 2's HostRegexp(`{tenant:[a-z]+}.example.com`)."""
    text = TRAEFIK.replace(
        "ROUTES", "[{match: 'HostRegexp(`{t:[a-z0-9-]+}.example.com`)', middlewares: [{name: app}]}]"
    )

    _, given = tokens("traefik", text, "GET https://a-1.example.com/", "GET https://a.b.example.com/")

    assert [*given.values()] == [True, False]


def test_chain_stands_for_its_middlewares() -> None:
    routes = (
        "[{match: Host(`a.example`), middlewares: [{name: outer}]}, "
        "{match: Host(`b.example`), middlewares: [{name: ring}]}]"
    )

    found, given = tokens(
        "traefik", TRAEFIK.replace("ROUTES", routes), "GET https://a.example/", "GET https://b.example/"
    )

    assert [*given.values()] == [True, False]
    assert {problem.path: problem.message for problem in found.lost} == {
        "Middleware/strip": "only oAuthClientCredentials is carried over of all middlewares",
        "Middleware/ring.spec.chain.middlewares[0]": "this chain leads to itself",
    }


def test_what_kong_does_not_serve_gets_no_token() -> None:
    found, given = tokens(
        "kong",
        KONG,
        "GET https://off.example.com/",
        "GET http://one.example.com/",
        "GET http://two.example.com/",
    )

    assert [*given.values()] == [False, True, False]
    assert [problem.message for problem in found.notes if problem.path == "services[0].enabled"] == [
        "Kong does not serve it: its routes are left out"
    ]
    assert {problem.path: problem.message for problem in found.lost} == {
        "consumers[0].plugins[0]": "for some callers only: a rule is for all of them",
        "services[1].routes[1]": "a path with * or braces, which stand for themselves in Kong",
    }


def test_defaults_of_deck_are_filled_in() -> None:
    """Without them the service would be one over plain http, and `strip_path` on."""
    _, given = tokens(
        "kong",
        KONG,
        *("GET https://app.example.com:8443/a/x", "GET http://app.example.com/a/x"),
        *("GET https://app.example.com:8443/x", "GET http://127.0.0.1:9000/"),
    )

    assert [*given.values()] == [True, False, False, True]


def test_scopes_in_one_text_are_several() -> None:
    found, _ = tokens("kong", KONG)

    assert "scopes: [a, b, c]" in found.config


def _backend(pattern: str, client: str, scheme: str) -> dict[str, object]:
    oauth = {
        "client_id": client,
        "client_secret": f"secret-of-{client}",
        "token_url": f"{scheme}://i.example/t",
    }
    backend = {
        "host": ["https://api.example.com"],
        "url_pattern": pattern,
        "extra_config": {"auth/client-credentials": oauth},
    }
    return {"endpoint": pattern, "backend": [backend]}


def test_requests_of_a_rule_that_is_refused_get_no_others_token() -> None:
    endpoints = [
        _backend("/orders/{id}", "refused", "http"),
        _backend("/{a}/{b}", "all", "https"),
        _backend("/alone", "refused", "http"),
    ]

    found, given = tokens(
        "krakend",
        json.dumps({"version": 3, "endpoints": endpoints}),
        *("GET https://api.example.com/orders/1", "GET https://api.example.com/bills/1"),
    )

    assert [*given.values()] == [False, True]
    assert found.config.count("its own rule is a comment") == 1
    assert len(found.lost) == 1
