import pytest

from clientcreds_proxy.rules.model import Attach
from tests.unit.config.files import Files, with_rule, with_source

SECRET = "client_secret: ${env:SECRET}"


def with_bound_source(rule: str) -> str:
    """A file whose rule has these keys, and whose source binds its tokens to a key."""
    return with_rule(rule).replace("client_id: app", "client_id: app, dpop: true")


def test_bound_tokens_go_out_as_dpop(files: Files) -> None:
    config = files.load(with_bound_source("attach: {when_present: keep}"))

    assert config.sources["s"].dpop
    assert config.rules[0].attach == Attach(scheme="DPoP", when_present="keep")


@pytest.mark.parametrize(
    "attach", ["{scheme: DPoP}", "{scheme: dpop}", "{header: authorization, scheme: DPoP}"]
)
def test_the_right_scheme_may_be_written_out(files: Files, attach: str) -> None:
    config = files.load(with_bound_source(f"attach: {attach}"))

    assert config.rules[0].attach.scheme == "DPoP"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("attach: {scheme: Bearer}", "rules[0].attach.scheme: with dpop the scheme is DPoP"),
        ("attach: {header: X-Token}", "rules[0].attach.header: with dpop the token goes into"),
    ],
)
def test_rule_contradicts_the_binding(files: Files, keys: str, expected: str) -> None:
    (found,) = files.problems(with_bound_source(keys))

    assert expected in found


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("dpop: true\nattach: {scheme: Bearer}", "attach.scheme: with dpop the scheme is DPoP"),
        ("dpop: true\nattach: {header: X-Token}", "attach.header: with dpop the token goes into"),
        ("attach: {scheme: DPoP}", "attach.scheme: the source's tokens are not bound to a key"),
        ("dpop: true\ntoken_response: {token_types: [Bearer, DPoP]}", "token_types: with dpop a token is"),
        ("dpop: true\napi_headers: {dpop: x}", "api_headers.dpop: with dpop this header carries"),
        ("dpop: true\ntoken_request: {headers: {DPoP: x}}", "headers.DPoP: with dpop this header carries"),
        ("certificate_bound: true", "certificate_bound: needs client.tls.cert and client.tls.key"),
    ],
)
def test_source_contradicts_the_binding(files: Files, keys: str, expected: str) -> None:
    """D18, F03, J05."""
    (found,) = files.problems(with_source(f"{SECRET}\n{keys}"))

    assert expected in found


def test_type_of_bound_tokens_may_be_written_out(files: Files) -> None:
    config = files.load(with_source(f"{SECRET}\ndpop: true\ntoken_response: {{token_types: [dpop]}}"))

    assert config.sources["s"].dpop


def test_certificate_needs_tls(files: Files) -> None:
    text = with_rule("allow_plain_http: true")
    problems = files.problems(text.replace("client_id: app", "client_id: app, certificate_bound: true"))

    assert any(
        "allow_plain_http: the source's tokens are bound to a certificate" in each for each in problems
    )
