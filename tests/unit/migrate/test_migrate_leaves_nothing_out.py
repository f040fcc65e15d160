"""What all importers owe: no secret is written, wherever it stood, and no key is dropped without a word."""

import pytest

from clientcreds_proxy.migrate.importer import Gateway, Imported, convert
from tests.unit.migrate.importing import loaded

# URL: the token endpoint; KEY: a further member beside it.
KRAKEND = """
version: 3
endpoints:
  - endpoint: /a
    backend:
      - host: [https://api.example.com]
        url_pattern: /a
        extra_config:
          auth/client-credentials: {client_id: app, token_url: "URL", client_secret: long-secret KEY}
"""
TRAEFIK = """
kind: Middleware
metadata: {name: app}
spec: {plugin: {oAuthClientCredentials: {url: "URL", clientID: app, clientSecret: long-secret KEY}}}
---
kind: IngressRoute
metadata: {name: app}
spec: {routes: [{match: Host(`api.example.com`), middlewares: [{name: app}]}]}
"""
KONG = """
_format_version: "3.0"
services:
  - name: app
    url: https://api.example.com
    routes: [{name: all}]
    plugins:
      - name: upstream-oauth
        config: {oauth: {token_endpoint: "URL", client_id: app, client_secret: long-secret KEY}}
"""
OIDC = """
_format_version: "3.0"
services:
  - name: app
    url: https://api.example.com
    routes: [{name: all}]
    plugins:
      - name: openid-connect
        config: {auth_methods: [client_credentials], token_endpoint: "URL" KEY}
"""
ENVOY = """
static_resources:
  listeners:
    - filter_chains:
        - filters:
            - typed_config:
                "@type": type.googleapis.com/envoy.v3.HttpConnectionManager
                route_config:
                  virtual_hosts: [{domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: c}}]}]
                http_filters:
                  - typed_config:
                      "@type": type.googleapis.com/envoy.v3.CredentialInjector
                      credential:
                        typed_config:
                          "@type": type.googleapis.com/envoy.v3.OAuth2
                          token_endpoint: {uri: "URL"}
                          client_credentials: {client_id: app, client_secret: {name: app-secret} KEY}
  clusters:
    - name: c
      load_assignment:
        endpoints:
          - lb_endpoints:
              - endpoint: {address: {socket_address: {address: api.example.com, port_value: 443}}}
      transport_socket: {name: tls}
"""
FILES: list[tuple[Gateway, str]] = [
    ("krakend", KRAKEND),
    ("traefik", TRAEFIK),
    ("kong", KONG),
    ("kong", OIDC),
    ("envoy", ENVOY),
]
IDP = "https://idp.example.com/token"


def imported(gateway: Gateway, file: str, url: str = IDP, key: str = "") -> Imported:
    return convert(gateway, file.replace("URL", url).replace(" KEY", f", {key}" if key else ""), "f.yaml")


def shown(found: Imported) -> str:
    return "\n".join([found.config, *map(str, found.lost), *map(str, found.notes)])


@pytest.mark.parametrize(("gateway", "file"), FILES)
def test_key_of_the_token_endpoint_is_a_reference(gateway: Gateway, file: str) -> None:
    found = imported(gateway, file, f"{IDP}?tenant=kk&api_key=k%2Fk&code=k")

    variables = {name: f"v{number}" for number, name in enumerate(found.variables)}
    key, code = (name for name in variables if name.startswith("TOKEN_URL"))
    assert "k%2Fk" not in shown(found)
    (source,) = loaded(found, {**variables, key: "a%2Fb", code: "c"}).sources.values()
    assert source.token_url == f"{IDP}?tenant=kk&api_key=a%2Fb&code=c"


@pytest.mark.parametrize(("gateway", "file"), FILES)
def test_password_of_the_token_endpoint_is_not_shown(gateway: Gateway, file: str) -> None:
    found = imported(gateway, file, "https://me:p%40ss-word@idp.example.com/token")

    assert "ss-word" not in shown(found)
    assert found.lost


@pytest.mark.parametrize(("gateway", "file"), FILES)
def test_unknown_key_is_reported(gateway: Gateway, file: str) -> None:
    found = imported(gateway, file, key="mystery: 1")

    assert [problem.path.rpartition(".")[2] for problem in found.lost] == ["mystery"]


@pytest.mark.parametrize(
    ("file", "key", "said"),
    [
        (KONG, "token_post_args: {scope: a}", ["scope"]),
        (KONG, "token_post_args: {audience: a}, audience: [b]", ["audience"]),
        (KONG, "token_post_args: {client_secret: another-secret}", ["client_secret"]),
        (OIDC, "token_post_args_names: [a, b], token_post_args_values: [c]", ["token_post_args_names"]),
    ],
)
def test_parameter_that_is_not_sent_is_reported(file: str, key: str, said: list[str]) -> None:
    found = imported("kong", file, key=key)

    assert [problem.path.rpartition(".")[2] for problem in found.lost] == said
    assert "another-secret" not in shown(found)


@pytest.mark.parametrize("file", [KONG, OIDC])
def test_parameters_of_the_token_request_are_carried_over(file: str) -> None:
    named = "token_post_args: {audience: a, username: u, password: p}"
    in_lists = "token_post_args_names: [audience, username, password], token_post_args_values: [a, u, p]"
    found = imported("kong", file, key=named if file == KONG else in_lists)

    variables = dict.fromkeys(found.variables, "a-secret")
    (source,) = loaded(found, variables).sources.values()
    params = dict(source.endpoint_params)
    assert (params["audience"], params["username"], params["password"]) == (("a",), ("u",), ("a-secret",))
    assert found.lost == ()
