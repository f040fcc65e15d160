import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer
from tests.simulators.background import in_background
from tests.unit.cli.running import run

CONFIG = """
version: 1
token_sources:
  billing: {{token_url: "{url}", client_id: app, client_secret: "${{env:SECRET}}"}}
  discovered: {{issuer: "http://localhost:{port}/none", client_id: app, client_secret: "${{env:SECRET}}"}}
  callers: {{token_url: "{url}", caller: {{from: [header]}}}}
rules:
  - name: billing
    match: {{host: localhost, port: {api}, scheme: http, path: "/v2/*/{{id}}/**", query: {{tenant: acme}}}}
    token_source: billing
  - name: posts
    match: {{host: "127.0.0.1", port: {api}, scheme: http, methods: [POST]}}
    token_source: billing
  - {{name: wild, match: {{host: "*.example.com"}}, token_source: callers}}
"""


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Without a proxy, or a proxy's variable."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY")
    return {"SECRET": "s3cr3t", "PATH": "/nowhere", **dict.fromkeys(names)}


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    with ExitStack() as stack:
        idp = stack.enter_context(in_background(AuthorizationServer().running()))
        api = stack.enter_context(in_background(Api().running()))
        path = tmp_path / "clientcreds.yaml"
        path.write_text(CONFIG.format(url=idp.token_url, port=idp.port, api=api.port))
        yield path


def free_port() -> int:
    """A port that nobody listens on now; the usual one may be somebody's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_doctor_says_what_it_finds_line_by_line(
    config: Path, tmp_path: Path, environ: dict[str, str | None]
) -> None:
    result = run(
        *("doctor", "--port", str(free_port()), "--confdir", str(tmp_path / "confdir")),
        *("--config", str(config)),
        environ=environ,
    )

    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[:2] == [
        f"ok    config     {config}: 3 rules, 3 token sources, 0 warnings",
        "ok    secrets    1 reference gives its value",
    ]
    assert [line for line in lines if line.startswith("--")] == [
        "--    token      where discovered gets tokens is not known",
        "--    token      each caller of callers brings credentials of its own",
    ]
    (failing,) = [number for number, line in enumerate(lines) if line.startswith("FAIL")]
    assert lines[failing].startswith("FAIL  discovery  ")
    assert lines[failing + 1].startswith("      mend:      ")
    assert lines[-1].startswith("ok    journey    GET http://localhost:")
    assert "/v2/doctor/doctor/: 200, with a token of billing" in lines[-1]


def test_doctor_prints_json_and_exits_with_0_where_all_is_well(
    config: Path, tmp_path: Path, environ: dict[str, str | None]
) -> None:
    text = "".join(
        line for line in config.read_text().splitlines(keepends=True) if "  discovered:" not in line
    )
    config.write_text(text)

    result = run(
        *("doctor", "--port", str(free_port()), "--confdir", str(tmp_path / "confdir")),
        *("--json", "--config", str(config)),
        environ=environ,
    )

    found = json.loads(result.stdout)
    assert result.exit_code == 0, result.output
    assert {each["state"] for each in found} == {"ok", "left out"}
    assert set(found[0]) == {"check", "state", "what", "mend"}


def test_doctor_without_a_configuration_says_how_to_make_one(
    tmp_path: Path, environ: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = run(
        "doctor",
        "--confdir",
        str(tmp_path / "confdir"),
        environ={**environ, "CLIENTCREDS_CONFIG": "gone.yaml"},
    )

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "FAIL  config     gone.yaml:1:1: can't be read: No such file or directory",
        "      mend:      clientcreds init -o gone.yaml",
        "--    the rest   what is wrong above is to be mended first",
    ]


def test_doctor_goes_on_where_the_runtime_directory_is_open_to_others(
    config: Path, tmp_path: Path, environ: dict[str, str | None]
) -> None:
    folder = tmp_path / "clientcreds"
    folder.mkdir()
    folder.chmod(0o755)

    result = run(
        *("doctor", "--port", str(free_port()), "--confdir", str(tmp_path / "confdir")),
        *("--config", str(config)),
        environ=environ,
    )

    assert result.exit_code == 1
    assert f"can't be found: {folder}: others have access" in result.stdout
    assert f"mend:      chmod 700 {folder}" in result.stdout
    assert "ok    journey " in result.stdout
