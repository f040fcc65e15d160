"""docs/importing.md: each gateway's file there becomes the rules that stand below it."""

import re
from pathlib import Path

import pytest

from clientcreds_proxy.migrate.importer import READERS, Gateway, convert

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "importing.md").read_text()
FILES: dict[Gateway, str] = {
    "krakend": "krakend.json",
    "traefik": "traefik.yaml",
    "kong": "kong.yaml",
    "envoy": "envoy.yaml",
}
PAIR = re.compile(
    r"^## (\w+)$.*?^```(?:json|yaml)\n(.*?)^```$.*?^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
EXAMPLES = {found[1].lower(): (found[2], found[3]) for found in PAIR.finditer(PAGE)}


@pytest.mark.parametrize("gateway", READERS)
def test_example_is_imported_as_shown(gateway: Gateway) -> None:
    source, expected = EXAMPLES[gateway]

    assert convert(gateway, source, FILES[gateway]).config == expected
