import json
from pathlib import Path

import pytest
from click.testing import Result

from tests.unit.cli.running import run

CONFIG = """
version: 1
token_sources:
  billing:
    token_url: https://idp.example.com/token
    client_id: app
    client_secret: ${env:BILLING_SECRET}
    api_headers: {X-Api-Key: "${env:API_KEY}"}
rules:
  - name: billing
    match: {host: api.example.com, path: /v2/**}
    token_source: billing
    modifiers:
      - header.Modifier: {scope: [request, response], name: Accept, value: application/json}
      - header.Modifier: {scope: [request], name: X-Key, value: "key ${env:API_KEY}"}
  - {name: rest, match: {host: "**.example.com", query: {key: "${env:API_KEY}"}}, token_source: billing}
  - name: legacy
    match: {host: legacy.example.org}
    token_source: billing
    upgrade_to_https: true
    on_token_failure: pass_without_token
  - {name: kept, match: {host: kept.example.org}, token_source: billing, attach: {when_present: keep}}
  - {name: page, match: {host: page.example.org}, token_source: billing, allow_cross_site: true}
  - {name: alice, match: {host: alice.example.org}, token_source: billing, allowed_clients: ["user:alice"]}
  - {name: bound, match: {host: bound.example.org}, token_source: bound}
  - {name: plain, match: {host: plain.example.org}}
"""
BOUND = """
  bound: {token_url: https://idp.example.com/token, client_id: b, client_secret: b, dpop: true}
"""
CLAIMS = """
version: 1
stores: {shared: {redis: {endpoints: ["redis.example:6379"]}, secret: 0123456789abcdef}}
token_sources:
  verified:
    token_url: https://idp.example.com/token
    client_id: c
    client_secret: c
    verify: {jwks_url: https://idp.example.com/jwks}
    store: shared
rules:
  - name: claims
    match: {host: api.example.com}
    token_source: verified
    claims: "Equals(`grp`, `admin`) || Prefix(`user.name`, `A`)"
    forward_headers: {X-Group: grp, X-Name: user.name}
    username_claim: sub
"""
SECRETS = {"BILLING_SECRET": "s3cr3t", "API_KEY": "k3y"}
ORDERS = "https://api.example.com/v2/orders"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "clientcreds.yaml"
    path.write_text(CONFIG.replace("rules:", BOUND.strip("\n") + "\nrules:", 1))
    return path


def explained(config: Path, url: str, *options: str, method: str = "GET") -> Result:
    return run("explain", method, url, "--config", str(config), *options, environ=SECRETS)


def as_object(config: Path, url: str, *options: str, method: str = "GET") -> dict[str, object]:
    found: dict[str, object] = json.loads(explained(config, url, *options, "--json", method=method).stdout)
    return found


def test_explain_says_which_rule_wins_and_what_the_api_sees(config: Path) -> None:
    sent = ["Accept: */*", "Authorization: Bearer mine", "Connection: close, X-Hop", "X-Hop: 1"]
    result = explained(config, ORDERS, *(each for header in sent for each in ("--header", header)))

    assert result.exit_code == 0
    assert result.stdout == (
        "GET https://api.example.com/v2/orders  from 127.0.0.1\n"
        "  rule     billing  wins\n"
        "           rest     query differs: key is not ***\n"
        "           legacy   host differs: not legacy.example.org\n"
        "           kept     host differs: not kept.example.org\n"
        "           page     host differs: not page.example.org\n"
        "           alice    host differs: not alice.example.org\n"
        "           bound    host differs: not bound.example.org\n"
        "           plain    host differs: not plain.example.org\n"
        "  passes   to https://api.example.com:443\n"
        "  attach   Authorization: Bearer ***  (the token of billing)\n"
        "           X-Api-Key: ***  (api_headers of billing)\n"
        "  set      Accept: application/json  (was */*)\n"
        "           Connection: close  (was close, X-Hop)\n"
        "           X-Key: key ***\n"
        "  remove   Authorization: ***\n"
        "           X-Hop: 1\n"
        "  then     modifiers change the API's answer, too\n"
    )


def test_explain_shows_no_secret(config: Path) -> None:
    """Contract section 8: secrets, keys and the client's own credentials are ***."""
    options = ("--header", "Authorization: Bearer mine", "--header", "Cookie: mine")
    urls = (ORDERS, "https://x.example.com/?key=other", "https://user:mine@kept.example.org/")

    for url in urls:
        for form in ((), ("--json",)):
            shown = explained(config, url, *options, *form).output
            assert not [secret for secret in ("s3cr3t", "k3y", "mine") if secret in shown]


@pytest.mark.parametrize(
    ("url", "options", "status", "reason"),
    [
        ("http://api.example.com/v2/orders", (), 403, "plaintext_refused"),
        ("https://api.example.com/v2/../orders", (), 400, "ambiguous_path"),
        (ORDERS, ("--header", "Host: other.example.com"), 421, "destination_mismatch"),
        (ORDERS, ("--header", "Sec-Fetch-Site: cross-site"), 403, "cross_site"),
        (ORDERS, ("--client", "10.1.2.3"), 403, "client_denied"),
        ("https://alice.example.org/", (), 403, "client_denied"),
    ],
)
def test_explain_exits_with_1_where_the_request_would_be_refused(
    url: str, options: tuple[str, ...], status: int, reason: str, config: Path
) -> None:
    found = as_object(config, url, *options)

    assert explained(config, url, *options).exit_code == 1
    assert (found["outcome"], found["status"], found["reason"]) == ("refused", status, reason)
    assert f"  refused  {status} {reason}" in explained(config, url, *options).stdout


def test_explain_marks_the_answer_to_connect(config: Path) -> None:
    """Contract section 11: a refused CONNECT is all that a client sees."""
    assert as_object(config, ORDERS, "--client", "10.1.2.3")["at_connect"] is True
    assert as_object(config, ORDERS, "--header", "Host: a.b")["at_connect"] is False


def test_explain_knows_users_of_proxyauth(config: Path) -> None:
    url = "https://alice.example.org/"

    assert explained(config, url, "--client", "user:alice").exit_code == 0
    assert explained(config, url, "--client", "user:bob").exit_code == 1
    assert "from ::1 as alice" in explained(config, url, "--client", "::1", "--client", "user:alice").stdout


def test_explain_tells_hosts_without_a_rule(config: Path) -> None:
    """Contract section 3.8: their TLS is tunnelled, their plain http forwarded."""
    tunnelled = explained(config, "https://other.example/")
    forwarded = explained(config, "http://[2001:db8::1]/", "--header", "Proxy-Connection: keep-alive")

    assert tunnelled.exit_code == forwarded.exit_code == 0
    assert "passes   untouched, in a tunnel" in tunnelled.stdout
    assert "passes   as it is, to http://[2001:db8::1]:80: no rule wins" in forwarded.stdout
    assert "remove   Proxy-Connection: keep-alive" in forwarded.stdout


def test_explain_tells_upgrades_and_what_depends_on_the_token(config: Path) -> None:
    found = explained(config, "http://legacy.example.org/a").stdout

    assert "passes   to https://legacy.example.org:443" in found
    assert "set      destination: https://legacy.example.org:443  (was http://legacy.example.org:80)" in found
    assert "then     where there is no token, the request passes without one" in found


def test_explain_tells_when_no_token_is_fetched(config: Path) -> None:
    kept = explained(config, "https://kept.example.org/", "--header", "Authorization: mine")
    preflight = explained(
        config,
        "https://page.example.org/",
        *("--header", "Origin: https://other.example", "--header", "Access-Control-Request-Method: PUT"),
        method="OPTIONS",
    )
    plain = explained(config, "https://plain.example.org/")

    assert "attach   nothing: the client's own Authorization is kept" in kept.stdout
    assert "attach   nothing: a CORS preflight needs no token" in preflight.stdout
    assert "attach" not in plain.stdout


def test_explain_tells_of_proofs(config: Path) -> None:
    found = explained(config, "https://bound.example.org/").stdout

    assert "attach   Authorization: DPoP ***  (the token of bound)" in found
    assert "         DPoP: ***  (its proof)" in found


def test_explain_tells_what_the_token_will_decide(tmp_path: Path) -> None:
    """Contract section 6: without a token its claims are not known."""
    path = tmp_path / "clientcreds.yaml"
    path.write_text(CLAIMS)

    found = explained(path, "https://api.example.com/", "--header", "X-Group: mine")

    assert found.exit_code == 0
    assert found.stdout.splitlines()[3:] == [
        "  attach   Authorization: Bearer ***  (the token of verified)",
        "  set      X-Group: (claim grp)  (was mine)",
        "           X-Name: (claim user.name)",
        "  then     the token may come from the store shared",
        "           the token is verified before it is used: else 502 token_invalid",
        "           the token's claims decide (Equals of grp, Prefix of user.name): else 403 claims_denied",
        "           the log names the claim sub as client_username",
    ]


def test_explain_counts_many_rules_for_other_hosts(tmp_path: Path) -> None:
    path = tmp_path / "clientcreds.yaml"
    others = [f"  - {{name: r{number}, match: {{host: h{number}.example}}}}" for number in range(40)]
    path.write_text("\n".join(["version: 1", "rules:", *others]))

    shown = explained(path, "https://h1.example/")

    assert shown.stdout.splitlines()[1:3] == ["  rule     r1  wins", "           39 rules for other hosts"]
    assert len(as_object(path, "https://h1.example/")["rules"]) == 40  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("GET", "api.example.com"), "expected http://HOST/… or https://HOST/…"),
        (("GET", "https://api.example.com/a b"), "holds a space"),
        (("GET",), "Missing argument 'URL'"),
        (("CONNECT", "https://api.example.com/"), "explain the request inside it"),
        (("G ET", "https://api.example.com/"), "mitmproxy does not take such a request"),
        (("GET", ORDERS, "--header", "X-A"), "is no header; expected 'Name: value'"),
        (("GET", ORDERS, "--header", "X-A : 1"), "is no header"),
        (("GET", ORDERS, "--header", "X-A: 1\n2"), "is no header"),
        (("GET", ORDERS, "--header", "Content-Length: x"), "mitmproxy does not take such a request"),
        (("GET", ORDERS, "--client", "localhost"), "is no client; expected 127.0.0.1, ::1 or user:alice"),
    ],
)
def test_explain_of_no_request_exits_with_2(arguments: tuple[str, ...], message: str, config: Path) -> None:
    result = run("explain", *arguments, "--config", str(config), environ=SECRETS)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_explain_prints_the_problems_of_a_bad_configuration(tmp_path: Path) -> None:
    path = tmp_path / "clientcreds.yaml"
    path.write_text("version: 2\n")

    result = explained(path, ORDERS)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{path}:1:1: version: expected 1, the only version there is\n"
