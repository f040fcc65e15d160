"""Whatever a file holds, loading gives a configuration or problems that lie inside the file."""

import re
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from clientcreds_proxy.config.load import attempt
from clientcreds_proxy.config.reading.yaml import YamlError, parse

GOOD: dict[str, Any] = {
    "version": 1,
    "unmatched": "pass",
    "allowed_clients": ["127.0.0.0/8", "user:alice"],
    "token_sources": {
        "s": {
            "token_url": "https://idp.example.com/token",
            "client_id": "app",
            "client_secret": ["${env:SECRET}"],
            "scopes": "a, b",
            "endpoint_params": {"tenant": ["acme"], "grant_type": "x"},
            "token_request": {"headers": {"X-A": "b"}, "basic_encoding": "raw"},
            "token_response": {"token": "/a/b", "token_types": ["Bearer"]},
            "assertion": {
                "key": '{"kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA"}',
                "passphrase": "p",
                "algorithm": "EdDSA",
                "thumbprint": "x5t",
                "audience": "issuer",
            },
            "expiry": {"skew_seconds": 1, "default_ttl_seconds": "never"},
            "attach": {"header": "X-Key", "scheme": ""},
            "api_headers": {"X-Api-Key": "k"},
            "client": {"timeout_seconds": 5, "proxy": "http://p:1", "tls": {"insecure_skip_verify": True}},
        }
    },
    "rules": [
        {
            "name": "a",
            "match": {"host": ["api.example.com:8443"], "path": "/v2/**", "query": {"x": ["y"]}, "port": 443},
            "token_source": "s",
            "attach": {"when_present": "keep"},
            "modifiers": [{"header.Modifier": {"scope": ["request"], "name": "Host", "value": "a"}}],
        },
        {"name": "b", "match": {"host": "b.example"}, "token_source": {"token_url": "x", "client_id": "y"}},
    ],
    "status": {"listen": "127.0.0.1:8082"},
    "log": {"format": "json"},
    "include": ["more/*.yaml"],
}

words = st.sampled_from(
    [
        "name",
        "s",
        "match",
        "host",
        "client_id",
        "<<",
        "",
        "a b",
        "${env:X}",
        "$${",
        "any",
        "never",
        "header.Copy",
    ]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | words
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def mutated(draw: st.DrawFn, node: Any) -> Any:
    """`node` with something in it replaced, removed or added."""
    if not isinstance(node, dict | list) or not node or draw(st.integers(0, 5)) == 0:
        return draw(values)
    if isinstance(node, list):
        index = draw(st.integers(0, len(node) - 1))
        return [*node[:index], mutated(draw, node[index]), *node[index + draw(st.integers(0, 1)) :]]
    key = draw(st.sampled_from(sorted(node)))
    kept = {name: value for name, value in node.items() if name != key or draw(st.booleans())}
    return kept | {draw(st.just(key) | words): mutated(draw, node[key])}


@st.composite
def trees(draw: st.DrawFn) -> Any:
    tree = GOOD
    for _ in range(draw(st.integers(1, 4))):
        tree = mutated(draw, tree)
    return tree


def lines_of(text: str) -> list[str]:
    return re.split("\r\n|[\r\n\x85\u2028\u2029]", text)


def check(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.yaml"
        path.write_bytes(content)
        done = attempt(path, environ={"SECRET": "x"})
    assert (done.config is None) == bool(done.problems)
    lines = lines_of(content.decode(errors="replace").removeprefix("\ufeff"))
    for problem in [*done.problems, *(done.config.warnings if done.config else ())]:
        assert problem.file == str(path)
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert str(problem).isprintable()


@given(trees())
@settings(max_examples=300, deadline=None)
def test_mutated_configuration_is_loaded_or_refused_inside_the_file(tree: Any) -> None:
    check(yaml.safe_dump(tree, allow_unicode=True, width=60).encode("utf-8", "replace"))


@given(st.binary(max_size=40) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_loaded_or_refused_inside_the_file(content: bytes) -> None:
    check(content)


@given(
    st.text(alphabet="[]{}:,-&*!|>'\"%#? \n\r\t\x85\u2028a1~<", max_size=40),
    st.sampled_from([None, yaml.SafeLoader]),
)
@settings(max_examples=500, deadline=None)
def test_any_yaml_is_read_or_refused_inside_the_text(text: str, loader: type | None) -> None:
    lines = lines_of(text)
    try:
        document = parse(text, loader=loader) if loader else parse(text)
    except YamlError as error:
        places = [(error.line, error.column)]
    else:
        places = [(fault.line, fault.column) for _, fault in document.faults()]
    for line, column in places:
        assert 1 <= line <= len(lines)
        assert 1 <= column <= len(lines[line - 1]) + 1
