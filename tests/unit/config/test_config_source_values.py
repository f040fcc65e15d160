import pytest

from tests.unit.config.files import Files, fits, pairs, with_source

REFUSED = r"""
client_secret: 123
  client_secret: expected text, found a number; put it in quotes
client_secret: true
  client_secret: expected text, found true; put it in quotes
client_secret:
  client_secret: expected text, found null
client_secret: []
  client_secret: is empty; expected at least one
client_secret: {a: b}
  client_secret: expected text, found a mapping
client_secret: "a\nb"
  client_secret: holds a line break or another control character
scopes: 5
  scopes: expected a list, found a number
audience: ''
  audience: is empty
issuer: http://idp.example.com
  issuer: expected https: …
issuer: https://idp.example.com/.well-known/openid-configuration
  issuer: expected the issuer alone: what begins with /.well-known/ is found from it
preset: auht0
  preset: no preset of this name; did you mean 'auth0'?
preset: xyz
  preset: no preset of this name; expected one of adobe, amadeus, auth0, …
preset: [auth0]
  preset: expected text, found a list
verify: []
  verify: expected a mapping, found a list
dpop: 1
  dpop: expected true or false, …
client_auth: post
  client_auth: expected 'auto', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt', …
client_auth: [none]
  client_auth: expected 'auto', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt', …
clientsecret: x
  clientsecret: unknown key, did you mean 'client_secret'?
token_request: {format: xml}
  token_request.format: expected 'form' or 'json'
token_request: {format: jsn}
  token_request.format: expected 'form' or 'json'; did you mean 'json'?
token_request: {scope_separator: ''}
  token_request.scope_separator: is empty
token_request: {headers: {Authorization: x}}
  token_request.headers.Authorization: the token request writes this header itself: see client_auth and format
token_request: {headers: {X-A: 'é'}}
  token_request.headers.X-A: not a header value; expected printable ASCII on one line, …
token_request: []
  token_request: expected a mapping, found a list
token_response: {token: /a~b}
  token_response.token: not a JSON pointer; expected ~0 for ~ and ~1 for / inside a name
token_response: {token: ''}
  token_response.token: is empty
expiry: {skew_seconds: -1}
  expiry.skew_seconds: expected a number of 0 or more
expiry: {skew_seconds: .nan}
  expiry.skew_seconds: expected a finite number, found a number
expiry: {default_ttl_seconds: 0}
  expiry.default_ttl_seconds: expected a number of seconds above 0, or never
expiry: {default_ttl_seconds: true}
  expiry.default_ttl_seconds: expected a number of seconds above 0, or never
expiry: {default_ttl_seconds: .inf}
  expiry.default_ttl_seconds: expected a number of seconds above 0, or never
api_headers: {Host: x}
  api_headers.Host: this header belongs to the connection: the proxy writes it itself
api_headers: {X-Key: a, x-key: b}
  api_headers: names one header twice, in upper and lower case
token_request: {headers: {X-Tenant: a, x-tenant: b}}
  token_request.headers: names one header twice, in upper and lower case
api_headers: {'X Y': x}
  api_headers.…: not a header name; expected letters, digits and hyphens
api_headers: {X-Y: 5}
  api_headers.X-Y: expected text, found a number; put it in quotes
api_headers: {X-Y: "a\r\nb"}
  api_headers.X-Y: not a header value; expected printable ASCII on one line, …
attach: {when_present: keep}
  attach.when_present: unknown key, expected one of header, scheme
attach: {scheme: 'a b'}
  attach.scheme: not an authentication scheme; expected one word, or an empty text for the token alone
assertion: {kid: x}
  assertion.kid: unknown key, did you mean 'key_id'?
assertion: {algorithm: none}
  assertion.algorithm: expected 'HS256', 'HS384', 'HS512', 'RS256', …
assertion: {algorithm: ''}
  assertion.algorithm: expected 'HS256', …
assertion: {thumbprint: sha256}
  assertion.thumbprint: expected 'x5t#S256', 'x5t', 'x5c' or 'none'
assertion: {lifetime_seconds: 0}
  assertion.lifetime_seconds: expected a number above 0
assertion: {audience: ''}
  assertion.audience: is empty
assertion: {key_id: "a\nb"}
  assertion.key_id: holds a line break or another control character
assertion: {certificate: gone.pem}
  assertion.certificate: neither PEM text nor the path of a PEM file: …
assertion: {key: 5}
  assertion.key: expected text, found a number; put it in quotes
assertion: assertion.jwt
  assertion: expected a mapping, found text
client: {timeout_seconds: 0}
  client.timeout_seconds: expected a number above 0
client: {timeout_seconds: true}
  client.timeout_seconds: expected a number, found true
client: {max_retries: -1}
  client.max_retries: expected a number of 0 or more
client: {max_retries: 1.5}
  client.max_retries: expected a whole number, found a number
client: {proxy: socks5://x:1}
  client.proxy: not a proxy's URL; expected http://HOST:PORT or https://HOST:PORT, without a path
client: {proxy: 'http://x:1/path'}
  client.proxy: not a proxy's URL; expected http://HOST:PORT or https://HOST:PORT, without a path
client: {tls: {insecure_skip_verify: 1}}
  client.tls.insecure_skip_verify: expected true or false, found a number
"""


@pytest.mark.parametrize(("keys", "message"), pairs(REFUSED))
def test_source_is_refused(keys: str, message: str, files: Files) -> None:
    (problem,) = files.problems(with_source(keys))

    assert fits(problem.partition(": token_sources.s.")[2], message)


def test_required_keys_are_named(files: Files) -> None:
    """Contract section 2: client_id, and where tokens come from."""
    assert files.problems("version: 1\ntoken_sources:\n  s: {}\n") == [
        "3:3: token_sources.s.client_id: is required",
        "3:3: token_sources.s.token_url: is required, unless issuer is given",
    ]


@pytest.mark.parametrize("value", ["x", "[]", "5", ""])
def test_source_is_a_mapping(value: str, files: Files) -> None:
    (problem,) = files.problems(f"version: 1\ntoken_sources:\n  s: {value}\n")

    assert problem.startswith("3:3: token_sources.s: expected a mapping, found ")


def test_source_name_is_printable(files: Files) -> None:
    (problem,) = files.problems(with_source("client_secret: x").replace("  s:", '  " s":'))

    assert problem.startswith("3:3: token_sources.…: not a name: expected 1 to 100 printable characters")
