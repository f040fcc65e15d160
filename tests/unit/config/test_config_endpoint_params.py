import pytest

from clientcreds_proxy.tokens.model import SourceSpec
from tests.unit.config.files import Files, with_source


def spec(files: Files, keys: str) -> SourceSpec:
    return files.load(with_source(keys)).sources["s"]


def test_endpoint_params_override_the_grant_type(files: Files) -> None:
    """Contract section 4; case cc-grant-type-override."""
    loaded = spec(files, "client_secret: x\nendpoint_params: {grant_type: [password], username: u}")

    assert loaded.token_request.grant_type == "password"
    assert loaded.endpoint_params == (("username", ("u",)),)


@pytest.mark.parametrize(
    "repeated", ["client_id: app", "client_secret: [next]", "client_id: app, client_secret: now"]
)
def test_endpoint_params_that_repeat_the_credentials_mean_post(repeated: str, files: Files) -> None:
    """A10; Contract section 4: KrakenD's documented Auth0 recipe."""
    loaded = spec(files, f"client_secret: [now, next]\nendpoint_params: {{{repeated}, tenant: x}}")

    assert loaded.client_auth == "client_secret_post"
    assert loaded.endpoint_params == (("tenant", ("x",)),)


def test_endpoint_params_take_a_scope_where_the_key_is_absent(files: Files) -> None:
    loaded = spec(files, "client_secret: x\nendpoint_params: {scope: a, audience: b, resource: [c, d]}")

    assert dict(loaded.endpoint_params) == {"scope": ("a",), "audience": ("b",), "resource": ("c", "d")}


@pytest.mark.parametrize(
    ("keys", "name", "message"),
    [
        ("scopes: [b]", "scope: a", "scope is here and in the key scopes; expected one of them"),
        ("audience: b", "audience: a", "audience is here and in the key audience; expected one of them"),
        ("resource: b", "resource: a", "resource is here and in the key resource; expected one of them"),
        ("", "grant_type: [a, b]", "expected one grant_type"),
        ("", "client_assertion: a", "client authentication is not set here: see client_auth"),
        ("", "client_assertion_type: a", "client authentication is not set here: see client_auth"),
        ("", "client_id: other", "other credentials than the source's"),
        ("", "client_secret: hunter2", "other credentials than the source's"),
        ("client_auth: client_secret_basic", "client_id: app", "the credentials would be sent in two ways"),
    ],
)
def test_endpoint_param_is_refused(keys: str, name: str, message: str, files: Files) -> None:
    """A10, A23; Contract section 4."""
    (problem,) = files.problems(with_source(f"client_secret: x\nendpoint_params: {{{name}}}\n{keys}"))

    assert problem.startswith(
        f"7:23: token_sources.s.endpoint_params.{name.split(':', maxsplit=1)[0]}: {message}"
    )
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("{a: 5}", ".a: expected text, found a number; put it in quotes"),
        ("{a: []}", ".a: is empty; expected at least one"),
        ("{'': x}", ".…: is empty"),
        ("[a]", ": expected a mapping, found a list"),
    ],
)
def test_endpoint_params_are_texts(params: str, message: str, files: Files) -> None:
    (problem,) = files.problems(with_source(f"endpoint_params: {params}"))

    assert problem.endswith(f"token_sources.s.endpoint_params{message}")
