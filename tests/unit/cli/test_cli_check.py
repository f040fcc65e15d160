import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clientcreds_proxy.cli.main import commands

GOOD = "version: 1\nrules: [{name: a, match: {host: a.example}}]\n"
WARNED = "version: 1\nrules: []\n"
BAD = "version: 2\nrule: []\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLIENTCREDS_CONFIG", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands, arguments)


def test_check_says_that_a_configuration_is_good(here: Path) -> None:
    (here / "c.yaml").write_text(GOOD)

    result = run("check", "c.yaml", "--strict")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "ok: 1 rule, 0 token sources, 0 warnings\n"


def test_check_prints_every_problem_on_its_line(here: Path) -> None:
    (here / "c.yaml").write_text(BAD)

    result = run("check", "c.yaml")

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "c.yaml:1:1: version: expected 1, the only version there is",
        "c.yaml:2:1: rule: unknown key, did you mean 'rules'?",
    ]
    assert result.stderr == "2 errors: this configuration can't be used\n"


@pytest.mark.parametrize(("strict", "code"), [((), 0), (("--strict",), 1)])
def test_check_marks_warnings(strict: tuple[str, ...], code: int, here: Path) -> None:
    """Contract section 8: exit 0 with warnings, too, unless --strict."""
    (here / "c.yaml").write_text(WARNED)

    result = run("check", "c.yaml", *strict)

    assert result.exit_code == code
    assert result.stdout == "c.yaml:1:1: warning: no rules yet: every request is passed on as it is\n"


def test_check_puts_the_path_behind_the_mark(here: Path) -> None:
    (here / "c.yaml").write_text("version: 1\nrules: [{name: a, match: {host: a.example}, attach: {}}]\n")

    assert run("check", "c.yaml").stdout == (
        "c.yaml:2:45: warning: rules[0].attach: has no effect without a token_source\n"
    )


@pytest.mark.parametrize(("text", "severity"), [(BAD, "error"), (WARNED, "warning")])
def test_check_prints_json(text: str, severity: str, here: Path) -> None:
    (here / "c.yaml").write_text(text)

    first = json.loads(run("check", "c.yaml", "--json").stdout)[0]

    assert first["severity"] == severity
    assert (first["file"], first["line"], first["column"]) == ("c.yaml", 1, 1)
    assert set(first) == {"file", "line", "column", "path", "message", "severity"}


def test_check_prints_an_empty_list_where_all_is_well(here: Path) -> None:
    (here / "c.yaml").write_text(GOOD)

    result = run("check", "--config", "c.yaml", "--json")

    assert (json.loads(result.stdout), result.stderr) == ([], "")


def test_check_finds_the_configuration_itself(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Contract section 8: the order of the search."""
    (here / "clientcreds.yaml").write_text(GOOD)
    (here / "other.yaml").write_text(BAD)

    assert run("check").exit_code == 0
    monkeypatch.setenv("CLIENTCREDS_CONFIG", "other.yaml")
    assert run("check").exit_code == 1
    assert run("check", "clientcreds.yaml").exit_code == 0


@pytest.mark.parametrize(
    ("name", "reason"), [("gone.yaml", "No such file or directory"), (".", "Is a directory")]
)
def test_check_of_an_unreadable_file_is_one_line(name: str, reason: str, here: Path) -> None:
    result = run("check", name)

    assert result.exit_code == 1
    assert result.stdout == f"{name}:1:1: can't be read: {reason}\n"


@pytest.mark.parametrize(
    "arguments", [("check", "c.yaml"), ("check", "--config", "c.yaml"), ("--config", "c.yaml", "check")]
)
def test_config_is_named_anywhere(arguments: tuple[str, ...], here: Path) -> None:
    (here / "c.yaml").write_text(GOOD)

    assert run(*arguments).exit_code == 0


@pytest.mark.parametrize("arguments", [("--nope",), ("a", "b"), ("a", "--config", "b")])
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...], here: Path) -> None:
    result = run("check", *arguments)

    assert result.exit_code == 2
    assert "Usage: " in result.stderr


@pytest.mark.parametrize("arguments", [("--help",), ("check", "--help"), ("-h",)])
def test_help_shows_examples_and_exit_codes(arguments: tuple[str, ...]) -> None:
    """Contract section 8."""
    shown = run(*arguments).stdout

    assert "Examples:" in shown
    assert "Exit codes:" in shown


def test_schema_is_printed() -> None:
    result = run("schema")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["title"] == "clientcreds configuration"
