"""What stands in a krakend.json beside the usual: each key is carried over, or reported where it stands."""

import json
from base64 import b64encode
from typing import Any

import pytest

from clientcreds_proxy.martian.message import Request
from clientcreds_proxy.migrate.importer import Imported, convert
from tests.unit.migrate.importing import loaded, winner

CREDENTIALS = {
    "client_id": "app",
    "client_secret": "s3cr3t-of-app",
    "token_url": "https://idp.example.com/token",
}
SECRET = {"APP_CLIENT_SECRET": "s3cr3t-of-app"}
AT = 'endpoints[0].backend[0].extra_config."auth/client-credentials"'
MARTIAN = 'endpoints[0].backend[0].extra_config."modifier/martian"'


def imported(
    credentials: dict[str, Any] | None = None,
    *,
    martian: Any = None,
    backend: dict[str, Any] | None = None,
    root: dict[str, Any] | None = None,
) -> Imported:
    """The import of a file with one backend."""
    extra: dict[str, Any] = {"auth/client-credentials": {**CREDENTIALS, **(credentials or {})}}
    if martian is not None:
        extra["modifier/martian"] = martian
    one = {"host": ["https://api.example.com"], "url_pattern": "/a", "extra_config": extra, **(backend or {})}
    file = {"version": 3, "endpoints": [{"endpoint": "/a", "backend": [one]}], **(root or {})}
    return convert("krakend", json.dumps(file), "k.json")


def lost(found: Imported) -> list[str]:
    return [f"{problem.path}: {problem.message}" for problem in found.lost]


@pytest.mark.parametrize(
    ("credentials", "written"),
    [
        ({"scopes": ["a", "b"]}, "scopes: [a, b]"),
        ({"scopes": " a ,, b c "}, "scopes: [a, b, c]"),
        ({"client_id": 17}, 'client_id: "17"'),
        ({"endpoint_params": {"audience": "one"}}, "audience: one"),
        ({"endpoint_params": {"scope": ["x"]}}, "endpoint_params: {scope: x}"),
        ({"endpoint_params": {"@c": ["x"], "tenant": ["a", "b"]}}, "endpoint_params:\n      tenant: [a, b]"),
        ({"endpoint_params": {"note": ["${HOME}"]}}, 'endpoint_params: {note: "$${HOME}"}'),
    ],
)
def test_credentials_are_carried_over(credentials: dict[str, Any], written: str) -> None:
    found = imported(credentials)

    assert lost(found) == []
    assert written in found.config
    secret = {"APP_CLIENT_SECRET": "x", "IDP_EXAMPLE_COM_CLIENT_SECRET": "x"}
    assert len(loaded(found, secret).rules) == 1


@pytest.mark.parametrize(
    ("credentials", "said"),
    [
        (
            {"scopes": "a", "endpoint_params": {"scope": ["b"]}},
            f"{AT}.endpoint_params.scope: scopes are set, too",
        ),
        ({"endpoint_params": {"client_id": ["other"]}}, f"{AT}.endpoint_params.client_id: other credentials"),
        (
            {"endpoint_params": {"client_assertion": ["x"]}},
            f"{AT}.endpoint_params.client_assertion: client_auth",
        ),
        ({"audience": "x"}, f"{AT}.audience: not known to this importer"),
        ({"client_secret": {"a": 1}}, f"{AT}.client_secret: expected text, found a mapping"),
        (
            {"token_url": "idp.example.com"},
            f"{AT}: written as a comment, for this proxy would refuse it: token_url: not a URL",
        ),
        (
            {"scopes": 'a"b'},
            f"{AT}: written as a comment, for this proxy would refuse it: scopes[0]: not a scope",
        ),
    ],
)
def test_what_can_not_be_said_about_credentials_is_reported(credentials: dict[str, Any], said: str) -> None:
    assert lost(imported(credentials))[0].startswith(said)


def test_client_without_a_secret_is_carried_over() -> None:
    found = imported({"client_secret": ""})

    assert found.variables == ()
    assert len(loaded(found, {}).rules) == 1


def test_secrets_in_the_token_url_are_references() -> None:
    found = imported({"token_url": "https://idp.example.com/token?tenant=a&api_key=key-in-the-url"})

    assert (
        'token_url: "https://idp.example.com/token?tenant=a&api_key=${env:TOKEN_URL_SECRET}"' in found.config
    )
    assert loaded(found, {**SECRET, "TOKEN_URL_SECRET": "k"}).sources["app"].token_url.endswith("api_key=k")


def test_escaped_secret_in_the_token_url_is_a_reference() -> None:
    found = imported({"token_url": "https://idp.example.com/token?api_key=key%2Fin%2Fthe%2Furl"})

    assert "key%2F" not in found.config
    assert "?api_key=${env:TOKEN_URL_SECRET}" in found.config


@pytest.mark.parametrize("backend", [{"url_pattern": "/a\0"}, {"url_pattern": "\0"}])
def test_character_that_no_path_has_switches_the_rule_off(backend: dict[str, Any]) -> None:
    found = imported(backend=backend)

    assert loaded(found, SECRET).rules == ()
    assert len(found.lost) == 1


def test_password_in_the_token_url_is_not_shown_though_it_is_refused() -> None:
    found = imported({"token_url": "https://user:pass-in-url@idp.example.com/token"})

    assert "pass-in-url" not in found.config + "".join(lost(found))
    assert loaded(found, {}).rules == ()


def test_key_that_martian_ignores_is_left_out() -> None:
    tree = {
        "header.Modifier": {"scope": ["request"], "name": "A", "value": "b", "@comment": "kept", "typo": 1}
    }

    found = imported(martian=tree)

    assert lost(found) == [
        f'{MARTIAN}."header.Modifier".typo: Martian ignores this key, and so it is left out'
    ]
    assert '"@comment": kept' in found.config
    assert len(loaded(found, SECRET).rules[0].modifiers) == 1


@pytest.mark.parametrize("name", ["header.Filter", "header.RegexFilter"])
def test_header_filter_without_a_value_is_what_it_is_in_krakend(name: str) -> None:
    inner = {"header.Modifier": {"scope": ["request"], "name": "X-Found", "value": "yes"}}
    condition = {"name": "X-Tenant"} if name == "header.Filter" else {"header": "X-Tenant", "regex": "."}
    found = imported(martian={name: {"scope": ["request"], **condition, "modifier": inner}})

    (modifier,) = loaded(found, SECRET).rules[0].modifiers
    asked = [modifier.modify_request(request(value)) for value in ("acme", "")]

    by_value = name == "header.Filter"
    assert [("X-Found", "yes") in each.headers for each in asked] == [not by_value, by_value]
    assert [problem.path for problem in found.notes] == ([f'{MARTIAN}."{name}"'] if by_value else [])


def request(tenant: str) -> Request:
    headers = (("Host", "api.example.com"), ("X-Tenant", tenant))
    return Request(
        method="GET", scheme="https", host="api.example.com", port=443, target="/a", headers=headers
    )


@pytest.mark.parametrize(
    ("martian", "secret", "name"),
    [
        ({"url.Modifier": {"scope": ["request"], "query": "code=s%2Fs&a=s"}}, "s%2Fs", "QUERY_SECRET"),
        ({"querystring.Modifier": {"scope": ["request"], "name": "code", "value": "s/s"}}, "s/s", "CODE"),
        *(
            ({"body.Modifier": {"scope": ["request"], "body": b64encode(body).decode()}}, "", "BODY")
            for body in (b'{"a": {"password": "s"}}', b"a=b&client_secret=s", b"<api_key>s</api_key>")
        ),
    ],
)
def test_secrets_in_modifiers_are_references(martian: dict[str, Any], secret: str, name: str) -> None:
    found = imported(martian=martian)

    assert name in found.variables
    assert (secret or martian["body.Modifier"]["body"]) not in found.config
    assert len(loaded(found, {**SECRET, name: secret or "YQ=="}).rules) == 1


@pytest.mark.parametrize("body", ["eyJhIjoxfQ==", "eyJ0b2tlbl90eXBlIjoxfQ=="])
def test_body_without_secrets_stays(body: str) -> None:
    assert f"body: {body}" in imported(martian={"body.Modifier": {"body": body}}).config


def test_tree_that_martian_can_not_read_is_left_out_as_in_krakend() -> None:
    found = imported(martian={"header.Modifer": {"name": "A", "value": "b"}})

    assert [line.partition(":")[0] for line in lost(found)] == [MARTIAN, f'{MARTIAN}."header.Modifer"']
    assert loaded(found, SECRET).rules[0].modifiers == ()


def test_host_that_the_rule_does_not_cover_switches_the_rule_off() -> None:
    tree = {"header.Modifier": {"scope": ["request"], "name": "Host", "value": "other.example.com"}}

    found = imported(martian=tree)

    assert "sets Host to one that this rule does not match" in lost(found)[0]
    assert loaded(found, SECRET).rules == ()
    assert "# - name: a\n" in found.config


@pytest.mark.parametrize(
    ("backend", "url"),
    [
        ({"host": ["api.example.com/"]}, "http://api.example.com/a"),
        ({"host": ["https://api.example.com:8443"]}, "https://api.example.com:8443/a"),
        ({"host": ["https://[::1]:8443"], "disable_host_sanitize": True}, "https://[::1]:8443/a"),
        ({"url_pattern": "a"}, "https://api.example.com/a"),
        ({"url_pattern": "/{JWT.sub}/{resp0_a:b}"}, "https://api.example.com/me/17"),
        ({"url_pattern": "/a b*c"}, "https://api.example.com/a%20b%2Ac"),
        ({"url_pattern": "/files/*"}, "https://api.example.com/files/a/b"),
        ({"url_pattern": "/a?api_key=key-in-pattern"}, "https://api.example.com/a?api_key=x"),
    ],
)
def test_backend_is_where_the_rule_is(backend: dict[str, Any], url: str) -> None:
    found = imported(backend=backend)

    config = loaded(found, {**SECRET, "API_KEY": "x"})

    assert lost(found) == []
    assert "key-in-pattern" not in found.config
    assert winner(config, f"GET {url}") is not None


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ({"host": ["https://api.example.com/v1"]}, "host[0]: KrakenD refuses this host"),
        ({"host": ["ftp://api.example.com"]}, "host[0]: KrakenD refuses this host"),
        ({"host": ["amqp://q"], "disable_host_sanitize": True}, "host[0]: no http or https URL"),
        (
            {"host": ["https://u:p@h/?q"], "disable_host_sanitize": True},
            "host[0]: more than scheme, host and path",
        ),
        ({"host": []}, "no host that a rule could name"),
        ({"url_pattern": "/a//b"}, "'/a//b' holds an empty segment"),
        ({"url_pattern": "/a?x={y}"}, "url_pattern: a query parameter takes its value from the request"),
        ({"plugin/x": 1}, '"plugin/x": not known to this importer'),
    ],
)
def test_backend_that_no_rule_can_name_is_reported(backend: dict[str, Any], said: str) -> None:
    reported = [
        line.removeprefix("endpoints[0].backend[0]").lstrip(".: ") for line in lost(imported(backend=backend))
    ]

    assert any(line.startswith(said) for line in reported), reported


def test_what_belongs_to_the_gateway_is_no_loss() -> None:
    root = {
        "$schema": "x",
        "#comment": 1,
        "port": 8080,
        "tls": {},
        "extra_config": {"telemetry/logging": {}, "github_com/devopsfaith/krakend-gologging": {}},
    }

    found = imported(backend={"group": "x", "allow": ["a"], "encoding": "json"}, root=root)

    assert found.lost == ()
    assert len(found.notes) == 1
    assert found.notes[0].message.endswith("here the API's own goes on as it came (and 1 more like it)")


@pytest.mark.parametrize("place", ["extra_config", "endpoint"])
def test_credentials_outside_of_backends_have_no_effect(place: str) -> None:
    misplaced = {"auth/client-credentials": CREDENTIALS, "github_com/devopsfaith/krakend-martian": {}}
    endpoint = {
        "endpoint": "/a",
        "extra_config": misplaced,
        "backend": [{"host": ["https://a"], "url_pattern": "/"}],
    }
    file: dict[str, Any] = {"version": 3, "extra_config": misplaced, "endpoints": []}
    if place == "endpoint":
        file = {"version": 3, "endpoints": [endpoint]}

    found = convert("krakend", json.dumps(file), "k.json")

    assert "rules: []" in found.config
    assert found.lost == ()
    assert len(found.notes) == 2


def test_equal_credentials_share_one_source_and_methods_one_rule() -> None:
    backends = [
        {"host": ["https://api.example.com"], "url_pattern": "/a/{x}", "extra_config": {name: CREDENTIALS}}
        for name in ("auth/client-credentials", "github.com/devopsfaith/krakend-oauth2-clientcredentials")
    ]
    file = {
        "version": 3,
        "endpoints": [
            {"endpoint": "/one/{x}", "backend": backends[:1]},
            {"endpoint": "/two/{x}", "method": "post", "backend": backends[1:]},
        ],
    }

    config = loaded(convert("krakend", json.dumps(file), "k.json"), SECRET)

    assert [*config.sources] == ["app"]
    assert [sorted(rule.match.methods) for rule in config.rules] == [["GET", "POST"]]


def test_position_is_that_of_the_source_file() -> None:
    text = '{\n  "version": 3,\n  "endpoints": [],\n  "async_agent": [\n    {}\n  ]\n}\n'

    found = convert("krakend", text, "k.json")

    assert str(found.lost[0]).startswith("k.json:4:3: async_agent: ")


def test_two_escapes_of_one_character_are_read() -> None:
    text = json.dumps({"version": 3, "name": "\N{GRINNING FACE}", "endpoints": []})

    assert "\\ud83d\\ude00" in text
    assert convert("krakend", text, "k.json").lost == ()
