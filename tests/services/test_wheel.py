"""The package as pip makes it out of a checkout: complete, and of use without one."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_LEFT_OUT = {"__pycache__", ".ruff_cache", "ruff.toml"}
PROGRAM = """
from clientcreds_proxy.cli import main
print(main.__file__)
main.main()
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel's files are."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--wheel-dir", folder)
    subprocess.run((sys.executable, "-m", "pip", "wheel", *options, ROOT), check=True)
    (wheel,) = folder.glob("clientcreds_proxy-*-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_wheel_has_every_file_of_the_package(installed: Path) -> None:
    assert _files(installed / "clientcreds_proxy") == _files(ROOT / "addon" / "clientcreds_proxy")
    assert "clientcreds = clientcreds_proxy.cli.main:main" in _read(installed, "entry_points.txt")
    assert "License-Expression: MIT" in _read(installed, "METADATA")


def test_command_of_the_wheel_needs_no_checkout(installed: Path, tmp_path: Path) -> None:
    config = ROOT / "config" / "providers" / "auth0.yaml"

    done = subprocess.run(
        (sys.executable, "-c", PROGRAM, "check", config),
        env={**os.environ, "PYTHONPATH": str(installed), "AUTH0_CLIENT_SECRET": "made-up"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{installed / 'clientcreds_proxy' / 'cli' / 'main.py'}\n"


def _files(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*.*") if path.is_file())
    return {str(path) for path in found if not _LEFT_OUT.intersection(path.parts)}


def _read(installed: Path, name: str) -> str:
    (path,) = installed.glob(f"*.dist-info/**/{name}")
    return path.read_text()
