"""What `explain` says of modifiers that lead a request elsewhere, replace its body, or answer it."""

import json
from pathlib import Path

import pytest
from click.testing import Result

from tests.unit.cli.running import run

CONFIG = """
version: 1
token_sources:
  billing: {token_url: https://idp.example.com/token, client_id: app, client_secret: "${env:SECRET}"}
rules:
  - name: away
    match: {host: away.example.org}
    modifiers:
      url.Modifier: {scheme: http, host: "other.example:8080", path: /p, query: a=b}
  - name: two
    match: {host: [one.example.org, two.example.org]}
    token_source: billing
    allow_cross_site: true
    modifiers: {url.Modifier: {host: "two.example.org:443"}}
  - name: body
    match: {host: body.example.org}
    modifiers: {body.Modifier: {scope: [request], contentType: text/plain, body: YQ==}}
  - name: files
    match: {host: files.example.org}
    token_source: billing
    modifiers: {static.Modifier: {rootPath: .}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "clientcreds.yaml"
    path.write_text(CONFIG)
    return path


def explained(config: Path, url: str, *options: str, method: str = "GET") -> Result:
    return run("explain", method, url, "--config", str(config), *options, environ={"SECRET": "s3cr3t"})


def test_explain_shows_where_modifiers_lead(config: Path) -> None:
    result = explained(config, "https://away.example.org/x?y=z")

    assert "  passes   to http://other.example:8080\n" in result.stdout
    assert "destination: http://other.example:8080  (was https://away.example.org:443)\n" in result.stdout
    assert "target: /p?a=b  (was /x?y=z)\n" in result.stdout
    assert "Host" not in result.stdout


def test_explain_attaches_the_token_where_the_rule_goes(config: Path) -> None:
    found = json.loads(explained(config, "https://one.example.org/x", "--json").stdout)

    assert found["destination"] == {"scheme": "https", "host": "two.example.org", "port": 443}
    assert [each["header"] for each in found["attached"]] == ["Authorization"]


def test_explain_refuses_what_is_led_out_of_its_rule(config: Path) -> None:
    """A preflight over plain http: with a token it would not have come so far."""
    preflight = ("Origin: https://a.example", "Access-Control-Request-Method: GET")
    options = [each for header in preflight for each in ("--header", header)]

    result = explained(config, "http://one.example.org/x", *options, method="OPTIONS")

    assert result.exit_code == 1
    assert (
        "421 destination_mismatch: a modifier led the request to http://two.example.org:443" in result.stdout
    )


def test_explain_shows_what_another_body_changes(config: Path) -> None:
    result = explained(config, "https://body.example.org/", "--header", "Content-Encoding: gzip")

    assert "  set      Content-Type: text/plain\n           Content-Length: 1\n" in result.stdout
    assert "  remove   Content-Encoding: gzip\n" in result.stdout


def test_explain_says_that_a_file_answers(config: Path) -> None:
    result = explained(config, "https://files.example.org/a")
    found = json.loads(explained(config, "https://files.example.org/a", "--json").stdout)

    assert "  served   by static.Modifier, the API is not asked\n" in result.stdout
    assert "attach" not in result.stdout
    assert found["outcome"] == "served"
