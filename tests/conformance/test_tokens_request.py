"""Group A of the checklist: the token request."""

import base64
import json
from urllib.parse import parse_qsl

import pytest

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.asking.grant import encode
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.keeping.key import cache_key
from clientcreds_proxy.tokens.model import SourceSpec, TokenRequest
from clientcreds_proxy.tokens.proof.client_auth import Attempt, attempts, authorization
from tests.simulators.authorization_server import AuthorizationServer
from tests.unit.tokens.making import FakeClock, a_spec


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def body_of(spec: SourceSpec) -> bytes:
    return encode(spec, attempts(spec)[0]).body


def pairs_of(spec: SourceSpec) -> list[tuple[str, str]]:
    return parse_qsl(body_of(spec).decode(), keep_blank_values=True)


def headers_of(spec: SourceSpec) -> dict[str, str]:
    return dict(encode(spec, attempts(spec)[0]).headers)


@pytest.mark.anyio
async def test_token_request_is_a_post_with_its_length_and_the_urls_query() -> None:
    """A01, A06; providers 12: a chunked token request fails at two servers."""
    async with AuthorizationServer(path="/token?tenant=x").running() as server:
        spec = a_spec(token_url=server.token_url)
        await HttpFetch(clock=FakeClock())(spec)

    (seen,) = server.seen
    assert (seen.method, seen.target) == ("POST", "/token?tenant=x")
    assert int(seen.headers["content-length"]) == len(seen.body)


def test_grant_type_is_there_once() -> None:
    """A02."""
    spec = a_spec(endpoint_params=(("grant_type", ("openapi_2lo",)),))

    assert [value for name, value in pairs_of(spec) if name == "grant_type"] == ["openapi_2lo"]


def test_body_is_a_form_in_utf_8() -> None:
    """A03."""
    spec = a_spec(scopes=("a", "é+&"))

    assert body_of(spec).endswith(b"&scope=a+%C3%A9%2B%26")
    assert headers_of(spec)["Content-Type"] == "application/x-www-form-urlencoded"


def test_client_id_goes_once() -> None:
    """A04."""
    spec = a_spec(client_auth="client_secret_post", endpoint_params=(("client_id", ("app",)),))

    assert [name for name, _ in pairs_of(spec)].count("client_id") == 1


def test_empty_parameters_are_left_out() -> None:
    """A05; KrakenD sends `scope=`, which glewlwyd and django-oauth-toolkit refuse."""
    assert pairs_of(a_spec(scopes=(), audience=("",))) == [("grant_type", "client_credentials")]


@pytest.mark.parametrize("client_auth", ["auto", "client_secret_basic", "client_secret_post", "none"])
def test_client_authenticates_in_one_way_only(client_auth: str) -> None:
    """A10, A14."""
    spec = a_spec(client_auth=client_auth, endpoint_params=(("client_secret", ("s3cr3t",)),))

    for attempt in attempts(spec):
        grant = encode(spec, attempt)
        in_header = any(name == "Authorization" for name, _ in grant.headers)
        in_body = b"client_secret=" in grant.body
        assert not (in_header and in_body)


@pytest.mark.parametrize(
    ("client_id", "secret", "encoded"),
    [
        ("s6BhdRkqt3", "gX1fBat3bV", "czZCaGRSa3F0MzpnWDFmQmF0M2JW"),
        (
            "1PpG/Q 1",
            "z/tZ9VwFZqApmIQ+ZH1I5pLk/uB4ud:X2/8bL+wfFTt1rFw=",
            "MVBwRyUyRlElMjAxOnolMkZ0WjlWd0ZacUFwbUlRJTJCWkgxSTVwTGslMkZ1QjR1ZCUzQVgyJTJGOGJMJTJCd2ZGVHQxckZ3JTNE",
        ),
        ("a:b", "p%+ é/&", "YSUzQWI6cCUyNSUyQiUyMCVDMyVBOSUyRiUyNg=="),
    ],
)
def test_basic_credentials_are_form_encoded_with_spaces_as_percent_20(
    client_id: str, secret: str, encoded: str
) -> None:
    """A11, A13 (the list's vectors have `+` for a space; the contract says `%20`)."""
    attempt = Attempt(way="basic_form", secret=Secret(secret))

    assert authorization(a_spec(client_id=client_id), attempt) == f"Basic {encoded}"


def test_basic_credentials_can_go_raw() -> None:
    """A12; glewlwyd, Doorkeeper and LemonLDAP::NG do not decode."""
    spec = a_spec(client_secrets=(Secret("p%+ é"),), token_request=TokenRequest(basic_encoding="raw"))

    assert base64.b64decode(headers_of(spec)["Authorization"][6:]).decode() == "app:p%+ é"


def test_raw_is_never_guessed_for_an_id_with_a_colon() -> None:
    """A13."""
    assert "basic_raw" not in {attempt.way for attempt in attempts(a_spec(client_id="a:b"))}


def test_scope_is_one_string_and_its_order_no_other_token() -> None:
    """A18, A19, A20."""
    assert ("scope", "b a") in pairs_of(a_spec(scopes=("b", "a", "b")))
    commas = a_spec(scopes=("b", "a"), token_request=TokenRequest(scope_separator=","))
    assert ("scope", "b,a") in pairs_of(commas)
    assert cache_key(a_spec(scopes=("a", "b"))) == cache_key(a_spec(scopes=("b", "a")))
    assert cache_key(a_spec(scopes=("a",))) != cache_key(a_spec(scopes=("A",)))


def test_token_request_asks_for_json_uncompressed() -> None:
    """A21, A26."""
    headers = headers_of(a_spec())

    assert (headers["Accept"], headers["Accept-Encoding"]) == ("application/json", "identity")


def test_json_body_has_the_same_parameters() -> None:
    """A22; contract section 4: a list of one value goes as that value."""
    params = (("tenant", ("acme",)), ("many", ("a", "b")))
    form = a_spec(scopes=("a",), endpoint_params=params)
    spec = a_spec(scopes=("a",), endpoint_params=params, token_request=TokenRequest(format="json"))

    members = json.loads(body_of(spec))

    assert set(members) == {name for name, _ in pairs_of(form)}
    assert (members["tenant"], members["many"]) == ("acme", ["a", "b"])


def test_extra_parameters_pass_through_with_all_their_values() -> None:
    """A23, G02, G05."""
    spec = a_spec(audience=("x",), resource=("r1", "r2"), endpoint_params=(("t", ("1", "2")),))

    assert pairs_of(spec)[1:] == [
        ("audience", "x"),
        ("resource", "r1"),
        ("resource", "r2"),
        ("t", "1"),
        ("t", "2"),
    ]


@pytest.mark.anyio
async def test_token_request_ignores_the_environments_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A24."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with AuthorizationServer().running() as server:
        spec = a_spec(token_url=server.token_url)
        await HttpFetch(clock=FakeClock())(spec)

    assert len(server.seen) == 1
