"""Contract section 7: every choice is documented, with examples that load."""

import re
from pathlib import Path

import pytest
import yaml

from clientcreds_proxy.martian.parse import parse
from clientcreds_proxy.martian.registry import KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "martian.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES)
def test_docs_example_loads(example: str) -> None:
    """Section 7: what the page shows can be used as it stands."""
    parse(yaml.safe_load(example))


@pytest.mark.parametrize("name", KINDS)
def test_docs_name_every_modifier(name: str) -> None:
    """Section 7: a modifier that is there is in the page's table."""
    assert re.search(rf"^\|.*`{re.escape(name)}`", PAGE, re.MULTILINE)
