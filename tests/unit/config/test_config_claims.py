import pytest

from tests.unit.config.files import Files, with_rule

NEEDS_A_SOURCE = """
claims: Equals(`a`, `b`)
forward_headers: {X-A: a}
username_claim: sub
"""
CONTRADICTIONS = {
    "claims: Equals(`a`, `b`)\nattach: {when_present: keep}": "6:5: rules[0].claims: can't be checked with",
    "forward_headers: {X-A: a, x-a: b}": "6:5: rules[0].forward_headers: names one header twice",
    "forward_headers: {dpop: a}": "6:5: rules[0].forward_headers: can't name DPoP",
    "forward_headers: {authorization: a}": "6:5: rules[0].forward_headers: names the header that carries",
}


def test_claims_need_a_token_source(files: Files) -> None:
    problems = files.problems(with_rule(NEEDS_A_SOURCE, source=False))

    why = "needs a token_source: claims are those of its token"
    assert problems == [
        f"6:5: rules[0].claims: {why}",
        f"7:5: rules[0].forward_headers: {why}",
        f"8:5: rules[0].username_claim: {why}",
    ]


@pytest.mark.parametrize(("keys", "problem"), CONTRADICTIONS.items())
def test_keys_about_claims_must_not_contradict(keys: str, problem: str, files: Files) -> None:
    (found,) = files.problems(with_rule(keys))

    assert found.startswith(problem)


@pytest.mark.parametrize("claim", ["aud", "iss", "azp"])
def test_contains_on_an_identifier_draws_a_warning(claim: str, files: Files) -> None:
    warnings = files.warnings(with_rule(f"claims: Equals(`a`, `b`) || !Contains(`{claim}`, `x`)"))

    (warning,) = warnings
    assert warning.startswith(f"6:5: rules[0].claims: Contains on {claim} holds for any text")


def test_contains_on_another_claim_draws_no_warning(files: Files) -> None:
    assert files.warnings(with_rule("claims: Contains(`user.aud`, `x`) && Equals(`aud`, `y`)")) == []
