import pytest

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import Client, ClientTls, Expiry, SourceSpec, TokenRequest, TokenResponse
from tests.unit.config.files import Files, fits, pairs, with_source


def spec(files: Files, keys: str) -> SourceSpec:
    return files.load(with_source(keys)).sources["s"]


def test_source_has_the_defaults_of_the_contract(files: Files) -> None:
    """Contract section 2, defaults."""
    loaded = spec(files, "client_secret: ${env:SECRET}")

    assert loaded == SourceSpec(
        name="s",
        token_url="https://idp.example.com/token",
        client_id="app",
        client_secrets=(Secret("s3cret"),),
        client_auth="auto",
        scopes=(),
        audience=(),
        resource=(),
        endpoint_params=(),
        token_request=TokenRequest(
            format="form",
            grant_type="client_credentials",
            scope_separator=" ",
            basic_encoding=None,
            headers=(),
        ),
        token_response=TokenResponse(
            token="access_token",
            expires_in="expires_in",
            expires_in_unit="seconds",
            expires_at=None,
            token_types=("Bearer",),
        ),
        expiry=Expiry(skew_seconds=10, default_ttl_seconds=300),
        client=Client(timeout_seconds=5, max_retries=3, proxy=None, tls=ClientTls()),
        api_headers=(),
    )


def test_source_takes_every_key(files: Files) -> None:
    loaded = spec(
        files,
        """
        client_secret: ["${env:SECRET}", "next${env:SECRET}"]
        client_auth: client_secret_basic
        scopes: [orders:read, orders:write]
        audience: https://api.example.com
        resource: [https://a.example, https://b.example]
        endpoint_params: {tenant: [acme, x], other: y}
        token_request:
          {format: json, grant_type: x, scope_separator: ",", basic_encoding: form, headers: {X-A: b}}
        token_response:
          {token: /a/b, expires_in: ttl, expires_in_unit: milliseconds, expires_at: exp, token_types: [x]}
        expiry: {skew_seconds: 0, default_ttl_seconds: never}
        api_headers: {X-Api-Key: k}
        client: {timeout_seconds: 0.5, max_retries: 0, proxy: "http://u:p@proxy.corp:3128"}
        """,
    )

    assert loaded == SourceSpec(
        name="s",
        token_url="https://idp.example.com/token",
        client_id="app",
        client_secrets=(Secret("s3cret"), Secret("nexts3cret")),
        client_auth="client_secret_basic",
        scopes=("orders:read", "orders:write"),
        audience=("https://api.example.com",),
        resource=("https://a.example", "https://b.example"),
        endpoint_params=(("tenant", ("acme", "x")), ("other", ("y",))),
        token_request=TokenRequest(
            format="json", grant_type="x", scope_separator=",", basic_encoding="form", headers=(("X-A", "b"),)
        ),
        token_response=TokenResponse(
            token="/a/b",
            expires_in="ttl",
            expires_in_unit="milliseconds",
            expires_at="exp",
            token_types=("x",),
        ),
        expiry=Expiry(skew_seconds=0, default_ttl_seconds="never"),
        client=Client(timeout_seconds=0.5, max_retries=0, proxy=Secret("http://u:p@proxy.corp:3128")),
        api_headers=(("X-Api-Key", "k"),),
    )


@pytest.mark.parametrize(
    ("written", "scopes"),
    [
        ("'a, b'", ("a", "b")),
        ("a b", ("a", "b")),
        ("a,b,,c", ("a", "b", "c")),
        ("''", ()),
        ("[]", ()),
        ("['a,b']", ("a,b",)),
    ],
)
def test_scopes_are_a_list_or_one_text(written: str, scopes: tuple[str, ...], files: Files) -> None:
    """A18, A20."""
    assert spec(files, f"client_secret: x\nscopes: {written}").scopes == scopes


@pytest.mark.parametrize("scope", ["'a b'", "'a\"b'", "'a\\b'", "é", "''"])
def test_scopes_hold_the_characters_of_the_rfc(scope: str, files: Files) -> None:
    """A18; RFC 6749 §3.3."""
    assert files.problems(with_source(f"client_secret: x\nscopes: [{scope}]")) == [
        '7:14: token_sources.s.scopes[0]: not a scope; expected printable ASCII without blanks, " and \\'
    ]


@pytest.mark.parametrize(
    "url", ["http://localhost:1/t", "http://127.1.2.3/t", "http://[::1]:8/t", "http://a.localhost"]
)
def test_token_url_is_plain_http_on_loopback_only(url: str, files: Files) -> None:
    """A08; Contract section 2: https unless loopback."""
    text = with_source("client_secret: x").replace("https://idp.example.com/token", url)

    assert files.load(text).sources["s"].token_url == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://idp.example.com/t", "expected https"),
        ("http://127.0.0.1.example.com/t", "expected https"),
        ("'https://idp.example.com/t#x'", "without a fragment"),
        ("'https://idp.example.com/t#'", "without a fragment"),
        ("https://u:hunter2@idp.example.com/t", "without user name and password"),
        ("ftp://idp.example.com/t", "not a URL"),
        ("idp.example.com/t", "not a URL"),
        ("https:///t", "not a URL"),
        ("https://[::1/t", "not a URL"),
        ("https://idp.example.com:70000/t", "not a URL"),
        ("https://idp.example.com:0/t", "not a URL"),
        ("'https://idp.example.com/a b'", "not a URL"),
        ("'https://idp.example.com\\@evil.example'", "not a URL"),
        ("https://idp.exämple.com/t", "not a URL"),
        ("''", "not a URL"),
    ],
)
def test_token_url_is_refused(url: str, message: str, files: Files) -> None:
    """A07, A08."""
    text = with_source("client_secret: x").replace("https://idp.example.com/token", url)

    (problem,) = files.problems(text)

    assert problem.startswith("4:5: token_sources.s.token_url: ")
    assert message in problem
    assert "hunter2" not in problem


def test_resource_has_no_fragment(files: Files) -> None:
    """G01; RFC 8707 §2."""
    assert files.problems(with_source("client_secret: x\nresource: 'https://a.example/#b'")) == [
        "7:5: token_sources.s.resource: expected a URI without a fragment (RFC 8707 §2)"
    ]


def test_raw_basic_refuses_a_colon_in_the_client_id(files: Files) -> None:
    """A13; RFC 7617 §2."""
    text = with_source("client_secret: x\ntoken_request: {basic_encoding: raw}").replace("id: app", "id: a:b")

    assert files.problems(text) == [
        "5:5: token_sources.s.client_id: a colon in it ends the id where basic_encoding is raw (RFC 7617 §2)"
    ]
    assert (
        spec(files, "client_secret: x\ntoken_request: {basic_encoding: raw}").token_request.basic_encoding
        == "raw"
    )


def test_default_lifetime_is_a_number_of_seconds(files: Files) -> None:
    assert spec(files, "client_secret: x\nexpiry: {default_ttl_seconds: 60}").expiry.default_ttl_seconds == 60


def test_public_client_has_no_secret(files: Files) -> None:
    loaded = spec(files, "client_auth: none")

    assert loaded.client_auth == "none"
    assert loaded.client_secrets == ()
    assert files.problems(with_source("client_auth: none\nclient_secret: x")) == [
        "7:5: token_sources.s.client_secret: client_auth none sends no secret; expected no client_secret"
    ]


def test_empty_secret_is_taken_as_written(files: Files) -> None:
    """Case cc-empty-secret."""
    assert spec(files, "client_secret: ''").client_secrets == (Secret(""),)


def test_empty_secret_from_a_reference_is_refused(files: Files) -> None:
    files.environ["EMPTY"] = ""

    assert files.problems(with_source("client_secret: ${env:EMPTY}")) == [
        "6:5: token_sources.s.client_secret: the reference gives an empty text"
    ]


WARNED = """
client_auth: none
  6:5: token_sources.s.client_auth: none: whoever knows the client id gets tokens
client_secret: x
  6:5: token_sources.s.client_secret: the secret stands in this file; use ${env:NAME}, ${file:PATH} or …
client_secret: ['${env:SECRET}', x]
  6:38: token_sources.s.client_secret[1]: the secret stands in this file; use ${env:NAME}, ${file:PATH} or …
client_secret: '${env:SECRET}é'
  6:5: token_sources.s.client_secret: holds characters outside ASCII, which many servers refuse (RFC …
audience: x
  3:3: token_sources.s: no client_secret; say client_auth: none if the client has none
{client_secret: "${env:SECRET}", client: {tls: {insecure_skip_verify: true}}}
  6:57: token_sources.s.client.tls.insecure_skip_verify: the authorization server's certificate is not …
"""


@pytest.mark.parametrize(("keys", "warning"), pairs(WARNED))
def test_source_draws_a_warning(keys: str, warning: str, files: Files) -> None:
    """A09, A15, A17."""
    keys = f"<<: {keys}" if keys.startswith("{") else keys

    _, found = files.warnings(with_source(keys))  # the first one is about the missing rules

    assert fits(found, warning)


def test_source_with_a_reference_draws_no_warning(files: Files) -> None:
    assert len(files.warnings(with_source("client_secret: ${env:SECRET}"))) == 1
