"""Secrets that stand in the file itself, wherever the file can hold one."""

from pathlib import Path

import pytest
import trustme

from clientcreds_proxy.config.literal import literal_secrets
from tests.unit.config.files import Files, with_rule, with_source

SECRET = "the secret stands in this file; use ${env:NAME}, ${file:PATH} or ${cmd:PROGRAM}"
KEY = "the key stands in this file; use its path, ${env:NAME} or ${file:PATH}"
PASSWORD = "the password stands in this file; use ${env:NAME} or ${file:PATH} in its place"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(folder=tmp_path)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("client_secret: hunter2", f"6:5: token_sources.s.client_secret: {SECRET}"),
        ("client_secret: ['${env:SECRET}', hunter2]", f"6:38: token_sources.s.client_secret[1]: {SECRET}"),
        (
            "client_secret: ${env:SECRET}\nendpoint_params: {client_id: app, client_secret: [s3cret]}",
            f"7:55: token_sources.s.endpoint_params.client_secret[0]: {SECRET}",
        ),
        (
            "client_secret: ${env:SECRET}\nclient: {proxy: 'http://me:hunter2@proxy.example:3128'}",
            f"7:14: token_sources.s.client.proxy: {PASSWORD}",
        ),
    ],
)
def test_secret_in_the_file_draws_a_warning(keys: str, said: str, files: Files) -> None:
    """Contract section 2: a literal client_secret works and `check` warns about it."""
    assert [line for line in files.warnings(with_source(keys)) if "stands in this file" in line] == [said]


def test_key_in_the_file_draws_a_warning(files: Files) -> None:
    issued = trustme.CA().issue_cert("client.example")
    pem = issued.private_key_and_cert_chain_pem.bytes().decode()
    files.write("both.pem", pem)
    text = with_source("client_secret: ${env:SECRET}\nclient: {tls: {cert: both.pem, key: both.pem}}")
    indented = "".join(f"            {line}\n" for line in pem.splitlines())
    literal = text.replace("key: both.pem}}", f'key: "\n{indented}"}}}}').replace("\n            ", "\\n")

    assert "stands in this file" not in "".join(files.warnings(text))
    assert [line for line in files.warnings(literal) if "stands" in line] == [
        f"7:36: token_sources.s.client.tls.key: {KEY}"
    ]


@pytest.mark.parametrize(
    "keys",
    [
        "client_secret: ${env:SECRET}",
        "client_secret: 'x${env:SECRET}'",
        "client_secret: ${env:SECRET}\nclient: {proxy: 'http://proxy.example:3128'}",
        "client_secret: ${env:SECRET}\nclient: {proxy: 'http://me:${env:SECRET}@proxy.example:3128'}",
    ],
)
def test_reference_draws_no_warning(keys: str, files: Files) -> None:
    assert "stands in this file" not in "".join(files.warnings(with_source(keys)))


def test_names_of_the_api_are_no_secrets(files: Files) -> None:
    """A parameter, a header or a source may be called like one."""
    text = with_rule(
        "modifiers: {header.Modifier: {name: secret, value: a}}", match="host: a.b, query: {secret: a}"
    )

    assert (
        files.warnings(text.replace("{s: {", "{secret: {").replace("token_source: s", "token_source: secret"))
        == []
    )


def test_what_is_no_configuration_holds_no_secret() -> None:
    for value in (None, "hunter2", ["hunter2"], {"client_secret": ""}, {"proxy": "http://["}, {1: {2: "x"}}):
        assert list(literal_secrets(value, ())) == []
