"""Contract section 2, `caller`: callers with credentials of their own."""

import pytest

from clientcreds_proxy.tokens.model import Assertion, Caller
from tests.unit.config.files import Files, fits, pairs

HEAD = "version: 1\ntoken_sources:\n  s:\n    token_url: https://idp.example.com/token\n"


def with_keys(*lines: str) -> str:
    return HEAD + "".join(f"    {line}\n" for line in lines) + "rules: []\n"


@pytest.mark.parametrize(
    ("written", "caller"),
    [
        ("{}", Caller(places=("header",), hide_credentials=True)),
        ("{from: query}", Caller(places=("query",))),
        (
            "{from: [body, query, header, proxy_authorization], hide_credentials: false}",
            Caller(places=("body", "query", "header", "proxy_authorization"), hide_credentials=False),
        ),
    ],
)
def test_caller_takes_its_places_in_order(files: Files, written: str, caller: Caller) -> None:
    loaded = files.load(with_keys(f"caller: {written}"))

    assert loaded.sources["s"].caller == caller
    assert (loaded.sources["s"].client_id, loaded.sources["s"].client_secrets) == ("", ())
    assert [warning.message for warning in loaded.warnings] == [
        "no rules yet: every request is passed on as it is"
    ]


def test_source_has_no_callers_of_their_own_unless_it_says_so(files: Files) -> None:
    loaded = files.load(with_keys("client_id: app", "client_secret: ${env:SECRET}"))

    assert loaded.sources["s"].caller is None


def test_source_may_have_credentials_beside_its_callers(files: Files) -> None:
    """They serve introspection."""
    loaded = files.load(with_keys("caller: {}", "client_id: app", "client_secret: ${env:SECRET}"))

    assert loaded.sources["s"].client_id == "app"


def test_callers_may_sign_with_their_secrets(files: Files) -> None:
    loaded = files.load(
        with_keys("caller: {}", "client_auth: client_secret_jwt", "assertion: {algorithm: HS384}")
    )

    assert loaded.sources["s"].assertion == Assertion(algorithm="HS384", key=None)


def test_key_of_an_assertion_is_no_credential_of_callers(files: Files) -> None:
    assert files.warnings(with_keys("caller: {}", "assertion: {key: x}"))[1:] == [
        "6:5: token_sources.s.assertion: has no effect with client_auth auto"
    ]


@pytest.mark.parametrize(
    ("written", "said"),
    pairs("""
caller:
  5:5: token_sources.s.caller: expected a mapping, found null
caller: {hide: true}
  5:14: token_sources.s.caller.hide: unknown key, expected one of from, hide_credentials
caller: {form: header}
  5:14: token_sources.s.caller.form: unknown key, did you mean 'from'?
caller: {places: header}
  5:14: token_sources.s.caller.places: unknown key, expected one of from, hide_credentials
caller: {from: []}
  5:14: token_sources.s.caller.from: is empty; expected at least one
caller: {from: [header, query, header]}
  5:14: token_sources.s.caller.from: names one twice
caller: {from: [header, querry]}
  5:29: token_sources.s.caller.from[1]: expected 'proxy_authorization', 'header', 'body' or 'query'; …
caller: {hide_credentials: 1}
  5:14: token_sources.s.caller.hide_credentials: expected true or false, found a number
"""),
)
def test_caller_says_what_is_wrong_with_it(files: Files, written: str, said: str) -> None:
    (problem,) = files.problems(with_keys(written))

    assert fits(problem, said), problem


@pytest.mark.parametrize(
    ("beside", "said"),
    pairs("""
client_auth: none
  6:5: token_sources.s.client_auth: callers bring a secret, which none does not send; expected one of auto, …
client_auth: private_key_jwt
  6:5: token_sources.s.client_auth: callers bring a secret, which private_key_jwt does not send; …
client_secret: x
  6:5: token_sources.s.client_secret: belongs to a client_id; expected both or none beside caller
client_id: ""
  6:5: token_sources.s.client_id: is empty
endpoint_params: {client_id: x}
  6:23: token_sources.s.endpoint_params.client_id: each caller brings a client_id of …
preset: twitch
  5:5: token_sources.s.caller: Twitch wants the source's client id with each request
"""),
)
def test_caller_contradicts_what_stands_beside_it(files: Files, beside: str, said: str) -> None:
    problems = files.problems(with_keys("caller: {}", beside))

    assert fits(problems[0], said), problems
