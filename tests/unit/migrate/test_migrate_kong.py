"""Kong's files: the imported rules ask for the same tokens, for the same requests."""

import pytest

from clientcreds_proxy.errors import ConfigError
from clientcreds_proxy.migrate.importer import convert
from tests.unit.migrate.importing import Asked, Case, asked, imported, loaded, winner

PARTNER = Asked(
    at="https://idp.example.com/oauth2/token",
    basic="partner-app:deck's secret",
    form={
        "scope": "orders reports",
        "audience": "partner",
        "tenant": "acme",
        "api_key": "key-of-the-partner",
    },
    header="X-Partner-Token: Bearer",
)


def posted(client: str, secret: str, **form: str) -> Asked:
    return Asked(
        at="https://idp.example.com/token", form={"client_id": client, "client_secret": secret, **form}
    )


BILLING = posted("billing", "secret-of-billing", scope="openid")
REFUNDS = posted("refunds", "secret-of-refunds")
STOCK = posted("global", "secret-for-all", scope="openid")
API = posted("api", "the-secret-of-api", scope="openid")
MAIL = Asked(
    at="https://login.example.com/t/token",
    form={
        "grant_type": "password",
        "client_id": "robot",
        "client_secret": "from the vault",
        "scope": "openid mail",
        "username": "robot@example.com",
        "password": "from the other vault",
    },
)
CASES = [
    Case(
        file="partner.yaml",
        environ={"DECK_PARTNER_SECRET": "deck's secret", "PARTNER_API_KEY": "key-of-the-partner"},
        requests={
            "GET https://partner.example.com/v2/17": PARTNER,
            "POST https://partner.example.com/v2": PARTNER,
            "PUT https://partner.example.com/v2/17": None,
            "GET https://partner.example.com/v2/reports/2026": PARTNER,
            "GET https://partner.example.com/v1": None,
            "GET https://gateway.example.com/reports/2026": PARTNER,
            "GET https://gateway.example.com/partner/orders": None,
        },
        lost=("services[0].plugins[0].config.behavior.purge_token_on_upstream_status_codes",),
    ),
    Case(
        file="scopes.yaml",
        environ={
            "UPSTREAM_OAUTH_CLIENT_SECRET": "secret-for-all",
            "BILLING_CLIENT_SECRET": "secret-of-billing",
            "REFUNDS_CLIENT_SECRET": "secret-of-refunds",
        },
        requests={
            "GET https://billing.example.com:8443/invoices/1": BILLING,
            "GET https://billing.example.com:8443/refunds": REFUNDS,
            "GET https://billing.example.com/refunds": None,
            "GET https://stock-1.example.com/items": STOCK,
            "GET https://stock-2.example.com:9443/": STOCK,
        },
    ),
    Case(
        file="dump.yaml",
        environ={"ROBOT_SECRET": "from the vault", "MAIL_PASSWORD": "from the other vault"},
        requests={
            "GET http://mail.internal:8080/inbox": MAIL,
            "GET https://mail.example.com/v1/inbox": MAIL,
            "GET https://a.b.mail.example.com/api/inbox": MAIL,
            "GET https://mail.example.com/v2": None,
        },
    ),
    Case(
        file="conditions.yaml",
        environ={"API_CLIENT_SECRET": "the-secret-of-api"},
        requests={
            "GET https://api.example.com/open/1": API,
            "GET https://api.example.com/a": None,
            "GET https://api.example.com/users/1": None,
            "GET https://api.example.com/wild": API,
            "GET https://bearer.example.com/": None,
        },
        lost=(
            "services[0].tls_verify",
            "services[0].routes[0]",
            "services[0].routes[1]",
            "services[0].routes[3]",
            "services[0].plugins[1]",
            "services[0].plugins[2]",
            "services[1].plugins[0]",
        ),
    ),
]
IDS = [case.file for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_imported_rules_ask_for_the_same_tokens(case: Case) -> None:
    found = imported("kong", case.file)

    config = loaded(found, case.environ)

    assert {request: asked(config, request) for request in case.requests} == case.requests
    assert tuple(problem.path for problem in found.lost) == case.lost


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_no_secret_is_written(case: Case) -> None:
    found = imported("kong", case.file)

    shown = "\n".join([found.config, *map(str, found.lost), *map(str, found.notes)])

    assert [secret for secret in case.environ.values() if secret in shown] == []


def test_settings_of_the_token_are_carried_over() -> None:
    config = loaded(imported("kong", "partner.yaml"), CASES[0].environ)

    spec = config.sources["partner"]

    assert (spec.expiry.skew_seconds, spec.expiry.default_ttl_seconds) == (7, 60)
    assert spec.token_request.headers == (("X-Tenant", "acme"),)
    assert spec.client.timeout_seconds == 3


def test_a_token_that_is_never_purged_is_kept_after_a_401() -> None:
    config = loaded(imported("kong", "dump.yaml"), CASES[2].environ)

    rule = winner(config, "GET http://mail.internal:8080/inbox")

    assert rule is not None
    assert (rule.on_unauthorized, rule.allow_plain_http) == ("pass", True)


def test_callers_bring_their_own_credentials() -> None:
    """Kong's tutorial: its own client serves other grants, and is not carried over."""
    found = imported("kong", "tutorial.yaml")

    assert found.lost == ()
    assert found.variables == ()
    assert "tutorials-own-secret" not in found.config
    assert (
        """
  example-route:
    issuer: https://keycloak.example.com/realms/master
    caller:
      from: [header]
    client_auth: client_secret_post
    scopes: [openid]
    expiry: {default_ttl_seconds: 3600}
"""
        in found.config
    )


def test_everything_that_openid_connect_says_about_callers_is_carried_over() -> None:
    found = imported("kong", "oidc.yaml")
    environ = {"REPORTS_PIN": "123456789", "REDIS_PASSWORD": "password-of-redis", "STORE_SECRET": "s" * 16}

    config = loaded(found, environ)

    spec = config.sources["reports"]
    assert spec.caller is not None
    assert (spec.caller.places, spec.caller.hide_credentials) == (("header", "query"), False)
    assert (spec.client_auth, spec.scopes, spec.audience) == (
        "client_secret_basic",
        ("reports", "audit"),
        ("reports",),
    )
    assert dict(spec.endpoint_params) == {"tenant": ("acme",), "pin": ("123456789",)}
    assert spec.verify is not None
    assert (spec.verify.signature, spec.verify.audience, spec.verify.leeway_seconds) == (
        False,
        ("reports",),
        3,
    )
    assert spec.verify.scopes_required == ("reports", "audit")
    assert spec.store is not None
    assert (spec.store.redis.endpoints, spec.store.redis.tls is None) == ((("redis", 6380),), False)
    rule = winner(config, "GET https://reports.example.com/2026")
    assert rule is not None
    assert (rule.attach.header, rule.attach.scheme) == ("x-access-token", "")
    assert [header for header, _ in rule.forward_headers] == ["X-Sub", "X-Group"]
    assert "X-Group: realm\\\\.access.group" in found.config.replace('"', "")
    assert "(Contains(`groups`, `a`) && Contains(`groups`, `b`)) || Contains(`groups`, `c`)" in found.config
    assert [problem.path.rpartition(".")[2] for problem in found.lost] == [
        "auth_methods",
        "cache_ttl_max",
        "upstream_id_token_header",
        "consumer_claim",
    ]
    assert "password-of-redis" not in found.config


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "services: []",
            "k.yaml:1:1: no declarative configuration of Kong; expected _format_version and services",
        ),
        (
            "_format_version: '3.0'\nservices:\n{{ x }}: [",
            "k.yaml:3:1: a template, no configuration; expected…",
        ),
    ],
)
def test_other_files_are_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        convert("kong", text, "k.yaml")

    assert str(raised.value).startswith(said.removesuffix("…"))
