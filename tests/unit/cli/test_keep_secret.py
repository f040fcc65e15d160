from pathlib import Path

import pytest

from clientcreds_proxy.cli.clients.keep_secret import without_secrets
from clientcreds_proxy.config.load import Config, load

CONFIG = """
version: 1
token_sources:
  billing:
    token_url: https://${env:TENANT}.example/token
    client_id: app
    client_secret: [ "${env:BILLING_SECRET}", "${file:secret}" ]
    api_headers: {X-Key: "${env:API_KEY}"}
rules: []
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/made-up-secret-1",
        "TENANT": "acme",
        "BILLING_SECRET": "made-up-secret-1",
        "API_KEY": "a-long-key-of-an-api",
    }


@pytest.fixture
def config(tmp_path: Path, environ: dict[str, str]) -> Config:
    (tmp_path / "secret").write_text("made-up-secret-2\n")
    (tmp_path / "c.yaml").write_text(CONFIG)
    return load(tmp_path / "c.yaml", environ=environ)


def test_variables_that_references_name_are_gone(environ: dict[str, str], config: Config) -> None:
    assert config.variables == ("TENANT", "BILLING_SECRET", "API_KEY")
    assert set(without_secrets(environ, config.variables, config)) == {"HOME", "PATH"}


def test_what_no_program_can_do_without_stays(environ: dict[str, str]) -> None:
    needed = {"HOME": "/h", "PATH": "/p", "LC_ALL": "C", "XDG_CACHE_HOME": "/x"}

    assert without_secrets(needed, list(needed), None) == needed


@pytest.mark.parametrize(
    ("value", "is_there"),
    [
        ("made-up-secret-1", False),
        ("made-up-secret-2", False),
        ("postgres://me:made-up-secret-2@db/", False),
        ("a-long-key-of-an-api", False),
        ("prefix a-long-key-of-an-api", True),
        ("acme", True),
        ("made-up", True),
        ("", True),
    ],
)
def test_a_copy_of_a_secret_is_gone(
    value: str,
    is_there: bool,  # noqa: FBT001
    environ: dict[str, str],
    config: Config,
) -> None:
    assert ("COPY" in without_secrets({**environ, "COPY": value}, (), config)) is is_there


def test_names_are_enough_where_the_configuration_is_not(environ: dict[str, str]) -> None:
    """Of a proxy that runs already: this process need not have its secrets."""
    assert "BILLING_SECRET" not in without_secrets(environ, ("BILLING_SECRET",), None)
