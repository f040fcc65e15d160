"""What is printed is read by the shells themselves, where this machine has them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from clientcreds_proxy.cli.clients.shells import argument_lines, written

VARIABLES = {
    "A": "http://127.0.0.1:8080",
    "B": 'it\'s "quoted" $HOME `id` \\ and % spaced  twice',
    "C": "",
    "D": "a|b;c&d*?#e",
}


def read_by(*command: str) -> dict[str, str]:
    done = subprocess.run(command, capture_output=True, check=True, text=True, env={"PATH": "/usr/bin:/bin"})
    values = dict(line.split("=", 1) for line in done.stdout.split("\0") if "=" in line)
    return {name: values[name] for name in VARIABLES}


@pytest.mark.parametrize("shell", [each for each in ("sh", "dash", "bash", "zsh") if shutil.which(each)])
def test_sh_reads_what_is_written(shell: str) -> None:
    lines = "\n".join(written("sh", VARIABLES))

    assert read_by(shell, "-c", f"{lines}\nenv -0") == VARIABLES


def test_sh_reads_it_as_one_line_too() -> None:
    """`eval $(clientcreds env)`, without quotes."""
    plain = {"A": VARIABLES["A"], "C": "", "D": "x"}

    assert read_by("sh", "-c", f"B=; export B; {' '.join(written('sh', plain))} env -0") == {**plain, "B": ""}


@pytest.mark.parametrize("shell", [each for each in ("fish",) if shutil.which(each)])
def test_fish_reads_what_is_written(shell: str) -> None:
    lines = "\n".join(written("fish", VARIABLES))

    assert read_by(shell, "--no-config", "-c", f"{lines}\nenv -0") == VARIABLES


def test_fish_escapes_quotes_and_backslashes() -> None:
    assert written("fish", VARIABLES)[1] == (
        r"""set -gx B 'it\'s "quoted" $HOME `id` \\ and % spaced  twice';"""
    )


def test_powershell_doubles_every_kind_of_single_quote() -> None:
    assert written("powershell", {"A": "it's \u2019 $x"}) == ["$env:A = 'it''s \u2019\u2019 $x'"]


def test_docker_takes_a_value_as_it_is() -> None:
    assert written("docker", VARIABLES) == [f"{name}={value}" for name, value in VARIABLES.items()]


def test_systemd_reads_quotes_backslashes_and_percent_signs() -> None:
    assert written("systemd", {"A": 'a "b" \\c %d $e'}) == [
        "[Service]",
        'Environment="A=a \\"b\\" \\\\c %%d $e"',
    ]


def test_java_arguments_with_a_space_are_quoted(tmp_path: Path) -> None:
    assert argument_lines(("-Da=b", "-Dc=d\\e f")) == ["-Da=b", '"-Dc=d\\\\e f"']
