"""How the scripts find a Python: in a copy of the checkout, with a PATH of programs made for the case."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NEEDED = ("bash", "sh", "env", "readlink", "dirname")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    own = tmp_path / "a checkout"
    shutil.copytree(ROOT / "scripts", own / "scripts")
    return own


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """All that PATH holds: what the scripts call, and no Python."""
    own = tmp_path / "bin"
    own.mkdir()
    for name in NEEDED:
        (own / name).symlink_to(shutil.which(name) or name)
    return own


def add(programs: Path, name: str, script: str, *, interpreter: str = "sh") -> None:
    program = programs / name
    program.write_text(f"#!/usr/bin/env {interpreter}\n{script}\n")
    program.chmod(0o755)


def run(command: Path, programs: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [command],
        env={"PATH": str(programs), "HOME": str(programs)},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def find(checkout: Path, programs: Path) -> str:
    add(programs, "find", f'. "{checkout}/scripts/setup.sh"; find_python', interpreter="bash")
    return run(programs / "find", programs).stdout.strip()


@pytest.mark.parametrize("script", ["run", "clientcreds", "demo", "test"])
def test_script_says_in_one_line_what_to_do_without_a_python(
    checkout: Path, programs: Path, script: str
) -> None:
    for name in ("curl", "wget", "git", "node", "npm", "go", "java", "redis-server"):
        add(programs, name, "exit 0")

    done = run(checkout / "scripts" / script, programs)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "needs Python 3.12 or newer" in done.stderr


def test_find_python_passes_by_a_shim_that_does_not_run(checkout: Path, programs: Path) -> None:
    add(programs, "python3.14", 'echo "pyenv: python3.14: command not found" >&2; exit 127')
    add(programs, "python3.13", f'exec "{sys.executable}" "$@"')

    assert find(checkout, programs) == sys.executable


def test_find_python_passes_by_one_without_venv(checkout: Path, programs: Path) -> None:
    add(programs, "python3.12", 'echo "No module named ensurepip" >&2; exit 1')
    pyenv = programs / ".pyenv" / "versions" / "3.13.0" / "bin"
    pyenv.mkdir(parents=True)
    add(pyenv, "python", f'exec "{sys.executable}" "$@"')

    assert find(checkout, programs) == sys.executable


def test_find_python_asks_uv_last(checkout: Path, programs: Path) -> None:
    add(programs, "uv", f'test "$1 $2" = "python find" && echo "{sys.executable}"')

    assert find(checkout, programs) == sys.executable


def test_scripts_can_be_run() -> None:
    for script in (ROOT / "scripts").iterdir():
        assert os.access(script, os.X_OK) == (not script.suffix), (
            script.name
        )  # others are sourced or imported
