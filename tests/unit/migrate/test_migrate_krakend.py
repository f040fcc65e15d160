"""KrakenD's files: the imported rules ask for the same tokens, for the same requests."""

import pytest

from clientcreds_proxy.errors import ConfigError
from clientcreds_proxy.migrate.importer import convert
from tests.unit.migrate.importing import Asked, Case, asked, imported, loaded, winner

SHOP = Asked(
    at="https://idp.example.com/oauth/token",
    basic="shop:orders-secret-7Qk",
    form={"scope": "orders:read orders:write", "audience": "https://api.example.com"},
)
BILLING = Asked(at="https://sso.example.com/token", basic="billing:old namespace secret")
LEDGER = Asked(
    at="https://idp.example.com/realms/ledger/token", basic="dashboard:ledger-secret", form={"scope": "read"}
)
CRM = Asked(
    at="https://idp.example.com/realms/crm/token",
    basic="dashboard:crm secret & more",
    form={"resource": ["https://a.example", "https://b.example"]},
)
CASES = [
    Case(
        file="shop.json",
        environ={"SHOP_CLIENT_SECRET": "orders-secret-7Qk"},
        requests={
            "GET https://api.example.com/orders/17?tenant=acme": SHOP,
            "GET https://api.example.com/orders/17?page=2&tenant=acme": SHOP,
            "PUT https://api.example.com/orders/17?tenant=acme": SHOP,
            "GET https://api.example.com/orders/17": None,
            "GET https://api.example.com/orders/17?tenant=other": None,
            "DELETE https://api.example.com/orders/17?tenant=acme": None,
            "GET https://api.example.com/orders/17/lines?tenant=acme": None,
            "GET https://api.example.com/orders?tenant=acme": None,
            "GET https://api.example.com/orders/status?tenant=acme": None,
            "GET https://www.example.com/orders/17?tenant=acme": None,
        },
    ),
    Case(
        file="legacy.json",
        environ={"BILLING_CLIENT_SECRET": "old namespace secret", "X_API_KEY": "api-key-of-billing"},
        requests={
            "GET http://billing:8000/bills/7/pages/1": BILLING,
            "GET http://billing-2/bills/7/pages/1?lang=de": BILLING,
            "GET http://billing/bills/7/pages/1": None,
            "GET http://billing:8000/bills/7/pages": None,
        },
    ),
    Case(
        file="auth0.json",
        environ={"TENANT_EU_AUTH0_COM_CLIENT_SECRET": "auth0-secret-9fP"},
        requests={
            "GET https://users.example.com/api/v2/users/17": Asked(
                at="https://tenant.eu.auth0.com/oauth/token",
                form={
                    "client_id": "hVq0tR4wkZ8mN2cX5bJ7yE1uD3sF6gAa",
                    "client_secret": "auth0-secret-9fP",
                    "audience": "https://users.example.com/",
                },
            ),
            "GET https://users.example.com/api/v2/users/health": None,
        },
    ),
    Case(
        file="aggregation.json",
        environ={
            "DASHBOARD_CLIENT_SECRET": "crm secret & more",
            "DASHBOARD_CLIENT_SECRET_2": "ledger-secret",
        },
        requests={
            "GET https://crm.example.com:8443/customers/7": CRM,
            "GET https://crm-2.example.com/customers/7": CRM,
            "GET https://crm.example.com/customers/7": None,
            "GET https://ledger.example.com/v1/7/balance": LEDGER,
            "POST https://ledger.example.com/v1/7/close": LEDGER,
            "DELETE https://ledger.example.com/v1/7/close": None,
            "GET https://weather.example.com/today": None,
            "GET https://unused.example.com/customers/7": None,
        },
    ),
    Case(
        file="odd.json",
        environ={
            "REPORTS_CLIENT_SECRET": "password-grant-secret",
            "REPORTS_PASSWORD": "robots-password",
            "EXPORTS_CLIENT_SECRET": "first-secret",
            "OTHERS_CLIENT_SECRET": "second-secret",
        },
        requests={
            "GET https://reports.example.com/internal/reports/2026.json": Asked(
                at="https://idp.example.com/token",
                basic="reports:password-grant-secret",
                form={"grant_type": "password", "username": "robot", "password": "robots-password"},
            ),
            "GET https://exports.example.com/v1/exports": Asked(
                at="https://idp.example.com/token", basic="exports:first-secret"
            ),
            "GET https://plain.example.com/": None,
        },
        lost=(
            "endpoints[0].backend[0].url_pattern",
            'endpoints[2].extra_config."auth/validator"',
            "endpoints[2].backend[0]",
            "endpoints[3].backend[0].sd",
            'endpoints[4].backend[0].extra_config."auth/client-credentials"',
        ),
    ),
]
IDS = [case.file for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_imported_rules_ask_for_the_same_tokens(case: Case) -> None:
    found = imported("krakend", case.file)

    config = loaded(found, case.environ)

    assert {request: asked(config, request) for request in case.requests} == case.requests
    assert tuple(problem.path for problem in found.lost) == case.lost


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_no_secret_is_written(case: Case) -> None:
    found = imported("krakend", case.file)

    shown = "\n".join([found.config, *map(str, found.lost), *map(str, found.notes)])

    assert [secret for secret in case.environ.values() if secret in shown] == []


def test_token_without_lifetime_is_used_for_ever() -> None:
    found = imported("krakend", "shop.json")

    config = loaded(found, CASES[0].environ)

    assert [spec.expiry.default_ttl_seconds for spec in config.sources.values()] == ["never"]
    assert "# expiry: KrakenD uses a token without expires_in for ever" in found.config


def test_disabled_credentials_give_a_rule_without_a_token_source() -> None:
    config = loaded(imported("krakend", "auth0.json"), CASES[2].environ)

    rule = winner(config, "GET https://users.example.com/api/v2/users/health")

    assert rule is not None
    assert rule.token_source is None


def test_martian_modifiers_are_carried_over_with_their_secrets_as_references() -> None:
    found = imported("krakend", "legacy.json")

    rule = winner(loaded(found, CASES[1].environ), "GET http://billing:8000/bills/7/pages/1")

    assert rule is not None
    assert [modifier.changes_requests for modifier in rule.modifiers] == [True]
    assert "value: ${env:X_API_KEY}" in found.config


def test_template_is_named_as_what_it_is() -> None:
    text = '{\n  "version": 3,\n  "endpoints": [\n    {{ include "orders.tmpl" }}\n  ]\n}\n'

    with pytest.raises(
        ConfigError, match=r"^k.json:4:5: a template, no configuration; expected what KrakenD"
    ) as raised:
        convert("krakend", text, "k.json")

    assert "FC_OUT" in str(raised.value)
