"""The examples of docs/commands.md, run as they stand there."""

import itertools
import re
import shlex
from pathlib import Path

import click
import pytest

from clientcreds_proxy.cli.main import commands
from tests.unit.cli.running import run

PAGE = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()
CONFIG = next(text for text in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
BLOCKS = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = [
    tuple(example.split("\n", 1))
    for block in BLOCKS
    for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
]


@pytest.mark.parametrize(
    ("line", "output"), [pytest.param(*each, id=each[0]) for each in EXAMPLES if each[1].strip()]
)
def test_example_prints_what_the_page_shows(
    line: str, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clientcreds.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)

    result = run(*shlex.split(line, comments=True)[1:], environ={"BILLING_SECRET": "made up"})

    assert result.output == output.rstrip("\n") + "\n"


@pytest.mark.parametrize("line", [line for line, _ in EXAMPLES])
def test_example_names_a_command_and_options_that_there_are(line: str) -> None:
    inner = re.search(r"\$\((.*)\)", line)
    program, name, *arguments = shlex.split(inner[1] if inner else line, comments=True)
    command = commands.commands[name]
    if isinstance(command, click.Group):
        command = command.commands[arguments[0]]
    known = {option for parameter in command.params for option in parameter.opts}

    assert program == "clientcreds"
    if not command.context_settings.get("ignore_unknown_options"):
        ours = itertools.takewhile(lambda each: each != "--", arguments)
        assert {each for each in ours if each.startswith("-")} <= known


def test_page_has_a_section_for_every_command() -> None:
    titles = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)

    assert set(commands.commands) <= set(re.findall(r"[\w-]+", " ".join(titles)))
