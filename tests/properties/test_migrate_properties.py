"""Whatever a gateway's file holds, importing it gives rules or an error with a place, and no secret."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from clientcreds_proxy.config.reading.yaml import parse
from clientcreds_proxy.errors import ConfigError
from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.importer import Gateway, convert
from clientcreds_proxy.migrate.notes import Notes, Page
from clientcreds_proxy.migrate.traefik.match import MatchError, alternatives
from clientcreds_proxy.migrate.vault import Reference, Vault
from clientcreds_proxy.migrate.write import scalar

FIXTURES = Path(__file__).parents[1] / "unit" / "migrate"
GATEWAYS: tuple[Gateway, ...] = get_args(Gateway)
FILES = {
    gateway: [[*yaml.safe_load_all(path.read_text())] for path in sorted((FIXTURES / gateway).iterdir())]
    for gateway in GATEWAYS
}
SECRET_KEYS = {"client_secret", "clientSecret", "password", "inline_string"}
words = st.sampled_from(
    [
        *("name", "host", "match", "url", "config", "client_id", "", "a b", "GET", "*", "/a/{b}", "\n"),
        *("${env:X}", "$${", "{{ x }}", "https://a.example/b?api_key=c", "http://[", "~/["),
        *("urn:k8s:a:b", "urn:k8s:secret:..:x", "Host(`a`)"),
    ]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | words
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def with_canaries(node: Any, number: list[int]) -> Any:
    """`node` with a secret of its own in each place for one."""
    if isinstance(node, list):
        return [with_canaries(item, number) for item in node]
    if not isinstance(node, dict):
        return node
    filled = {}
    for key, value in node.items():
        is_secret = key in SECRET_KEYS and isinstance(value, str)
        number[0] += is_secret
        filled[key] = f"canary-{number[0]}-s3cr3t" if is_secret else with_canaries(value, number)
    return filled


def mutated(draw: st.DrawFn, node: Any) -> Any:
    """`node` with something in it replaced, removed or added; keys of secrets stay what they are."""
    if not isinstance(node, dict | list) or not node or draw(st.integers(0, 7)) == 0:
        return draw(values)
    if isinstance(node, list):
        index = draw(st.integers(0, len(node) - 1))
        return [*node[:index], mutated(draw, node[index]), *node[index + draw(st.integers(0, 1)) :]]
    key = draw(st.sampled_from(sorted(node)))
    kept = {name: value for name, value in node.items() if name != key or draw(st.booleans())}
    if key in SECRET_KEYS:
        return kept
    return kept | {draw(st.just(key) | words): mutated(draw, node[key])}


@st.composite
def files(draw: st.DrawFn, gateway: Gateway) -> str:
    documents = with_canaries(draw(st.sampled_from(FILES[gateway])), [0])
    for _ in range(draw(st.integers(1, 5))):
        documents = mutated(draw, documents)
    whole = documents if isinstance(documents, list) else [documents]
    return yaml.safe_dump_all(whole, allow_unicode=True, width=60)


def check(gateway: Gateway, text: str) -> None:
    lines = re.split("\r\n|[\r\n\x85\u2028\u2029]", text)
    try:
        found = convert(gateway, text, "f")
    except ConfigError as error:
        said, shown = error.problems, str(error)
    else:
        said = (*found.lost, *found.notes)
        shown = "\n".join([found.config, *map(str, said)])
    assert "canary-" not in shown
    for problem in said:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert str(problem).isprintable()


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_mutated_file_is_imported_or_refused_without_a_secret(gateway: Gateway) -> None:
    @given(files(gateway))
    @settings(max_examples=60, deadline=None)
    def examine(text: str) -> None:
        check(gateway, text)

    examine()


@given(
    st.sampled_from(GATEWAYS),
    st.text(alphabet="[]{}:,-&*!|>'\"%#? \n\r\t\x85\u2028a1~<", max_size=40) | st.text(max_size=40),
)
@settings(max_examples=300, deadline=None)
def test_any_text_is_imported_or_refused(gateway: Gateway, text: str) -> None:
    check(gateway, text)


@given(
    st.lists(
        st.sampled_from(
            ["Host(`a.b`)", "PathPrefix(`/x`)", "!", "(", ")", "&&", "||", " ", "`", '"', "Path", "x"]
        ),
        max_size=14,
    ).map("".join)
    | st.text(max_size=20)
)
@settings(max_examples=500, deadline=None)
def test_any_route_of_traefik_is_read_or_refused_with_its_position(text: str) -> None:
    try:
        found = alternatives(text)
    except MatchError as error:
        place = re.match(r"position (\d+): ", str(error))
        assert place is not None
        assert 1 <= int(place[1]) <= len(text) + 1
    else:
        assert found


texts = st.text(max_size=30) | st.text(alphabet="-:#?&*!|>'\"%@`{}[], \\\n\t~nNyYtTfF0123.eE", max_size=12)


@given(texts, st.booleans())
@settings(max_examples=500, deadline=None)
def test_a_text_is_written_so_that_it_is_read_again(text: str, inside: bool) -> None:  # noqa: FBT001 - hypothesis
    written = scalar(text, inside=inside)

    line = f"key: [{written}, b]\n" if inside else f"key: {written}\n"

    assert parse(line).value() == {"key": [text, "b"] if inside else text}


@given(
    st.text(min_size=6, max_size=12).filter(lambda secret: secret not in "${env:HINT_SECRET}"),
    st.text(max_size=10),
)
@settings(max_examples=300, deadline=None)
def test_a_text_with_a_secret_in_it_is_written_with_a_reference(secret: str, text: str) -> None:
    vault = Vault()
    vault.keep(secret, At(Page(Notes("f"), parse("a: b")), "x"), "hint")

    masked = vault.masked(f"{text}{secret}")

    assert isinstance(masked, Reference)
    assert "${env:" in masked.text
    assert secret not in masked.text.replace("$${", "${")
