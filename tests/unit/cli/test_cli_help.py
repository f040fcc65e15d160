import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import clientcreds_proxy
from clientcreds_proxy import __version__
from clientcreds_proxy.cli.main import commands
from tests.unit.cli.running import run


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package in a folder of its own: a checkout may hold a configuration."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.copytree(Path(clientcreds_proxy.__file__).parent, folder / "clientcreds_proxy")
    return folder


def groups(group: click.Group = commands, name: str = "") -> Iterator[tuple[str, click.Group]]:
    """Every command that has commands of its own."""
    yield name, group
    for each in group.commands.values():
        if isinstance(each, click.Group):
            yield from groups(each, f"{name} {each.name}".strip())


@pytest.mark.parametrize(("name", "group"), list(groups()))
def test_help_says_what_each_command_does_in_one_whole_line(name: str, group: click.Group) -> None:
    said = run(*name.split(), "--help").stdout.partition("\nCommands:\n")[2].partition("\n\n")[0]

    lines = [line.split(maxsplit=1) for line in said.splitlines()]
    assert [command for command, _ in lines] == sorted(group.commands)
    assert all(text.endswith(".") and not text.endswith("...") and len(text) <= 55 for _, text in lines), said


def paths(group: click.Group = commands, *names: str) -> Iterator[tuple[str, ...]]:
    """Every command, and every command of a command."""
    for name, command in group.commands.items():
        yield (*names, name)
        if isinstance(command, click.Group):
            yield from paths(command, *names, name)


@pytest.mark.parametrize("path", list(paths()), ids=" ".join)
def test_help_of_every_command_has_examples_exit_codes_and_config(path: tuple[str, ...]) -> None:
    said = run(*path, "--help").stdout

    assert "\n  Examples:\n    clientcreds " in said or "\n  Examples:\n    eval " in said
    assert "\n  Exit codes:\n" in said
    assert ("\n  --config FILE " in said) == (path != ("import",))


@pytest.mark.parametrize("words", ["check", "explain GET http://a.example/", "token x", "serve", "run true"])
def test_no_configuration_is_one_line_that_says_how_to_get_one(words: str, installed: Path) -> None:
    command = [sys.executable, "-m", "clientcreds_proxy.cli", *words.split()]
    environ = {"PATH": os.environ["PATH"], "HOME": str(installed), "PYTHONPATH": str(installed)}

    done = subprocess.run(
        command,
        cwd=installed,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    first, *more = (done.stdout + done.stderr).splitlines()
    assert done.returncode == (125 if words.startswith("run") else 1)
    assert first.startswith("clientcreds.yaml:1:1: no configuration found")
    assert first.endswith("`clientcreds init -o clientcreds.yaml` writes one")
    assert more == (["1 error: this configuration can't be used"] if words == "check" else [])


def test_version_is_told() -> None:
    assert run("--version").stdout == f"clientcreds {__version__}\n"
