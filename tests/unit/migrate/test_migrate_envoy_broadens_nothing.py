"""Which requests of Envoy's get a token, where its routes and clusters say more than a rule can."""

import json

from clientcreds_proxy.migrate.importer import convert
from tests.unit.migrate.bootstrap import envoy
from tests.unit.migrate.importing import loaded, tokens, winner


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
