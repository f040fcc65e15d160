"""A `credential_injector` with `injected_credentials.oauth2`: a token source, and what its rules say."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft, Source, Value, filled, one_or_many
from clientcreds_proxy.migrate.envoy.cluster import Cluster
from clientcreds_proxy.migrate.envoy.field import both, field, type_of
from clientcreds_proxy.migrate.url import url
from clientcreds_proxy.migrate.vault import looks_secret

_FILTER = "CredentialInjector"
_METHODS = {"BASIC_AUTH": "client_secret_basic", "URL_ENCODED_BODY": "client_secret_post"}
_RAW = "basic_encoding: Envoy puts id and secret into Basic as they are"
_SYSTEM = ("/etc/ssl/", "/etc/pki/", "/usr/share/ca-certificates", "/etc/ca-certificates")
# Filters that say nothing about tokens or access.
_MEANINGLESS = frozenset(
    {
        *(
            "Router",
            "HealthCheck",
            "Cors",
            "LocalRateLimit",
            "RateLimit",
            "FaultInjection",
            "HTTPFault",
            "Buffer",
        ),
        *(
            "Compressor",
            "Decompressor",
            "GrpcWeb",
            "GrpcStats",
            "Tap",
            "OnDemand",
            "UpstreamCodec",
            "AdaptiveConcurrency",
        ),
        *("AdmissionControl", "BandwidthLimit", "CacheConfig", "FilterConfig"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Injector:
    """One filter."""

    name: str  # by which routes change its settings
    disabled: bool  # unless a route says otherwise
    source: Source
    rule: dict[str, Value]

    def is_disabled(self, levels: list[At]) -> bool:
        """Whether it is switched off for a route: the first of its levels that says anything counts."""
        for level in levels:
            for name, config in field(level, "typed_per_filter_config").members():
                if name == self.name:
                    if not config.at("disabled").flag() and set(config.at("config").mapping()) - {"@type"}:
                        config.lost("settings of the filter for some routes")
                    return config.at("disabled").flag()
        return self.disabled


def injectors_of(
    filters: At, draft: Draft, *, secrets: Mapping[str, At], known: Mapping[str, Cluster]
) -> list[Injector]:
    """The filters that attach tokens; the others are reported."""
    found: list[Injector] = []
    for each in filters.items():
        kind = type_of(field(each, "typed_config"))
        if kind == _FILTER:
            made = _injector(each, draft, secrets=secrets, known=known)
            found += [made] if made else []
        elif kind not in _MEANINGLESS:
            each.lost("of all HTTP filters only credential_injector is carried over")
    return found


def enabled(found: list[Injector], levels: list[At], at: At) -> Injector | None:
    """The filter that attaches tokens to what a route or a cluster is for."""
    choices = [each for each in found if not each.is_disabled(levels)]
    if len(choices) > 1:
        at.lost("several filters attach tokens: the first one's is carried over")
    return choices[0] if choices else None


def _injector(
    at: At, draft: Draft, *, secrets: Mapping[str, At], known: Mapping[str, Cluster]
) -> Injector | None:
    """The filter's token source and rule; None where it injects something else."""
    config = field(at, "typed_config")
    credential = field(config, "credential", "typed_config")
    if type_of(credential) != "OAuth2":
        field(config, "credential").lost(
            "only injected_credentials.oauth2 is carried over: this is no OAuth token"
        )
        return None
    source = _source(credential, draft, secrets, known)
    if not field(config, "overwrite").flag():
        rule: dict[str, Value] = {"attach": {"when_present": "keep"}}
    else:
        rule = {}
    if field(config, "allow_request_without_credential").flag():
        rule["on_token_failure"] = "pass_without_token"
    field(config, "credential").finish(("name", "@type"))
    config.finish(("@type",))
    return Injector(name=at.at("name").text(), disabled=at.at("disabled").flag(), source=source, rule=rule)


def _source(at: At, draft: Draft, secrets: Mapping[str, At], known: Mapping[str, Cluster]) -> Source:
    client, endpoint = field(at, "client_credentials"), field(at, "token_endpoint")
    name = field(client, "client_id").text()
    method = _METHODS.get(field(client, "auth_type").text())
    keys = filled(
        {
            "token_url": url(
                _token_url(endpoint, known.get(endpoint.at("cluster").text())), endpoint.at("uri"), draft
            ),
            "client_id": name,
            "client_secret": _secret(field(client, "client_secret"), draft, secrets, name),
            "client_auth": method,
            "scopes": [scope for text in field(at, "scopes").texts() for scope in text.split()],
            "endpoint_params": _params(field(at, "endpoint_params"), draft, name),
            "token_request": {"basic_encoding": "raw"} if method == "client_secret_basic" else None,
            "client": filled({"timeout_seconds": endpoint.at("timeout").seconds()}),
        }
    )
    _report_tls(known.get(endpoint.at("cluster").text()))
    client.finish()
    endpoint.finish(("uri", "cluster"))
    at.finish(("@type", *both("token_fetch_retry_interval")))
    comments = (_RAW,) if "token_request" in keys else ()
    return draft.source(Source(hint=name, keys=keys, at=at, comments=comments))


def _token_url(endpoint: At, cluster: Cluster | None) -> str:
    """The endpoint's URL: the cluster decides about TLS and the port, whatever `uri` says."""
    uri = endpoint.at("uri").text()
    scheme, separator, rest = uri.rpartition("://")
    if cluster is None:
        return uri
    if not separator or (scheme == "http" and cluster.tls):
        if separator:
            endpoint.at("uri").note("its cluster speaks TLS: carried over as https")
        scheme = cluster.scheme
    host, slash, path = rest.partition("/")
    ports = {port for name, port in cluster.addresses if name == host}
    if len(ports) == 1 and (port := ports.pop()) != (443 if scheme == "https" else 80):
        host = f"{host}:{port}"
    elif cluster.addresses and not any(
        name == (urlsplit(f"//{host}").hostname or "") for name, _ in cluster.addresses
    ):
        endpoint.at("uri").note("Envoy connects to its cluster's address; here the URL's own host is asked")
    return f"{scheme}://{host}{slash}{path}"


def _secret(config: At, draft: Draft, secrets: Mapping[str, At], client: str) -> Value:
    """A reference for a secret that Envoy gets by SDS, or that stands in this file."""
    name = config.at("name").text()
    if field(config, "sds_config").given or name not in secrets:
        return draft.vault.ask(f"the SDS secret {name!r}", name or client) if config.given else None
    source = secrets[name]
    variable = field(source, "environment_variable").text()
    if variable.isidentifier():
        return draft.vault.variable(variable, source)
    text = field(source, "inline_string").text()
    if text:
        return draft.vault.keep(text, source, name)
    draft.vault.learn(field(source, "inline_bytes").text())
    return draft.vault.ask(f"what {source.where} names", name)


def _params(at: At, draft: Draft, client: str) -> dict[str, Value]:
    found: dict[str, list[Value]] = {}
    for item in at.items():
        name, text = item.at("name").text(), item.at("value").text()
        kept = draft.vault.keep(text, item.at("value"), client, name) if text and looks_secret(name) else text
        found.setdefault(name, []).append(kept)
        item.finish()
    return {name: one_or_many(values) for name, values in found.items()}


def _report_tls(cluster: Cluster | None) -> None:
    """Say what the authorization server's cluster has that a token source would have to say."""
    if cluster is None:
        return
    context = field(cluster.at, "transport_socket", "typed_config", "common_tls_context")
    if field(context, "tls_certificates").given or field(context, "tls_certificate_sds_secret_configs").given:
        context.lost(
            "a client certificate for the authorization server: see client.tls.cert and client.tls.key"
        )
    ca = field(context, "validation_context", "trusted_ca")
    if ca.given and not ca.at("filename").text().startswith(_SYSTEM):
        ca.lost("an authority of its own for the authorization server: see client.tls.ca")
