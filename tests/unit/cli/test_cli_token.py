import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result

from tests.simulators.authorization_server import AuthorizationServer, Reply
from tests.simulators.background import in_background
from tests.unit.cli.running import run

CONFIG = """
version: 1
token_sources:
  billing:
    token_url: {url}
    client_id: app
    client_secret: ${{env:SECRET}}
    scopes: [orders:read, orders:write]
    audience: https://api.example.com
  callers: {{token_url: "{url}", caller: {{from: [header]}}}}
rules: []
"""


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    with in_background(AuthorizationServer().running()) as running:
        yield running


def token(server: AuthorizationServer, folder: Path, *arguments: str, secret: str = "s3cr3t") -> Result:
    path = folder / "clientcreds.yaml"
    path.write_text(CONFIG.format(url=server.token_url))
    return run("token", *arguments, "--config", str(path), environ={"SECRET": secret})


def giving(**members: object) -> Reply:
    answer = {"access_token": "opaque", "token_type": "Bearer", "expires_in": 3600, **members}
    return Reply(body=json.dumps(answer).encode(), headers={"Content-Type": "application/json"})


def jwt(**claims: object) -> str:
    parts = [{"alg": "none"}, claims]
    return ".".join(
        [*(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "x"]
    )


def rows(result: Result) -> dict[str, str]:
    lines = (line for line in result.stdout.splitlines() if line[:1].strip())
    return {label: text.strip() for label, _, text in (line.partition(" ") for line in lines)}


def test_token_is_fetched_and_not_shown(server: AuthorizationServer, tmp_path: Path) -> None:
    """Contract section 8: the token itself only with --show."""
    server.token_prefix = "very-secret-"

    result = token(server, tmp_path, "billing")

    assert result.exit_code == 0
    assert len(server.seen) == 1
    assert "very-secret" not in result.output
    shown = rows(result)
    assert shown["token"].startswith("Bearer, sha256 ")
    assert shown["token"].endswith(", fetched by client_secret_basic")
    assert shown["lifetime"].startswith("3600 s, until 20")
    assert shown["scope"] == "not said (asked for: orders:read orders:write)"
    assert shown["audience"] == "not said (asked for: https://api.example.com)"
    assert shown["claims"] == "none to be seen: the token is no JWT"


def test_token_shows_what_a_jwt_says(server: AuthorizationServer, tmp_path: Path) -> None:
    value = jwt(sub="app", aud=["https://api.example.com", "other"])
    server.replies = [giving(access_token=value, scope="orders:read")]

    result = token(server, tmp_path, "billing")

    shown = rows(result)
    assert value not in result.output
    assert shown["scope"] == "orders:read (asked for: orders:read orders:write)"
    assert shown["audience"] == "https://api.example.com, other (asked for: https://api.example.com)"
    assert shown["remark"] == "the server did not grant orders:write"
    assert '"sub": "app"' in result.stdout


@pytest.mark.parametrize(
    ("expires_in", "said"), [(0, "for one request: it is not kept"), (59.6, "60 s, until ")]
)
def test_token_shows_how_long_it_is_kept(
    expires_in: float, said: str, server: AuthorizationServer, tmp_path: Path
) -> None:
    server.replies = [giving(expires_in=expires_in)]

    assert rows(token(server, tmp_path, "billing"))["lifetime"].startswith(said)


def test_token_itself_is_shown_on_request(server: AuthorizationServer, tmp_path: Path) -> None:
    shown = token(server, tmp_path, "billing", "--show")
    as_object = json.loads(token(server, tmp_path, "billing", "--show", "--json").stdout)

    assert shown.stdout == "t1\n"
    assert as_object["token"] == "t2"


def test_token_as_json_has_all_but_the_token(server: AuthorizationServer, tmp_path: Path) -> None:
    server.replies = [giving(access_token=jwt(aud="a"), scope="other")]

    found = json.loads(token(server, tmp_path, "billing", "--json").stdout)

    del found["sha256"]
    assert found == {
        "token_source": "billing",
        "client_auth": "client_secret_basic",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": ["other"],
        "audience": "a",
        "claims": {"aud": "a"},
        "remarks": ["the server did not grant orders:read orders:write"],
    }


def test_failure_is_told_with_the_words_of_the_server(server: AuthorizationServer, tmp_path: Path) -> None:
    """Contract section 11: the error_description is for `token` and the log."""
    result = token(server, tmp_path, "billing", secret="wrong")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        f"token_rejected: localhost:{server.port} refused the token request (401): invalid_client",
        "the server says: who are you?",
        "try: check client_id and client_secret",
    ]


def test_failure_as_json_has_the_names_of_the_log(server: AuthorizationServer, tmp_path: Path) -> None:
    result = token(server, tmp_path, "billing", "--json", secret="wrong")

    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (found["reason"], found["status"], found["error"]) == ("token_rejected", 502, "invalid_client")
    assert found["error_description"] == "who are you?"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("biling", "no token source 'biling'; did you mean 'billing'?"),
        ("x", "no token source 'x'; there are: billing, callers"),
        ("callers", "each caller of 'callers' brings credentials of its own"),
    ],
)
def test_name_that_leads_to_no_token_is_wrong_usage(
    name: str, message: str, server: AuthorizationServer, tmp_path: Path
) -> None:
    result = token(server, tmp_path, name)

    assert (result.exit_code, server.seen) == (2, [])
    assert message in result.stderr.replace("\n", " ")


def test_bad_configuration_prints_its_problems(server: AuthorizationServer, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("version: 2\n")

    result = run("token", "billing", "--config", str(path))

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"{path}:1:1: version: expected 1")
