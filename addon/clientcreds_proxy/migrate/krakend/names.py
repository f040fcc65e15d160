"""KrakenD's keys that have no counterpart here, and why. What stands in none of these tables is reported."""

from collections.abc import Mapping

CREDENTIALS = ("auth/client-credentials", "github.com/devopsfaith/krakend-oauth2-clientcredentials")
MARTIAN = ("modifier/martian", "github.com/devopsfaith/krakend-martian")
# The old designer wrote these, and KrakenD never read them.
MISWRITTEN = (
    "github_com/devopsfaith/krakend-oauth2-clientcredentials",
    "github_com/devopsfaith/krakend-martian",
)
COMMENTS = "@$_#"

# The gateway's own server: nothing of it is left where there is no gateway.
SERVICE = frozenset(
    {
        *(
            "version",
            "name",
            "port",
            "listen_ip",
            "timeout",
            "cache_ttl",
            "output_encoding",
            "debug_endpoint",
        ),
        *("echo_endpoint", "read_timeout", "write_timeout", "idle_timeout", "read_header_timeout"),
        *("idle_connection_timeout", "response_header_timeout", "expect_continue_timeout", "dialer_timeout"),
        *(
            "dialer_keep_alive",
            "dialer_fallback_delay",
            "max_idle_connections",
            "max_idle_connections_per_host",
        ),
        *(
            "disable_keep_alives",
            "disable_compression",
            "disable_rest",
            "sequential_start",
            "max_header_bytes",
        ),
        *(
            "max_shutdown_wait_time",
            "use_h2c",
            "plugin",
            "allow_insecure_connections_warning",
            "dns_cache_ttl",
        ),
        *("max_connections_per_host", "tls"),
    }
)
# How clients call the gateway: here they call the API itself.
ENDPOINT = frozenset(
    {
        *(
            "endpoint",
            "method",
            "output_encoding",
            "timeout",
            "cache_ttl",
            "concurrent_calls",
            "input_headers",
        ),
        *("headers_to_pass", "input_query_strings", "querystring_params", "backend", "extra_config", "dummy"),
    }
)
# How the gateway talks to the API, beside where: the client's own request goes on as it came.
BACKEND = frozenset({"input_headers", "input_query_strings", "sd_scheme", "encoding"})
# How it makes one answer of several: here the API's answer goes on as it came, as with `no-op`.
SHAPES = frozenset(
    {"group", "target", "mapping", "allow", "deny", "whitelist", "blacklist", "is_collection"},
)

# Namespaces of extra_config, by how they begin: limits, caches, telemetry and documentation of the gateway.
NAMESPACES: Mapping[str, str] = {
    "qos/": "limits and caches",
    "telemetry/": "telemetry",
    "documentation/": "documentation",
    "router": "the gateway's own server",
    "server/": "the gateway's own server",
    "backend/http": "how errors of the API are shown",
    "proxy": "how answers are put together",
    "github.com/devopsfaith/krakend/proxy": "how answers are put together",
    "github.com/devopsfaith/krakend/http": "how errors of the API are shown",
    "github_com/devopsfaith/krakend/transport/http/server/handler": "the gateway's own server",
    "github_com/luraproject/lura/router/gin": "the gateway's own server",
    "github.com/devopsfaith/krakend-ratelimit": "limits",
    "github.com/devopsfaith/krakend-circuitbreaker": "limits",
    "github.com/devopsfaith/krakend-httpcache": "caches",
    "github_com/devopsfaith/krakend-metrics": "telemetry",
    "github_com/devopsfaith/krakend-gologging": "telemetry",
    "github_com/devopsfaith/krakend-logstash": "telemetry",
    "github_com/devopsfaith/krakend-gelf": "telemetry",
    "github_com/devopsfaith/krakend-opencensus": "telemetry",
    "github_com/devopsfaith/krakend-influx": "telemetry",
    "github_com/letgoapp/krakend-influx": "telemetry",
}
# What is no part of those that begin alike.
_OWN = ("backend/http/client",)


def is_meaningless(namespace: str) -> bool:
    """Whether a namespace of extra_config is the gateway's own affair."""
    return namespace not in _OWN and any(
        namespace == start or namespace.startswith(start if start.endswith("/") else f"{start}/")
        for start in NAMESPACES
    )
