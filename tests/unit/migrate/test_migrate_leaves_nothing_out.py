"""What all importers owe: no secret is written, wherever it stood, and no key is dropped without a word."""

import pytest

from clientcreds_proxy.martian.message import Request, Response
from clientcreds_proxy.migrate.importer import Gateway, Imported, convert
from tests.unit.migrate.importing import loaded, winner

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


GUARDED: list[tuple[Gateway, str, str]] = [
    (
        "traefik",
        TRAEFIK.replace("routes: [", "routes: [{match: 'Host(`api.example.com`) && Header(`X-No`, `1`)'}, "),
        "IngressRoute/app.spec.routes[0]",
    ),
    (
        "kong",
        KONG.replace("    plugins:", "    plugins: []\n  - name: b\n    url: https://b.example.com")
        .replace("routes: [{name: all}]", "routes: [{name: no, headers: {X-No: ['1']}}]", 1)
        .replace("https://b.example.com", "https://api.example.com\n    routes: [{name: all}]\n    plugins:"),
        "services[0].routes[0]",
    ),
    (
        "envoy",
        ENVOY.replace(
            "routes: [",
            "routes: [{match: {prefix: /, headers: [{name: x}]}, direct_response: {status: 404}}, ",
        ),
        "virtual_hosts[0].routes[0].direct_response",
    ),
]


@pytest.mark.parametrize(("gateway", "file", "place"), GUARDED)
def test_requests_that_got_no_token_and_may_get_one_are_reported(
    gateway: Gateway, file: str, place: str
) -> None:
    found = imported(gateway, file)

    (problem,) = found.lost
    assert problem.path.endswith(place)
    assert problem.message.startswith("its requests got no token, and may get that of another rule here")


def test_requests_that_envoy_answers_itself_get_no_token() -> None:
    answers = "{match: {path: /old}, redirect: {}}, {match: {path: /no}, direct_response: {}}"
    found = imported("envoy", ENVOY.replace("routes: [", f"routes: [{answers}, "))

    config = loaded(found, {"APP_SECRET": "s"})
    sources = [
        rule.token_source if (rule := winner(config, f"GET https://api.example.com{path}")) else None
        for path in ("/old", "/no", "/other")
    ]
    assert sources == [None, None, "app"]
    assert [problem.path.rpartition(".")[2] for problem in found.notes] == ["redirect", "direct_response"]


def test_listener_that_only_redirects_keeps_no_requests() -> None:
    redirect = "{match: {prefix: /}, redirect: {https_redirect: true}}"
    only = f'{{domains: [a.example], routes: [{redirect}]}}, {{domains: ["*"], '
    found = imported("envoy", ENVOY.replace('{domains: ["*"], ', only))

    assert [rule.token_source for rule in loaded(found, {"APP_SECRET": "s"}).rules] == ["app"]
    assert found.notes == ()


def test_headers_of_envoys_answers_are_carried_over() -> None:
    headers = (
        "response_headers_to_add: [{header: {key: X-A, value: a}}], response_headers_to_remove: [X-A, server]"
    )
    found = imported("envoy", ENVOY.replace("routes: [{match", f"{headers}, routes: [{{match"))

    (rule,) = loaded(found, {"APP_SECRET": "s"}).rules
    answer = Response(status=200, headers=(("X-A", "b"), ("Server", "e")))
    asked = Request(method="GET", scheme="https", host="a", port=443, target="/", headers=())
    for modifier in rule.modifiers:
        answer = modifier.modify_response(answer, asked)
        assert not modifier.changes_requests
    assert answer.headers == (("X-A", "a"),)


CREDENTIAL = "Bearer a-token-in-full"


@pytest.mark.parametrize(
    ("gateway", "file"),
    [
        (
            "krakend",
            KRAKEND.replace("auth/client", "modifier/martian: MARTIAN\n          auth/client").replace(
                "MARTIAN", f"{{header.Modifier: {{scope: [request], name: X-V, value: {CREDENTIAL}}}}}"
            ),
        ),
        (
            "krakend",
            KRAKEND.replace("auth/client", "modifier/martian: MARTIAN\n          auth/client").replace(
                "MARTIAN",
                "{header.RegexFilter: {scope: [request], header: X-Api-Key, regex: '^a-token-in-full$', "
                "modifier: {header.Id: {}}}}",
            ),
        ),
        ("kong", KONG.replace(" KEY", f", token_headers: {{X-V: {CREDENTIAL}}} KEY")),
        (
            "envoy",
            ENVOY.replace(
                "routes: [{match",
                f"request_headers_to_add: [{{header: {{key: X-V, value: {CREDENTIAL}}}}}], routes: [{{match",
            ),
        ),
    ],
)
def test_what_is_a_credential_by_its_value_is_a_reference(gateway: Gateway, file: str) -> None:
    found = imported(gateway, file)

    assert "a-token-in-full" not in shown(found)
    assert "${env:X_" in found.config or "_X_V}" in found.config
    loaded(found, dict.fromkeys(found.variables, "a"))
