"""Configurations of four gateways, imported and run by one proxy: APIs and token servers see the same."""

import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from clientcreds_proxy.migrate.importer import Gateway, convert
from tests.proxy.harness import Proxy, mitmdump
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio

MAIN = "version: 1\nlog: {format: json}\ninclude: [imported/*.yaml]\n"
SECRETS = {
    "KRAKEND_CLIENT_SECRET": "s3cr3t",
    "KONG_SECRET": "s3cr3t",
    "ENVOY_SECRET": "s3cr3t",
    "X_API_KEY": "key-of-the-api",
}


def krakend(api: int, idp: str) -> str:
    credentials = {"client_id": "krakend", "client_secret": "s3cr3t", "token_url": idp, "scopes": "a, b"}
    key = {"header.Modifier": {"scope": ["request"], "name": "X-Api-Key", "value": "key-of-the-api"}}
    order = {"auth/client-credentials": credentials, "modifier/martian": key}
    disabled = {"auth/client-credentials": {**credentials, "is_disabled": True}}
    backend = {"host": [f"http://127.0.0.1:{api}"]}
    return json.dumps(
        {
            "version": 3,
            "endpoints": [
                {
                    "endpoint": "/orders/{id}",
                    "backend": [
                        {**backend, "url_pattern": "/krakend/{id}?tenant=acme", "extra_config": order}
                    ],
                },
                {
                    "endpoint": "/open",
                    "backend": [
                        {**backend, "url_pattern": "/krakend/open?tenant=acme", "extra_config": disabled}
                    ],
                },
            ],
        }
    )


def traefik(api: int, idp: str) -> str:
    return f"""
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {{name: traefik}}
spec:
  plugin:
    oAuthClientCredentials:
      url: "{idp}"
      clientID: urn:k8s:idp:idp:id
      clientSecret: urn:k8s:secret:idp:secret
      audience: acme
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {{name: traefik}}
spec:
  routes:
    - match: Host(`127.0.0.1:{api}`) && PathPrefix(`/traefik`)
      middlewares: [{{name: traefik}}]
    - match: Host(`127.0.0.1:{api}`) && Path(`/traefik/open/of/all`)
"""


def kong(api: int, idp: str) -> str:
    return f"""
_format_version: "3.0"
services:
  - name: kong
    url: http://127.0.0.1:{api}/kong
    routes: [{{name: kong, paths: [/gateway], methods: [GET]}}]
    plugins:
      - name: upstream-oauth
        config:
          oauth:
            token_endpoint: "{idp}"
            client_id: kong
            client_secret: "{{vault://env/kong-secret}}"
            scopes: [x]
          behavior: {{upstream_access_token_header_name: X-Token}}
"""


def envoy(api: int, idp: str) -> str:
    prefix = "type.googleapis.com/envoy.extensions"
    manager = f"{prefix}.filters.network.http_connection_manager.v3.HttpConnectionManager"
    return f"""
static_resources:
  listeners:
    - filter_chains:
        - filters:
            - typed_config:
                "@type": {manager}
                route_config:
                  virtual_hosts:
                    - name: envoy
                      domains: ["*"]
                      routes:
                        - match: {{path_separated_prefix: /v2}}
                          route: {{cluster: api, prefix_rewrite: /envoy}}
                http_filters:
                  - typed_config:
                      "@type": {prefix}.filters.http.credential_injector.v3.CredentialInjector
                      credential:
                        typed_config:
                          "@type": {prefix}.http.injected_credentials.oauth2.v3.OAuth2
                          token_endpoint: {{cluster: idp, uri: "{idp}", timeout: 2s}}
                          client_credentials:
                            client_id: envoy
                            client_secret: {{name: envoy-secret, sds_config: {{ads: {{}}}}}}
                            auth_type: URL_ENCODED_BODY
  clusters:
    - name: api
      load_assignment:
        endpoints:
          - lb_endpoints:
              - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {api}}}}}}}
"""


MAKERS = {"krakend": krakend, "traefik": traefik, "kong": kong, "envoy": envoy}


async def test_imported_rules_do_what_the_gateways_did(tmp_path: Path) -> None:
    gateways: tuple[Gateway, ...] = ("krakend", "traefik", "kong", "envoy")
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api().running())
        servers = {
            name: await stack.enter_async_context(
                AuthorizationServer(client_id=name, token_prefix=f"{name}-").running()
            )
            for name in gateways
        }
        (tmp_path / "imported").mkdir()
        for name in gateways:
            found = convert(name, MAKERS[name](api.port, servers[name].token_url), name)
            assert "s3cr3t" not in found.config
            (tmp_path / "imported" / f"{name}.yaml").write_text(found.config)
        environ = {**SECRETS, "CLIENTCREDS_K8S_SECRETS": str(mounted(tmp_path))}
        proxy = await stack.enter_async_context(mitmdump(MAIN, folder=tmp_path, environ=environ))

        seen = await asked(proxy, api)

    assert seen == {
        "GET /krakend/1?tenant=acme": {"authorization": "Bearer krakend-1", "x-api-key": "key-of-the-api"},
        "GET /krakend/2?x=y&tenant=acme": {
            "authorization": "Bearer krakend-1",
            "x-api-key": "key-of-the-api",
        },
        "GET /krakend/1": {},
        "GET /krakend/open?tenant=acme": {},
        "GET /traefik": {"authorization": "Bearer traefik-1"},
        "POST /traefik/a/b": {"authorization": "Bearer traefik-1"},
        "GET /traefik/open/of/all": {},
        "GET /kong/a": {"x-token": "Bearer kong-1"},
        "POST /kong/a": {},
        "GET /envoy/a": {"authorization": "Bearer envoy-1"},
        "GET /other": {},
    }
    forms = {name: server.seen[0].form for name, server in servers.items()}
    assert {name: len(server.seen) for name, server in servers.items()} == dict.fromkeys(gateways, 1)
    assert forms["krakend"] == {"grant_type": "client_credentials", "scope": "a b"}
    assert forms["traefik"] == {"grant_type": "client_credentials", "audience": "acme"}
    assert forms["kong"]["client_secret"] == forms["envoy"]["client_secret"] == "s3cr3t"
    assert forms["kong"]["scope"] == "x"


def mounted(folder: Path) -> Path:
    secrets: Mapping[str, str] = {"id": "traefik", "secret": "s3cr3t"}
    (folder / "k8s" / "idp").mkdir(parents=True)
    for key, value in secrets.items():
        (folder / "k8s" / "idp" / key).write_text(value)
    return folder / "k8s"


async def asked(proxy: Proxy, api: Api) -> dict[str, dict[str, str]]:
    """What arrives at the API for each request: the headers that rules may have set."""
    requests = """
        GET /krakend/1?tenant=acme
        GET /krakend/2?x=y&tenant=acme
        GET /krakend/1
        GET /krakend/open?tenant=acme
        GET /traefik
        POST /traefik/a/b
        GET /traefik/open/of/all
        GET /kong/a
        POST /kong/a
        GET /envoy/a
        GET /other
    """
    found: dict[str, dict[str, str]] = {}
    async with proxy.client() as client:
        for line in requests.split("\n"):
            method, _, target = line.strip().partition(" ")
            if method:
                answer = await client.request(method, f"http://127.0.0.1:{api.port}{target}")
                assert answer.status_code == 200, answer.text
                names = ("authorization", "x-token", "x-api-key")
                headers = {name: api.seen[-1].one(name) for name in names}
                found[line.strip()] = {name: value for name, value in headers.items() if value is not None}
    return found
