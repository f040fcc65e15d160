import re
from pathlib import Path
from typing import Any

import pytest
import trustme

from clientcreds_proxy.config.keys.model_source import TokenSource
from clientcreds_proxy.config.load import load
from clientcreds_proxy.config.preset import NAMES, preset
from clientcreds_proxy.tokens.model import Expiry, SourceSpec, TokenRequest
from tests.unit.config.files import Files

ROOT = Path(__file__).parents[3]
PROMISED = (
    "auth0 okta entra entra-certificate keycloak cognito ping forgerock salesforce spotify paypal zoom "
    "twitch ebay amadeus adobe sap shopify"
)


def with_preset(keys: str, *, name: str = "auth0") -> str:
    return f"version: 1\ntoken_sources:\n  s: {{preset: {name}, client_id: app, {keys}}}\nrules: []\n"


def spec(files: Files, keys: str, *, name: str = "auth0") -> SourceSpec:
    return files.load(with_preset(f"client_secret: '${{env:SECRET}}', {keys}", name=name)).sources["s"]


def test_presets_are_those_of_the_documentation() -> None:
    assert sorted(PROMISED.split()) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_preset_holds_keys_of_a_token_source(name: str) -> None:
    found = preset(name)

    assert set(found.source) <= TokenSource.model_fields.keys() - {"preset", "client_id", "client_secret"}
    assert found.provider
    assert found.url.startswith("https://")
    # What differs for each user stands in capitals: such a URL is no default.
    assert bool(re.search(r"[A-Z]{2}", found.url)) == ("token_url" not in found.source)
    for key in found.wants:
        assert key.split(".")[0] in TokenSource.model_fields


def test_preset_fills_what_the_source_does_not_say(files: Files) -> None:
    loaded = spec(files, "endpoint_params: {account_id: a1}", name="zoom")

    assert loaded.token_url == "https://zoom.us/oauth/token"
    assert loaded.client_auth == "client_secret_basic"
    assert loaded.token_request == TokenRequest(grant_type="account_credentials")


def test_source_goes_before_its_preset_key_by_key(files: Files) -> None:
    loaded = spec(
        files,
        """
        token_url: https://other.example.com/token, client_auth: client_secret_post,
        token_request: {format: json}, endpoint_params: {account_id: a1}, expiry: {skew_seconds: 1}
        """,
        name="zoom",
    )

    assert loaded.token_url == "https://other.example.com/token"
    assert loaded.client_auth == "client_secret_post"
    assert loaded.token_request == TokenRequest(grant_type="account_credentials", format="json")
    assert loaded.expiry == Expiry(skew_seconds=1, default_ttl_seconds=300)


def test_source_replaces_a_list_of_its_preset(files: Files) -> None:
    loaded = spec(files, "scopes: [a], token_response: {token_types: [x]}", name="ebay")

    assert loaded.scopes == ("a",)
    assert loaded.token_response.token_types == ("x",)


def test_preset_knows_the_client(files: Files) -> None:
    assert spec(files, "scopes: [a]", name="adobe").api_headers == (("x-api-key", "app"),)


def test_header_of_the_source_goes_before_the_presets(files: Files) -> None:
    assert dict(spec(files, "scopes: [a], api_headers: {x-api-key: k}", name="adobe").api_headers) == {
        "x-api-key": "k"
    }


def test_issuer_of_the_source_goes_before_the_presets_token_url(files: Files) -> None:
    loaded = spec(files, "issuer: https://idp.example.com", name="spotify")

    assert (loaded.issuer, loaded.token_url) == ("https://idp.example.com", "")


def test_preset_sets_what_a_rules_attach_starts_from(files: Files) -> None:
    text = """
        version: 1
        rules:
          - name: shop
            match: {host: my-shop.myshopify.com}
            token_source:
              preset: shopify
              token_url: https://my-shop.myshopify.com/admin/oauth/access_token
              client_id: app
              client_secret: ${env:SECRET}
        """
    (rule,) = files.load(text).rules

    assert (rule.attach.header, rule.attach.scheme) == ("X-Shopify-Access-Token", "")


def test_preset_without_a_fixed_url_says_what_one_looks_like(files: Files) -> None:
    (problem,) = files.problems(with_preset("client_secret: '${env:SECRET}', audience: x"))

    assert problem == (
        "3:3: token_sources.s.token_url: is required with preset auth0, unless issuer is given; "
        "it looks like https://TENANT.eu.auth0.com/oauth/token"
    )


def test_preset_of_a_source_inside_a_rule_says_it_too(files: Files) -> None:
    text = """
        version: 1
        rules:
          - name: r
            match: {host: api.example.com}
            token_source: {preset: sap, client_id: app, client_secret: "${env:SECRET}"}
        """

    (problem,) = files.problems(text)

    assert problem.startswith("6:5: rules[0].token_source.token_url: is required with preset sap, unless ")


def test_preset_warns_of_what_only_the_user_knows(files: Files) -> None:
    given = "client_secret: '${env:SECRET}'"

    assert files.warnings(with_preset(given, name="zoom"))[1] == (
        "3:3: token_sources.s: preset zoom wants endpoint_params.account_id: "
        "the account id of the Server-to-Server OAuth app"
    )
    assert len(files.warnings(with_preset(f"{given}, endpoint_params: {{account_id: a}}", name="zoom"))) == 1


def test_unknown_preset_names_the_nearest_and_nothing_else_is_said(files: Files) -> None:
    assert files.problems(with_preset("client_secret: '${env:SECRET}'", name="keyclaok")) == [
        "3:7: token_sources.s.preset: no preset of this name; did you mean 'keycloak'?"
    ]


@pytest.mark.parametrize("value", ["5", "[auth0]", "{}", "true", "null"])
def test_preset_is_a_text(value: str, files: Files) -> None:
    found = files.problems(with_preset("token_url: https://idp.example.com/token", name=value))

    assert [problem.partition("preset: ")[2][:13] for problem in found] == ["expected text"]


@pytest.mark.parametrize("keys", ["client_auth: 5", "token_request: x", "client_id: {a: b}", "scopes: {}"])
def test_preset_leaves_mistakes_to_their_checks(keys: str, files: Files) -> None:
    others = ["preset: adobe", "client_secret: ${env:SECRET}", keys, "client_id: app"]
    lines = "".join(f"    {line}\n" for line in (others[:3] if keys.startswith("client_id") else others))

    (problem,) = files.problems(f"version: 1\ntoken_sources:\n  s:\n{lines}rules: []\n")

    assert problem.startswith(f"6:5: token_sources.s.{keys.partition(':')[0]}: expected ")


def example(name: str) -> Path:
    return ROOT / "config" / "providers" / f"{name}.yaml"


def test_every_preset_has_an_example_and_every_example_a_preset() -> None:
    assert sorted(path.stem for path in (ROOT / "config" / "providers").iterdir()) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_example_loads_without_a_warning(name: str, tmp_path: Path) -> None:
    text = example(name).read_text().replace("/run/secrets/", "")
    (tmp_path / "c.yaml").write_text(text)
    leaf = trustme.CA(key_type=trustme.KeyType.RSA).issue_cert("me@example.com", key_type=trustme.KeyType.RSA)
    leaf.private_key_pem.write_to_path(str(tmp_path / "entra.key"))
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "entra.crt"))
    (tmp_path / "entra.key").chmod(0o600)
    environ = dict.fromkeys(re.findall(r"\$\{env:(\w+)\}", text), "s3cr3t")

    config = load(tmp_path / "c.yaml", environ=environ)

    assert config.warnings == ()
    assert len(config.rules) == 1
    assert text.splitlines()[0] == "# yaml-language-server: $schema=../schema.json"
    assert f"preset: {name}\n" in text


def rows() -> dict[str, list[str]]:
    """The table of the documentation: the cells of each preset's row."""
    page = (ROOT / "docs" / "providers.md").read_text()
    found = re.findall(r"^\| `([a-z0-9-]+)` \|(.*)\|$", page, re.MULTILINE)
    return {name: re.split(r"\s*\|\s*", cells.strip()) for name, cells in found}


@pytest.mark.parametrize("name", NAMES)
def test_documentation_says_what_the_preset_is_and_wants(name: str) -> None:
    provider, url, wants, *_ = rows()[name]

    assert provider == f"[{preset(name).provider}](../config/providers/{name}.yaml)"
    assert url.startswith(f"`{preset(name).url}`")
    for key in preset(name).wants:
        assert f"`{key}`" in wants


@pytest.mark.parametrize("name", NAMES)
def test_documentation_shows_what_the_preset_fills(name: str) -> None:
    fills = rows()[name][3]

    for key, value in flat(preset(name).source):
        if key != "token_url":
            assert f"`{key}: {value}`" in fills


def test_documentation_names_presets_in_the_order_of_their_names() -> None:
    assert list(rows()) == list(NAMES)


def flat(keys: Any, before: str = "") -> list[tuple[str, str]]:
    """`token_request.format: json` and its like, of nested keys."""
    if isinstance(keys, dict):
        return [pair for key, value in keys.items() for pair in flat(value, f"{before}.{key}".lstrip("."))]
    shown = f"[{', '.join(keys)}]" if isinstance(keys, list) else {"": '""', ",": '","'}.get(keys, str(keys))
    return [(before, shown)]
