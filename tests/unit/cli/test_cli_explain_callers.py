"""`clientcreds explain` where callers bring credentials of their own."""

import base64
import json
from pathlib import Path

import pytest

from tests.unit.cli.running import run

CONFIG = """
version: 1
token_sources:
  sso: {token_url: https://idp.example.com/token, caller: {from: [proxy_authorization, header, query]}}
  named: {token_url: https://idp.example.com/token, caller: {from: proxy_authorization}}
rules:
  - {name: any, match: {host: api.example.com}, token_source: sso}
  - {name: kept, match: {host: kept.example.com}, token_source: sso, attach: {when_present: keep}}
  - {name: proxied, match: {host: "*.corp.example", scheme: https}, token_source: named}
  - {name: plain, match: {host: localhost, port: any}, token_source: named}
"""
BASIC = "Basic " + base64.b64encode(b"alice:s3cr3t").decode()
QUERY = "client_id=alice&client_secret=s3cr3t"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "clientcreds.yaml"
    path.write_text(CONFIG)
    return path


@pytest.mark.parametrize(
    ("url", "header", "status"),
    [
        ("https://api.example.com/", None, 401),
        ("https://api.example.com/", "Authorization: Bearer x", 401),
        ("https://api.example.com/", f"Authorization: {BASIC}", None),
        ("https://api.example.com/", f"Proxy-Authorization: {BASIC}", None),
        (f"https://api.example.com/?{QUERY}", None, None),
        ("https://kept.example.com/", "Authorization: Bearer x", None),
        ("https://kept.example.com/", None, 401),
        ("https://x.corp.example/", None, 407),
        ("https://x.corp.example/", f"Authorization: {BASIC}", 407),
        ("https://x.corp.example/", f"Proxy-Authorization: {BASIC}", None),
        ("http://localhost/", None, 407),
        ("http://localhost/", f"Proxy-Authorization: {BASIC}", None),
    ],
)
def test_explain_wants_credentials_where_the_proxy_does(
    config: Path, url: str, header: str | None, status: int | None
) -> None:
    options = ("--header", header) if header else ()
    result = run("explain", "GET", url, "--config", str(config), "--json", *options)
    said = json.loads(result.stdout)

    assert said.get("status") == status, result.stdout
    assert said.get("reason") == ("caller_unauthorized" if status else None)
    assert result.exit_code == (1 if status else 0)


@pytest.mark.parametrize("place", [("--header", f"Authorization: {BASIC}"), ()])
def test_explain_shows_no_secret_of_a_caller(config: Path, place: tuple[str, ...]) -> None:
    query = "" if place else f"&{QUERY}"

    result = run("explain", "GET", f"https://api.example.com/?a=1{query}", "--config", str(config), *place)

    assert result.exit_code == 0
    first, *lines = result.stdout.splitlines()  # the first repeats what was asked
    assert BASIC not in result.stdout
    assert "s3cr3t" not in "".join(lines), lines
    assert first.startswith("GET ")
