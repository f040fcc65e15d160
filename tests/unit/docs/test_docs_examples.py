import json
import re
from pathlib import Path

import pytest

from clientcreds_proxy.config.keys.schema import schema_text
from clientcreds_proxy.config.load import attempt
from tests.unit.tokens.signing import P256, pem

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = [
    pytest.param(found.group(1), id=f"{page.name}:{page.read_text()[: found.start()].count('\n') + 1}")
    for page in PAGES
    if page.parent.name != "guides"  # tests/services types in what stands there
    for found in re.finditer(r"^```yaml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    if "version: 1" in found.group(1)
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_docs_example_loads(text: str, tmp_path: Path) -> None:
    (tmp_path / "billing").write_text("made up")
    (tmp_path / "billing.pem").write_text(pem(P256))
    path = tmp_path / "rules.yaml"
    path.write_text(text.replace("/run/secrets/", ""))
    environ = dict.fromkeys(re.findall(r"\$\{env:(\w+)\}", text), "made up, and long enough")
    environ["ISSUER"] = "https://idp.example.com"
    for name, key in re.findall(r"urn:k8s:secret:([\w-]+):([\w-]+)\n", text):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / key).write_text("made up, and long enough")
    environ["CLIENTCREDS_K8S_SECRETS"] = str(tmp_path)

    loaded = attempt(path, environ=environ)

    assert loaded.problems == ()


def test_configuration_page_names_every_key() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()

    missing = {key for key in _keys(json.loads(schema_text())) if not re.search(rf"\b{key}\b", page)}

    assert missing == set()


def test_answers_page_names_every_reason() -> None:
    page = (ROOT / "docs" / "answers.md").read_text()
    reasons = re.findall(
        r'status, reason, title = (\d+), "(\w+)"',
        (ROOT / "addon/clientcreds_proxy/errors.py").read_text(),
    )

    missing = [reason for status, reason in reasons if f"| {status} | `{reason}` |" not in page]

    assert reasons
    assert missing == []


def test_readme_links_lead_somewhere() -> None:
    for page in PAGES:
        links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
        assert [link for link in links if not (page.parent / link).exists()] == []


def _keys(node: object) -> set[str]:
    """Every property that a JSON Schema names, at any depth."""
    if isinstance(node, list):
        return set().union(*(_keys(item) for item in node))
    if not isinstance(node, dict):
        return set()
    named = set(node["properties"]) if isinstance(node.get("properties"), dict) else set()
    return named.union(*(_keys(value) for value in node.values()))
