import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.running import run

CONFIG = """
version: 1
token_sources: {billing: {client_secret: "${cmd:touch asked}"}, books: {}, crm: {}}
rules: []
"""


def completed(folder: Path, *words: str) -> list[str]:
    """What bash offers after these words."""
    code = "from clientcreds_proxy.cli.main import main; main()"
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[3] / "addon"),
        "_CLIENTCREDS_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["clientcreds", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environ, cwd=folder, check=False
    )
    return [line.removeprefix("plain,") for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed(shell: str) -> None:
    result = run("completion", shell)

    assert result.exit_code == 0
    assert "_CLIENTCREDS_COMPLETE" in result.stdout


def test_completion_of_another_shell_is_wrong_usage() -> None:
    assert run("completion", "cmd.exe").exit_code == 2


def test_commands_are_completed(tmp_path: Path) -> None:
    assert completed(tmp_path, "expl") == ["explain"]


def test_token_sources_are_completed_without_reading_a_secret(tmp_path: Path) -> None:
    (tmp_path / "clientcreds.yaml").write_text(CONFIG)
    (tmp_path / "other.yaml").write_text("version: 1\ntoken_sources: {bother: {}}\n")

    assert completed(tmp_path, "token", "b") == ["billing", "books"]
    assert completed(tmp_path, "token", "--config", "other.yaml", "b") == ["bother"]
    assert completed(tmp_path, "--config", "other.yaml", "token", "b") == ["bother"]
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("text", ["[", "token_sources: []", "[]"])
def test_broken_file_completes_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "clientcreds.yaml").write_text(text)

    assert completed(tmp_path, "token", "b") == []


def test_missing_file_completes_nothing(tmp_path: Path) -> None:
    assert completed(tmp_path, "token", "--config", "gone.yaml", "b") == []
