import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clientcreds_proxy.config.keys.schema import schema_text
from clientcreds_proxy.config.load import load
from tests.unit.config.files import Files

CONFIG = Path(__file__).parents[3] / "config"


def properties(node: object) -> Iterator[tuple[str, dict[str, object]]]:
    if isinstance(node, dict):
        yield from node.get("properties", {}).items()
        for value in node.values():
            yield from properties(value)


def test_committed_schema_is_the_generated_one() -> None:
    assert (CONFIG / "schema.json").read_text() == schema_text(), "clientcreds schema > config/schema.json"


def test_every_key_is_described_on_one_line() -> None:
    schema = json.loads(schema_text())
    described = dict(properties(schema))

    assert len(described) > 50
    for name, key in described.items():
        referred = schema["$defs"].get(str(key.get("$ref")).rpartition("/")[2], {})
        text = key.get("description", referred.get("description"))
        assert isinstance(text, str), name
        assert "\n" not in text


@pytest.mark.parametrize("pointer", ["host", "path", "methods", "scheme"])
def test_one_value_stands_for_a_list(pointer: str) -> None:
    schema = json.loads(schema_text())["$defs"]["Match"]["properties"][pointer]

    assert [way.get("type") for way in schema["anyOf"]] == ["string", "array"]


def test_example_has_no_rules_and_loads() -> None:
    config = load(CONFIG / "rules.example.yaml", environ={})

    assert config.rules == ()
    assert [warning.message for warning in config.warnings] == [
        "no rules yet: every request is passed on as it is"
    ]


def test_example_is_valid_once_its_block_is_uncommented(files: Files) -> None:
    before, marked, rest = (
        (CONFIG / "rules.example.yaml").read_text().partition("# --- your first rule: from here\n")
    )
    block, mark, after = rest.partition("# --- to here\n")
    bare = "".join(line.removeprefix("# ") for line in block.splitlines(keepends=True))
    files.environ["API_CLIENT_SECRET"] = "x"

    config = files.load(before + marked + bare.replace("\n#\n", "\n\n") + mark + after)

    assert [rule.name for rule in config.rules] == ["my-api"]
    assert config.warnings == ()


def test_example_names_the_schema_for_editors() -> None:
    first = (CONFIG / "rules.example.yaml").read_text().splitlines()[0]

    assert first == "# yaml-language-server: $schema=./schema.json"
