"""Traefik's resources: the imported rules ask for the same tokens, for the same requests."""

import pytest

from clientcreds_proxy.errors import ConfigError
from clientcreds_proxy.migrate.importer import convert
from tests.unit.migrate.importing import Asked, Case, asked, imported, loaded, winner

ORDERS = Asked(
    at="https://tenant.auth0.com/oauth/token",
    basic="my-oauth-client-name:my-password-of-the-docs",
    form={"audience": "https://api.example.com"},
)
STOCK = Asked(
    at="https://idp.example.com/oauth2/token",
    basic="warehouse-app:secret of the warehouse",
    form={"audience": "warehouse"},
)
FIRST = Asked(at="https://idp.example.com/token", basic="first:literal-secret-1", form={"audience": "a"})
SECOND = Asked(at="https://idp.example.com/token", basic="second:literal-secret-2", form={"audience": "b"})
HUB = Asked(at="https://login.example.com/token?tenant=acme", basic="hub-client:p@ss:word with ${dollars}")
CASES = [
    Case(
        file="gateway.yaml",
        mounted={
            "my-secret/clientID": "my-oauth-client-name",
            "my-secret/clientSecret": "my-password-of-the-docs",
        },
        requests={
            "GET https://api.example.com/orders": ORDERS,
            "DELETE https://api.example.com/orders/17?x=y": ORDERS,
            "GET https://api.example.com/orders/health/live": None,
            "GET https://api.example.com/invoices": None,
        },
    ),
    Case(
        file="namespaces.yaml",
        mounted={"idp-client/id": "warehouse-app", "idp-client/secret": "secret of the warehouse"},
        requests={
            "GET https://stock.example.com/v1/items": STOCK,
            "POST https://stock.example.net/v1/items": STOCK,
            "PUT https://stock.example.net/v1/items": None,
            "GET https://stock.example.com/v1/items/1": None,
            "GET https://west.eu.example.com/any?tenant=acme": STOCK,
            "GET https://west.eu.example.com/any": None,
            "GET https://far.west.eu.example.com/any?tenant=acme": None,
            "GET https://other.example.com/": None,
        },
        lost=("IngressRoute/shop/warehouse.items[2].spec.routes[2].middlewares[0]",),
    ),
    Case(
        file="order.yaml",
        environ={"FIRST_CLIENT_SECRET": "literal-secret-1", "SECOND_CLIENT_SECRET": "literal-secret-2"},
        requests={
            "GET https://api.example.com/": FIRST,
            "GET https://api.example.com/reports": SECOND,
            "GET https://api.example.com/reports/2026/05": SECOND,
            "GET https://api.example.com/reports/2025": FIRST,
            "GET https://api.example.com/x": FIRST,
        },
        lost=("Middleware/strip", "IngressRoute/all.spec.routes[3].match"),
    ),
    Case(
        file="version2.yaml",
        environ={"HUB_CLIENT_SECRET": "p@ss:word with ${dollars}"},
        requests={
            "GET https://a.example.com/api/x?region=eu": HUB,
            "GET https://b.example.com/v2?region=eu": HUB,
            "GET https://b.example.com/v2?region=us": None,
            "GET https://b.example.com/v3?region=eu": None,
            "GET https://c.example.com/": None,
        },
        lost=("IngressRoute/hub.spec.routes[1].match",),
    ),
    Case(
        file="unrouted.yaml",
        mounted={"partner/id": "p", "partner/secret": "q"},
        requests={"GET https://x.example.com/": None, "GET https://partner.example.com/my-app": None},
        lost=(
            "Middleware/in-cluster.spec.plugin.oAuthClientCredentials",
            "IngressRoute/partner.spec.routes[0].match",
        ),
    ),
]
IDS = [case.file for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_imported_rules_ask_for_the_same_tokens(case: Case) -> None:
    found = imported("traefik", case.file)

    config = loaded(found, case.environ, case.mounted)

    assert {request: asked(config, request) for request in case.requests} == case.requests
    assert tuple(problem.path for problem in found.lost) == case.lost


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_no_secret_is_written(case: Case) -> None:
    found = imported("traefik", case.file)

    shown = "\n".join([found.config, *map(str, found.lost), *map(str, found.notes)])

    secrets = [*case.environ.values(), *case.mounted.values()]
    assert [secret for secret in secrets if len(secret) > 1 and secret in shown] == []


def test_misspelt_reference_is_carried_over_with_a_note() -> None:
    found = imported("traefik", "gateway.yaml")

    assert "client_id: urn:k8s:secret:my-secret:clientID\n" in found.config
    assert [problem.message for problem in found.notes if problem.path.endswith(".clientSecret")] == [
        "misspelt, as in Traefik's own example: carried over as urn:k8s:secret:NAME:KEY"
    ]


def test_everything_that_the_middleware_says_is_carried_over() -> None:
    found = imported("traefik", "hub.yaml")
    environ = {
        "HUB_REDIS_PASSWORD": "redis-password-in-full",
        "HUB_SENTINEL_PASSWORD": "sentinel-password-in-full",
        "STORE_SECRET": "chosen by whoever imports this",
    }
    mounted = {f"hub/{key}": f"the {key} of the hub" for key in ("id", "secret", "store", "other")}

    config = loaded(found, environ, mounted)

    assert found.lost == ()
    assert set(found.variables) == set(environ)
    rule = winner(config, "GET https://api.example.com/")
    assert rule is not None
    assert rule.claims is not None
    assert [header for header, _ in rule.forward_headers] == ["Group", "Expires-At"]
    assert rule.username_claim is not None
    store, other = config.sources["hub"].store, config.sources["hub-2"].store
    assert store is not None
    assert other is not None
    assert (store.key_prefix, store.redis.endpoints) == ("hub", (("redis-1", 6379), ("redis-2", 6379)))
    assert store.redis.sentinel is not None
    assert (store.redis.username, store.redis.sentinel.master_set) == ("hub", "main")
    assert other.redis.cluster
    for secret in ("redis-password-in-full", "sentinel-password", "secret-of-the-hub", "other-secret"):
        assert secret not in found.config


def test_middleware_without_a_client_lets_callers_bring_their_own() -> None:
    config = loaded(imported("traefik", "application.yaml"), {})

    source = config.sources["oauth2-client-creds"]

    assert source.caller is not None
    assert (source.caller.places, source.client_id) == (("header",), "")


def test_client_settings_are_carried_over() -> None:
    config = loaded(imported("traefik", "namespaces.yaml"), {}, CASES[1].mounted)

    client = config.sources["idp"].client

    assert (client.timeout_seconds, client.max_retries, client.tls.insecure_skip_verify) == (2, 0, True)


UNKNOWN = """\
kind: Middleware
metadata: {name: a}
spec:
  x1: 1
  plugin:
    x2: 2
    oAuthClientCredentials:
      {url: "https://u:in-the-url@h.example/?api_key=k%2Fk-of-url", clientID: a, clientSecret: s, x3: 3}
---
kind: IngressRoute
metadata: {name: r}
spec:
  x4: 4
  entryPoints: [web]
  routes: [{match: Host(`h`), services: [], x5: 5, middlewares: [{name: a, x6: 6}, {name: b}]}]
"""


def test_what_is_not_known_is_reported_where_it_stands() -> None:
    found = convert("traefik", UNKNOWN, "t.yaml")

    paths = [problem.path.rpartition(".")[2] for problem in found.lost]
    assert [path for path in paths if path[0] == "x"] == ["x1", "x2", "x3", "x4", "x5", "x6"]
    assert "middlewares[1]" in paths


def test_secrets_in_the_url_of_tokens_are_not_written() -> None:
    found = convert("traefik", UNKNOWN, "t.yaml")

    assert "?api_key=${env:TOKEN_URL_SECRET_2}" in found.config
    assert not [secret for secret in ("in-the-url", "k-of-url") if secret in f"{found}"]


def test_route_that_never_wins_is_a_comment_with_a_note() -> None:
    found = imported("traefik", "order.yaml")

    assert "#   match: {host: api.example.com, path: /x}\n" in found.config
    assert [problem.path for problem in found.notes if "takes all its requests" in problem.message] == [
        "IngressRoute/all.spec.routes[2]"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1", "t.yaml:1:1: no Kubernetes resources; expected a Middleware and its like"),
        ("kind: {{ .Values.kind }}", "t.yaml:1:7: a template, no resources; expected what `helm template`…"),
        ("kind: A\n---\nkind: A\nkind: B\n", "t.yaml:4:1: duplicate key, first given in line 3"),
    ],
)
def test_other_files_are_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        convert("traefik", text, "t.yaml")

    assert str(raised.value).startswith(said.removesuffix("…"))
