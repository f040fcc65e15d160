"""What all importers owe: no request gets a token that the gateway would not have given one."""

import json
from collections.abc import Mapping

import pytest

from clientcreds_proxy.migrate.importer import Gateway, Imported, convert
from tests.unit.migrate.importing import loaded, winner

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
TYPE = "type.googleapis.com/envoy.extensions"


def cluster(name: str, **keys: object) -> dict[str, object]:
    address = {"socket_address": {"address": f"{name}.example.com", "port_value": 443}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {"name": name, "load_assignment": {"endpoints": endpoints}, **keys}


def socket(kind: str, **keys: object) -> dict[str, object]:
    return {"transport_socket": {"typed_config": {"@type": f"{TYPE}.transport_sockets.v3.{kind}", **keys}}}


def envoy(routes: list[object], others: tuple[object, ...] = ()) -> str:
    """A bootstrap whose first virtual host has these routes."""
    endpoint = {"cluster": "idp", "uri": "https://idp.example.com/t", "timeout": "1s"}
    oauth = {
        "@type": f"{TYPE}.http.injected_credentials.oauth2.v3.OAuth2",
        "token_endpoint": endpoint,
        "client_credentials": {"client_id": "app", "client_secret": {"name": "app"}},
    }
    injector = {"@type": f"{TYPE}.CredentialInjector", "credential": {"typed_config": oauth}}
    hosts = [{"name": "app", "domains": ["*"], "routes": routes}, *others]
    manager = {
        "@type": f"{TYPE}.HttpConnectionManager",
        "route_config": {"virtual_hosts": hosts},
        "http_filters": [{"name": "envoy.filters.http.credential_injector", "typed_config": injector}],
    }
    tls = socket("UpstreamTlsContext")
    clusters = [
        cluster("api", **tls),
        cluster("other", **tls),
        cluster("raw", **socket("RawBuffer")),
        cluster("wrapped", **socket("Http11ProxyUpstreamTransport", **tls)),
        cluster(
            "chosen", transport_socket_matches=[{"name": "a", **socket("RawBuffer")}, {"name": "b", **tls}]
        ),
    ]
    listeners = [{"filter_chains": [{"filters": [{"typed_config": manager}]}]}]
    return json.dumps({"static_resources": {"listeners": listeners, "clusters": clusters}})


def tokens(gateway: Gateway, text: str, *requests: str) -> tuple[Imported, Mapping[str, bool]]:
    """What was imported, and which of the requests get a token."""
    found = convert(gateway, text, "gateway.yaml")
    config = loaded(found, dict.fromkeys(found.variables, "0123456789abcdef"))
    rules = {request: winner(config, request) for request in requests}
    return found, {request: bool(rule and rule.token_source) for request, rule in rules.items()}


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


def test_token_goes_over_tls_where_any_transport_socket_of_the_cluster_speaks_it() -> None:
    routes: list[object] = [
        {"match": {"prefix": f"/{name}"}, "route": {"cluster": name}} for name in ("raw", "wrapped", "chosen")
    ]

    found, _ = tokens("envoy", envoy(routes))

    assert found.config.count("allow_plain_http: true") == 1
    assert found.config.count("upgrade_to_https: true") == 2


def test_conditions_of_envoy_that_no_rule_can_say_switch_the_rule_off() -> None:
    twice = [{"name": "t", "string_match": {"exact": value}} for value in "ab"]
    methods = [{"name": ":method", "string_match": {"exact": value}} for value in ("GET", "PUT")]
    routes: list[object] = [
        {"match": {"prefix": "/q", "query_parameters": twice}, "route": {"cluster": "api"}},
        {"match": {"prefix": "/m", "headers": methods}, "route": {"cluster": "api"}},
        {"match": {"path": "/s/*"}, "route": {"cluster": "api"}},
        {"match": {"path": "/c", "case_sensitive": False}, "route": {"cluster": "api"}},
    ]
    api = "https://api.example.com"

    found, given = tokens(
        "envoy", envoy(routes), f"GET {api}/q?t=b", f"PUT {api}/m", f"GET {api}/s/x", f"GET {api}/c"
    )

    assert [*given.values()] == [False, False, False, True]
    assert [problem.message.partition(":")[0] for problem in found.lost] == [
        "no rule can say query_parameters",
        "no rule can say headers",
        "no rule can say * and braces in paths",
    ]
    assert "paths are told apart by case here" in [problem.message for problem in found.notes]


def test_what_only_one_of_several_clusters_has_is_reported() -> None:
    header = [{"header": {"key": "X-A", "raw_value": "YQ=="}}]
    clusters = [
        {"name": "api", "weight": 1, "request_headers_to_add": header},
        {"name": "other", "weight": 0},
    ]
    routes: list[object] = [
        {
            "match": {"prefix": "/"},
            "route": {"weighted_clusters": {"clusters": clusters}},
            "request_headers_to_add": header,
        }
    ]

    found, given = tokens(
        "envoy", envoy(routes), "GET https://api.example.com/", "GET https://other.example.com/"
    )

    assert [*given.values()] == [True, False]
    assert [problem.path.rpartition("].")[2] for problem in found.lost] == [
        "request_headers_to_add",
        "request_headers_to_add[0]",
    ]


def test_other_virtual_host_that_takes_requests_without_a_token_is_reported() -> None:
    """Their names told them apart in Envoy; the API's own does not."""
    disabled = {"envoy.filters.http.credential_injector": {"disabled": True}}
    routes: list[object] = [
        {"match": {"path": "/open"}, "route": {"cluster": "api"}, "typed_per_filter_config": disabled}
    ]
    named = {
        "name": "named",
        "domains": ["named.example.com", "a*"],
        "matcher": {},
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "api"}}],
    }

    found, given = tokens(
        "envoy", envoy(routes, (named,)), "GET https://api.example.com/open", "GET https://named.example.com/"
    )

    assert [*given.values()] == [True, True]
    assert [problem.message.rpartition(": ")[2] for problem in found.lost] == [
        "here the API's own host does not tell the two apart",
        "a domain that no rule can say",
        "routes are read from lists alone",
    ]


def test_filters_that_routes_switch_on_and_off_by_their_names_do_so() -> None:
    """Envoy Gateway writes one disabled filter for each route."""
    boot = json.loads(envoy([]))
    manager = boot["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    injector = json.dumps(manager["http_filters"][0]["typed_config"])
    manager["http_filters"] = [
        {"name": "first", "typed_config": json.loads(injector)},
        {"name": "second", "disabled": True, "typed_config": json.loads(injector.replace("app", "second"))},
    ]
    settings: dict[str, dict[str, object]] = {
        "/off": {"first": {"disabled": True}},
        "/second": {"first": {"disabled": True}, "second": {"config": {"@type": "x"}}},
        "/both": {"second": {"config": {"mystery": 1}}},
    }
    hosts = manager["route_config"]["virtual_hosts"]
    hosts[0]["routes"] = [
        {"match": {"path": path}, "route": {"cluster": "api"}, "typed_per_filter_config": config}
        for path, config in settings.items()
    ] + [{"match": {"prefix": "/"}, "route": {"cluster": "api"}}]

    found = convert("envoy", json.dumps(boot), "gateway.yaml")

    config = loaded(found, dict.fromkeys(found.variables, "0123456789abcdef"))
    rules = (winner(config, f"GET https://api.example.com{path}") for path in (*settings, "/"))
    assert [rule and rule.token_source for rule in rules] == [None, "second", "app", "app"]
    assert [problem.message for problem in found.lost] == [
        "several filters attach tokens: the first one's is carried over",
        "settings of the filter for some routes",
    ]
