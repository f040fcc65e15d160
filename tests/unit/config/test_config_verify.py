import pytest

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import Verify
from tests.unit.config.files import Files, fits, pairs, with_source

ISSUER = "https://idp.example.com/realms/main"


def verify_of(files: Files, keys: str) -> Verify | None:
    return files.load(with_source(f"client_secret: ${{env:SECRET}}\n{keys}")).sources["s"].verify


def test_tokens_are_used_unread_without_it(files: Files) -> None:
    assert verify_of(files, f"issuer: {ISSUER}") is None


def test_defaults_are_the_issuer_and_its_keys(files: Files) -> None:
    assert verify_of(files, f"issuer: {ISSUER}\nverify: {{}}") == Verify(issuer=ISSUER)


def test_every_key_is_taken(files: Files) -> None:
    keys = (
        "verify: {signature: true, issuer: https://other.example, audience: [a, b], scopes_required: x y, "
        "leeway_seconds: 0, jwks_url: https://idp.example.com/jwks, "
        "introspection_url: https://idp.example.com/introspect}"
    )

    assert verify_of(files, keys) == Verify(
        issuer="https://other.example",
        audience=("a", "b"),
        scopes_required=("x", "y"),
        leeway_seconds=0,
        jwks_url="https://idp.example.com/jwks",
        introspection_url="https://idp.example.com/introspect",
    )


def test_own_client_of_a_source_with_callers_asks_about_their_tokens(files: Files) -> None:
    found = verify_of(files, f"issuer: {ISSUER}\ncaller: {{}}\nverify: {{}}")

    assert found is not None
    assert found.inspector == ("app", (Secret("s3cret"),))


REFUSED = """
verify: {}
  7:5: token_sources.s.verify: nothing says where keys are; expected jwks_url, introspection_url, …
verify: {signature: true, audience: x}
  7:5: token_sources.s.verify: nothing says where keys are; expected jwks_url, introspection_url, …
verify: {jwks_url: http://idp.example.com/jwks}
  7:14: token_sources.s.verify.jwks_url: expected https: …
verify: {introspection_url: /introspect}
  7:14: token_sources.s.verify.introspection_url: not a URL; expected https://HOST/PATH
verify: {jwks_url: https://idp.example.com/jwks, leeway_seconds: -1}
  7:54: token_sources.s.verify.leeway_seconds: expected a number of 0 or more
verify: {sigature: false}
  7:14: token_sources.s.verify.sigature: unknown key, did you mean 'signature'?
verify: true
  7:5: token_sources.s.verify: expected a mapping, found true
"""


@pytest.mark.parametrize(("keys", "line"), pairs(REFUSED))
def test_verify_is_refused(keys: str, line: str, files: Files) -> None:
    problems = files.problems(with_source(f"client_secret: ${{env:SECRET}}\n{keys}"))

    assert any(fits(problem, line) for problem in problems), problems


def test_unchecked_signature_draws_a_warning(files: Files) -> None:
    warnings = files.warnings(with_source("client_secret: ${env:SECRET}\nverify: {signature: false}"))

    assert warnings[1:] == [
        "7:14: token_sources.s.verify.signature: claims are taken from tokens whose signature nobody looks at"
    ]
