import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clientcreds_proxy.cli.main import commands

GOOD = """{"version": 3, "endpoints": [{"endpoint": "/a", "backend": [
  {"host": ["https://api.example.com"], "url_pattern": "/a", "extra_config": {"auth/client-credentials":
    {"client_id": "app", "client_secret": "s3cr3t-of-the-app", "token_url": "https://idp.example.com/token"}}}]}]}
"""
LOSSY = GOOD.replace('"version": 3', '"version": 3, "async_agent": [{}]')


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, stdin: str | None = None, environ: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(commands, ("import", "krakend", *arguments), input=stdin, env=environ)


def check(file: str, **environ: str) -> Result:
    return CliRunner().invoke(commands, ("check", file), env=environ)


def test_import_prints_rules_that_check_accepts(here: Path) -> None:
    (here / "krakend.json").write_text(GOOD)

    result = run("krakend.json", "--strict")

    assert (result.exit_code, result.stderr) == (0, "to set: APP_CLIENT_SECRET\n")
    (here / "c.yaml").write_text(result.stdout)
    assert check("c.yaml").exit_code == 1
    assert check("c.yaml", APP_CLIENT_SECRET="s3cr3t").output == "ok: 1 rule, 1 token source, 0 warnings\n"


def test_import_reads_stdin(here: Path) -> None:
    result = run("-", stdin=GOOD)

    assert result.exit_code == 0
    assert "from <stdin>." in result.stdout


@pytest.mark.parametrize(("strict", "code"), [((), 0), (("--strict",), 1)])
def test_what_is_left_behind_is_said_with_its_place(strict: tuple[str, ...], code: int, here: Path) -> None:
    (here / "krakend.json").write_text(LOSSY)

    result = run("krakend.json", *strict)

    said = "async_agent: messages of queues are no requests that a proxy sees"
    assert result.exit_code == code
    assert f"krakend.json:1:16: not carried over: {said}\n" in result.stderr
    assert f"# Not carried over:\n# - {said}\n" in result.stdout


def test_output_is_written_and_replaced_with_force_only(here: Path) -> None:
    (here / "krakend.json").write_text(GOOD)

    first = run("krakend.json", "-o", "c.yaml")
    written = (here / "c.yaml").read_text()
    second = run("krakend.json", "-o", "c.yaml")
    third = run("krakend.json", "-o", "c.yaml", "--force")

    assert (first.exit_code, first.stdout) == (0, "")
    assert "client_secret: ${env:APP_CLIENT_SECRET}" in written
    assert (second.exit_code, third.exit_code) == (2, 0)
    assert "c.yaml is there already; --force replaces it" in second.stderr


def test_the_source_file_is_never_replaced(here: Path) -> None:
    (here / "krakend.json").write_text(GOOD)

    result = run("krakend.json", "-o", "krakend.json", "--force")

    assert result.exit_code == 2
    assert (here / "krakend.json").read_text() == GOOD


def test_json_holds_everything(here: Path) -> None:
    (here / "krakend.json").write_text(LOSSY)

    said = json.loads(run("krakend.json", "--json").stdout)

    assert said["config"].startswith("# yaml-language-server: $schema=./schema.json\n")
    assert [each["path"] for each in said["lost"]] == ["async_agent"]
    assert said["variables"] == ["APP_CLIENT_SECRET"]
    assert said["notes"] == said["mounted"] == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"version": 3,\n "endpoints": [}', "krakend.json:2:16: not valid YAML: "),
        (b'{"a": 1, "a": 2}', "krakend.json:1:10: duplicate key, first given in line 1"),
        (b"\xff", "krakend.json:1:1: not UTF-8 text"),
        (
            b'{"services": []}',
            "krakend.json:1:1: no KrakenD configuration: expected endpoints, found a mapping",
        ),
        (b"", "krakend.json:1:1: no KrakenD configuration: expected endpoints, found null"),
        (b"a: 1\n---\nb: 2", "krakend.json:1:1: several YAML documents; expected one KrakenD configuration"),
    ],
)
def test_unreadable_file_fails_with_its_place(content: bytes, said: str, here: Path) -> None:
    (here / "krakend.json").write_bytes(content)

    result = run("krakend.json")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(said)


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_missing_file_fails(name: str, here: Path) -> None:
    result = run(name)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"{name}:1:1: can't be read: ")


@pytest.mark.parametrize("arguments", [(), ("nginx", "f"), ("krakend",), ("krakend", "f", "--force")])
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...], here: Path) -> None:
    result = CliRunner().invoke(commands, ("import", *arguments))

    assert result.exit_code == 2
