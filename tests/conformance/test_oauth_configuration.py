"""Statements of the checklist that hold when a configuration is read."""

from pathlib import Path

import pytest

from tests.unit.config.files import Files, with_source


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(folder=tmp_path)


def with_issuer(issuer: str) -> str:
    return with_source("client_secret: ${env:SECRET}").replace(
        "token_url: https://idp.example.com/token", f"issuer: '{issuer}'"
    )


@pytest.mark.parametrize("key", ["method: GET", "http_method: GET"])
def test_token_request_has_no_other_method(key: str, files: Files) -> None:
    """A01."""
    (problem,) = files.problems(with_source(f"client_secret: x\ntoken_request: {{{key}}}"))

    assert "unknown key" in problem


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\0"])
def test_line_break_inside_a_secret_is_refused(line_break: str, files: Files) -> None:
    """A15: also from a file, whose last one is dropped."""
    files.write("secret", f"one{line_break}two\n".encode())

    (problem,) = files.problems(with_source("client_secret: ${file:secret}"))

    assert "holds a line break or another control character" in problem


def test_client_id_outside_ascii_draws_a_warning(files: Files) -> None:
    """A15."""
    text = with_source("client_secret: ${env:SECRET}").replace("id: app", "id: äpp")

    found = files.warnings(text)

    assert any("token_sources.s.client_id: holds characters outside ASCII" in said for said in found)


@pytest.mark.parametrize("name", ["client_assertion", "client_assertion_type", "client_secret", "client_id"])
def test_parameter_that_authenticates_is_refused(name: str, files: Files) -> None:
    """A23."""
    (problem,) = files.problems(
        with_source(f"client_secret: ${{env:SECRET}}\nendpoint_params: {{{name}: another}}")
    )

    assert f"token_sources.s.endpoint_params.{name}: " in problem


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256"])
def test_algorithm_that_proves_nothing_is_refused(algorithm: str, files: Files) -> None:
    """E09: a private key signs no HMAC, and no signature is none."""
    keys = f"client_auth: private_key_jwt\nassertion: {{key: key.json, algorithm: {algorithm}}}"
    files.write("key.json", KEY)

    assert any("assertion.algorithm: " in problem for problem in files.problems(with_source(keys)))


@pytest.mark.parametrize("resource", ["orders", "/orders", "//api.example.com", "00000002-0000-c000"])
def test_resource_that_is_no_absolute_uri_draws_a_warning(resource: str, files: Files) -> None:
    """G01."""
    found = files.warnings(with_source(f"client_secret: ${{env:SECRET}}\nresource: {resource}"))

    assert any("token_sources.s.resource: no absolute URI" in said for said in found)


@pytest.mark.parametrize("resource", ["https://api.example.com/", "urn:example:api", "api://4711"])
def test_resource_that_is_an_absolute_uri_draws_no_warning(resource: str, files: Files) -> None:
    """G01."""
    found = files.warnings(with_source(f"client_secret: ${{env:SECRET}}\nresource: {resource}"))

    assert not any("resource" in said for said in found)


@pytest.mark.parametrize(
    ("issuer", "expected"),
    [
        ("http://idp.example.com", "expected https"),
        ("https://idp.example.com/?realm=x", "without query, fragment and user name"),
        ("https://idp.example.com?", "without query, fragment and user name"),
        ("https://idp.example.com/#x", "without query, fragment and user name"),
        ("https://me@idp.example.com", "without query, fragment and user name"),
    ],
)
def test_issuer_is_https_without_query_and_fragment(issuer: str, expected: str, files: Files) -> None:
    """H01."""
    (problem,) = files.problems(with_issuer(issuer))

    assert "token_sources.s.issuer: " in problem
    assert expected in problem


@pytest.mark.parametrize("issuer", ["https://idp.example.com", "https://idp.example.com/realms/x/"])
def test_issuer_may_have_a_path(issuer: str, files: Files) -> None:
    """H01."""
    assert files.load(with_issuer(issuer)).sources["s"].issuer == issuer


KEY = """{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
"y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"""
