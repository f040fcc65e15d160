"""Kong's keys that have no counterpart here, and why. What stands in none of these tables is reported."""

ROOT = frozenset(
    {
        *("_format_version", "_transform", "_info", "_comment", "_workspace", "_konnect", "_ignore"),
        # who calls the gateway, and its own certificates
        *("consumers", "consumer_groups", "certificates", "ca_certificates", "snis", "keys", "key_sets"),
        *("vaults", "licenses", "rbac_roles", "rbac_endpoint_permissions", "partials", "service_packages"),
    }
)
ENTITY = frozenset({"id", "tags", "created_at", "updated_at", "_comment", "_ignore", "enabled"})
SERVICE = ENTITY | {
    # how the gateway reaches the API: here mitmproxy does, with its options
    *(
        "retries",
        "connect_timeout",
        "write_timeout",
        "read_timeout",
        "client_certificate",
        "tls_verify_depth",
    ),
    *("name", "routes", "plugins"),
}
ROUTE = ENTITY | {
    # how clients reach the gateway
    *("name", "protocols", "https_redirect_status_code", "preserve_host", "request_buffering"),
    *("response_buffering", "path_handling", "regex_priority", "plugins", "service", "priority"),
}
UPSTREAM = ENTITY | {
    # how the gateway chooses among the targets
    *("name", "targets", "algorithm", "slots", "healthchecks", "host_header", "hash_on", "hash_fallback"),
    *("hash_on_header", "hash_fallback_header", "hash_on_cookie", "hash_on_cookie_path", "use_srv_name"),
    *("hash_on_query_arg", "hash_fallback_query_arg", "hash_on_uri_capture", "hash_fallback_uri_capture"),
    *("client_certificate", "sticky_sessions_cookie", "sticky_sessions_cookie_path"),
}
PLUGIN = ENTITY | {
    *("name", "instance_name", "protocols", "service", "route", "ordering", "run_on", "_config")
}

# Logs, metrics, limits and caches of the gateway: they say nothing about tokens.
OTHER_PLUGINS = frozenset(
    {
        *(
            "prometheus",
            "file-log",
            "http-log",
            "tcp-log",
            "udp-log",
            "syslog",
            "loggly",
            "datadog",
            "statsd",
        ),
        *("statsd-advanced", "zipkin", "opentelemetry", "kafka-log", "correlation-id", "proxy-cache", "cors"),
        *("proxy-cache-advanced", "rate-limiting", "rate-limiting-advanced", "response-ratelimiting"),
        *(
            "request-size-limiting",
            "upstream-timeout",
            "request-termination",
            "bot-detection",
            "header-cert-auth",
        ),
    }
) - {"header-cert-auth", "request-termination"}

# Keys of openid-connect about other grants, about people at a browser, and about Kong's own answers.
OIDC_STARTS = (
    *(
        "session_",
        "login_",
        "logout_",
        "authorization_",
        "redirect_",
        "refresh_",
        "bearer_token_",
        "id_token_",
    ),
    *("introspection_", "userinfo_", "pushed_authorization_", "response_", "revocation_", "unauthorized_"),
    *("forbidden_", "unexpected_", "password_", "cache_", "rediscovery_", "dpop_", "proof_of_possession_"),
    *("require_", "mtls_introspection_", "mtls_revocation_", "jwt_session_", "token_exchange_"),
)
OIDC = frozenset(
    {
        *(
            "auth_methods",
            "display_errors",
            "expose_error_code",
            "end_session_endpoint",
            "keepalive",
            "reverify",
        ),
        *("http_version", "enable_hs_signatures", "disable_session", "search_user_info", "run_on_preflight"),
        *("verify_nonce", "verify_parameters", "verify_claims", "preserve_query_args", "hide_credentials"),
        *("introspect_jwt_tokens", "resolve_distributed_claims", "consumer_by", "consumer_optional"),
        *("by_username_ignore_case", "client_arg", "tls_client_auth_ssl_verify", "redis", "max_age"),
        *("cluster_cache_redis", "cluster_cache_strategy", "cluster_cache_items", "no_proxy", "domains"),
        *("token_cache_key_include_scope", "token_headers_grants", "token_headers_prefix", "use_nonce"),
        *("audience_claim", "scopes_claim", "groups_claim", "roles_claim", "using_pseudo_issuer"),
    }
)
OAUTH_CLIENT = frozenset({"http_version", "keep_alive", "no_proxy"})
OAUTH_BEHAVIOR = frozenset(
    {
        *("idp_error_response_body_template", "idp_error_response_content_type"),
        *("idp_error_response_message", "idp_error_response_status_code"),
    }
)
REDIS = frozenset(
    {
        *(
            "cluster_max_redirections",
            "connect_timeout",
            "connection_is_proxied",
            "keepalive_backlog",
            "timeout",
        ),
        *("keepalive_pool_size", "read_timeout", "send_timeout", "sentinel_role", "server_name", "prefix"),
    }
)
