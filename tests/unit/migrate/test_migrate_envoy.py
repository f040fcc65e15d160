"""Envoy's files: the imported rules ask for the same tokens, for the same requests."""

import pytest

from clientcreds_proxy.errors import ConfigError
from clientcreds_proxy.migrate.importer import Imported, convert
from tests.unit.migrate.importing import HERE, Asked, Case, asked, imported, loaded, winner

ORDERS = Asked(at="https://idp.example.com/oauth/token", basic="orders:secret-in-the-bootstrap")
WAREHOUSE = Asked(
    at="https://idp.example.com/token",
    form={
        "client_id": "warehouse",
        "client_secret": "given by SDS",
        "scope": "read write",
        "audience": "warehouse",
        "resource": ["https://a.example", "https://b.example"],
    },
)
LEDGER = Asked(at="https://idp.example.com:8443/token", basic="ledger:s e+c")
STOCK = Asked(at="http://127.0.0.1:9000/token", basic="stock:secret of a file")
CASES = [
    Case(
        file="sidecar.yaml",
        environ={"CLIENT_SECRET": "secret-in-the-bootstrap"},
        requests={
            "GET https://api.example.com/orders/1": ORDERS,
            "POST http://api.example.com/orders": ORDERS,
            "GET https://api.example.com/health": None,
            "GET https://idp.example.com/": None,
        },
    ),
    Case(
        file="upstream.json",
        environ={"WAREHOUSE_SECRET": "given by SDS"},
        requests={
            "GET https://warehouse.example.com:8443/items": WAREHOUSE,
            "GET https://warehouse.example.com/items": None,
        },
    ),
    Case(
        file="domains.yaml",
        environ={"LEDGER_SECRET": "s e+c"},
        requests={
            "POST https://ledger.example.com/api/bills": LEDGER,
            "GET https://ledger.example.com/anything": LEDGER,
            "POST https://ledger.local/v2/bills": LEDGER,
            "GET https://ledger.local/v2/bills": None,
            "POST https://eu.ledger.local/v2": LEDGER,
            "GET https://ledger-2.example.com:9443/search?kind=bill": LEDGER,
            "GET https://ledger-2.example.com:9443/search?kind=other": None,
            "GET https://ledger-2.example.com:9443/other": None,
        },
    ),
    Case(
        file="plain.yaml",
        environ={"STOCK": "secret of a file", "X_API_KEY": "key-of-the-stock"},
        requests={
            "GET http://stock.internal:8080/v1/items": STOCK,
            "GET http://stock.internal:8080/v2/items": None,
            "GET http://stock.internal:8080/v3/items": None,
            "GET http://stock.internal:8080/old": None,
        },
        lost=(
            (
                "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config"
                ".virtual_hosts[0].routes[1].match"
            ),
            (
                "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config"
                ".virtual_hosts[0].routes[2].match"
            ),
            (
                "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config"
                ".virtual_hosts[0].routes[4].route"
            ),
            "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[1]",
        ),
    ),
    Case(
        file="elsewhere.yaml",
        environ={"RDS": "a", "API": "b"},
        requests={"GET https://api.example.com/": None},
        lost=(
            "dynamic_resources",
            "static_resources.listeners[0].filter_chains[0].filters[0].typed_config",
            (
                "static_resources.listeners[0].filter_chains[1].filters[0].typed_config.http_filters[0]"
                ".typed_config.credential"
            ),
            (
                "static_resources.listeners[0].filter_chains[2].filters[0].typed_config.http_filters[0]"
                ".typed_config.credential.typed_config"
            ),
        ),
    ),
]
IDS = [case.file for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_imported_rules_ask_for_the_same_tokens(case: Case) -> None:
    found = imported("envoy", case.file)

    config = loaded(found, case.environ)

    assert {request: asked(config, request) for request in case.requests} == case.requests
    assert tuple(problem.path for problem in found.lost) == case.lost


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_no_secret_is_written(case: Case) -> None:
    found = imported("envoy", case.file)

    shown = "\n".join([found.config, *map(str, found.lost), *map(str, found.notes)])

    assert [secret for secret in case.environ.values() if len(secret) > 1 and secret in shown] == []


def test_filter_settings_are_those_of_the_rule() -> None:
    config = loaded(imported("envoy", "sidecar.yaml"), CASES[0].environ)

    rule = winner(config, "GET https://api.example.com/orders/1")

    assert rule is not None
    assert (rule.attach.when_present, rule.on_token_failure) == ("replace", "pass_without_token")
    assert rule.upgrade_to_https
    assert len(rule.modifiers) == 1


def test_without_overwrite_the_clients_own_header_is_kept() -> None:
    config = loaded(imported("envoy", "upstream.json"), CASES[1].environ)

    rule = winner(config, "GET https://warehouse.example.com:8443/items")

    assert rule is not None
    assert (rule.attach.when_present, rule.on_token_failure) == ("keep", "refuse")
    assert config.sources["warehouse"].client.timeout_seconds == 0.5


def changed(before: str, after: str) -> Imported:
    text = (HERE / "envoy" / "plain.yaml").read_text()
    assert before in text
    return convert("envoy", text.replace(before, after), "e.yaml")


@pytest.mark.parametrize(
    "other",
    [
        "{name: ':method', exact_match: GET, invert_match: true}",
        "{name: ':method', string_match: {exact: GET, ignore_case: true}}",
    ],
)
def test_condition_that_is_not_one_text_gives_no_token(other: str) -> None:
    plain = "{name: ':method', exactMatch: GET, invertMatch: false}"

    found = changed("{prefix: /v1/}", f"{{prefix: /v1/, headers: [{plain}]}}")
    switched_off = changed("{prefix: /v1/}", f"{{prefix: /v1/, headers: [{other}]}}")

    said = "no rule can say headers: without it a token would go to more requests"
    assert "\n      methods: [GET]\n" in found.config
    assert said not in [problem.message for problem in found.lost]
    assert said in [problem.message for problem in switched_off.lost]
    assert "\n      methods:" not in switched_off.config


@pytest.mark.parametrize(
    "action", ["{cluster_header: X}", "{weighted_clusters: {clusters: [{cluster_header: X}, {name: stock}]}}"]
)
def test_cluster_that_is_chosen_later_is_reported(action: str) -> None:
    found = changed("{cluster: stock}", action)

    assert "a cluster that is chosen for each request" in [problem.message for problem in found.lost]


def test_secret_in_the_url_of_tokens_is_not_written() -> None:
    found = changed("http://127.0.0.1/token", "http://127.0.0.1/token?api_key=key-in-the-url")

    assert "key-in-the-url" not in f"{found}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1", "e.yaml:1:1: no bootstrap of Envoy; expected static_resources with listeners and clusters"),
        ("[]", "e.yaml:1:1: no bootstrap of Envoy; expected static_resources with listeners and clusters"),
        (
            "static_resources:\n  {{ .x }}: [",
            "e.yaml:2:3: a template, no configuration; expected what Envoy…",
        ),
    ],
)
def test_other_files_are_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        convert("envoy", text, "e.yaml")

    assert str(raised.value).startswith(said.removesuffix("…"))
