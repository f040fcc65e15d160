"""Bootstraps of Envoy: one filter that attaches tokens, and the routes of a test."""

import json

TYPE = "type.googleapis.com/envoy.extensions"


def cluster(name: str, **keys: object) -> dict[str, object]:
    address = {"socket_address": {"address": f"{name}.example.com", "port_value": 443}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {"name": name, "load_assignment": {"endpoints": endpoints}, **keys}


def socket(kind: str, **keys: object) -> dict[str, object]:
    return {"transport_socket": {"typed_config": {"@type": f"{TYPE}.transport_sockets.v3.{kind}", **keys}}}


def envoy(routes: list[object], others: tuple[object, ...] = ()) -> str:
    """A bootstrap whose first virtual host has these routes."""
    endpoint = {"cluster": "idp", "uri": "https://idp.example.com/t", "timeout": "1s"}
    oauth = {
        "@type": f"{TYPE}.http.injected_credentials.oauth2.v3.OAuth2",
        "token_endpoint": endpoint,
        "client_credentials": {"client_id": "app", "client_secret": {"name": "app"}},
    }
    injector = {"@type": f"{TYPE}.CredentialInjector", "credential": {"typed_config": oauth}}
    hosts = [{"name": "app", "domains": ["*"], "routes": routes}, *others]
    manager = {
        "@type": f"{TYPE}.HttpConnectionManager",
        "route_config": {"virtual_hosts": hosts},
        "http_filters": [{"name": "envoy.filters.http.credential_injector", "typed_config": injector}],
    }
    tls = socket("UpstreamTlsContext")
    clusters = [
        cluster("api", **tls),
        cluster("other", **tls),
        cluster("raw", **socket("RawBuffer")),
        cluster("wrapped", **socket("Http11ProxyUpstreamTransport", **tls)),
        cluster(
            "chosen", transport_socket_matches=[{"name": "a", **socket("RawBuffer")}, {"name": "b", **tls}]
        ),
    ]
    listeners = [{"filter_chains": [{"filters": [{"typed_config": manager}]}]}]
    return json.dumps({"static_resources": {"listeners": listeners, "clusters": clusters}})
