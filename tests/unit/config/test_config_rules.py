from ipaddress import ip_network

import pytest

from clientcreds_proxy.rules.model import Attach, ClientList, Match, Rule
from clientcreds_proxy.rules.pattern import parse_host, parse_path
from tests.unit.config.files import SOURCE, Files, pairs, with_rule


def rule(files: Files, keys: str, *, match: str = "host: api.example.com") -> Rule:
    (only,) = files.load(with_rule(keys, match=match)).rules
    return only


def match(files: Files, keys: str) -> Match:
    return rule(files, "", match=keys).match


def test_rule_has_the_defaults_of_the_contract(files: Files) -> None:
    """Contract section 2, defaults."""
    loaded = rule(files, "")

    assert loaded == Rule(
        name="r",
        match=Match(hosts=(parse_host("api.example.com")[0],)),
        token_source="s",
        attach=Attach(header="Authorization", scheme="Bearer", when_present="replace"),
        modifiers=(),
        upgrade_to_https=False,
        on_unauthorized="retry",
        on_token_failure="refuse",
        allowed_clients=None,
        allow_plain_http=False,
        allow_cross_site=False,
        allow_encoded_slash=False,
        allow_empty_segments=False,
    )


def test_rule_takes_every_key(files: Files) -> None:
    loaded = rule(
        files,
        """
        attach: {header: X-Token, scheme: "", when_present: refuse}
        upgrade_to_https: true
        on_unauthorized: pass
        on_token_failure: pass_without_token
        allowed_clients: [127.0.0.1/32, "user:alice"]
        allow_plain_http: true
        allow_cross_site: true
        allow_encoded_slash: true
        allow_empty_segments: true
        """,
        match="host: [a.example, '*.b.example'], path: /v2/**, methods: [get, POST], scheme: https, "
        "port: any, query: {tenant: [acme, x]}",
    )

    assert loaded == Rule(
        name="r",
        match=Match(
            hosts=(parse_host("a.example")[0], parse_host("*.b.example")[0]),
            paths=(parse_path("/v2/**"),),
            methods=frozenset({"GET", "POST"}),
            schemes=frozenset({"https"}),
            ports="any",
            query=(("tenant", frozenset({"acme", "x"})),),
        ),
        token_source="s",
        attach=Attach(header="X-Token", scheme="", when_present="refuse"),
        upgrade_to_https=True,
        on_unauthorized="pass",
        on_token_failure="pass_without_token",
        allowed_clients=ClientList(networks=(ip_network("127.0.0.1/32"),), users=frozenset({"alice"})),
        allow_plain_http=True,
        allow_cross_site=True,
        allow_encoded_slash=True,
        allow_empty_segments=True,
    )


@pytest.mark.parametrize(
    ("written", "ports"),
    [("443", {443}), ("[1, 65535]", {1, 65535}), ("any", "any")],
)
def test_port_is_one_a_list_or_any(written: str, ports: object, files: Files) -> None:
    assert match(files, f"host: a.example, port: {written}").ports == ports


def test_host_with_a_port_is_short_for_both(files: Files) -> None:
    """Contract section 2, matching."""
    assert match(files, "host: 'a.example:8443'") == match(files, "host: a.example, port: 8443")
    assert match(files, "host: '[::1]:8443'") == match(files, "host: '::1', port: 8443")


def test_hosts_with_different_ports_are_not_mixed(files: Files) -> None:
    loaded = files.load(with_rule("", match="host: ['a.example:1', 'b.example:2', 'c.example:1']")).rules

    assert [(rule.name, [str(host) for host in rule.match.hosts], rule.match.ports) for rule in loaded] == [
        ("r", ["a.example", "c.example"], frozenset({1})),
        ("r", ["b.example"], frozenset({2})),
    ]


@pytest.mark.parametrize(
    ("own", "attach"),
    [
        ("{}", Attach(header="X-Key", scheme="")),
        ("{header: X-Other}", Attach(header="X-Other", scheme="")),
        ("{scheme: Token, when_present: keep}", Attach(header="X-Key", scheme="Token", when_present="keep")),
    ],
)
def test_attach_starts_from_the_source(own: str, attach: Attach, files: Files) -> None:
    """Contract section 2: what a rule's attach starts from."""
    text = with_rule(f"attach: {own}").replace(SOURCE, f"{SOURCE}, attach: {{header: X-Key, scheme: ''}}")

    assert files.load(text).rules[0].attach == attach


def test_source_inside_a_rule_has_a_name_of_its_own(files: Files) -> None:
    text = f"version: 1\ntoken_sources: {{r: {{{SOURCE}}}}}\nrules:\n"
    text += "".join(
        f"  - {{name: {name}, match: {{host: {name}.example}}, token_source: {{{SOURCE}}}}}\n"
        for name in "qr"
    )

    loaded = files.load(text)

    assert [rule.token_source for rule in loaded.rules] == ["q", "r (rule)"]
    assert list(loaded.sources) == ["r", "q", "r (rule)"]


def test_rule_without_a_source_has_modifiers_only(files: Files) -> None:
    (loaded,) = files.load(
        with_rule("modifiers: {header.Modifier: {name: X-A, value: b}}", source=False)
    ).rules

    assert loaded.token_source is None
    assert len(loaded.modifiers) == 1


def test_modifiers_are_a_list_in_order(files: Files) -> None:
    one, two = (f"{{header.Modifier: {{name: X-{name}, value: b}}}}" for name in "AB")

    loaded = rule(files, f"modifiers: [{one}, {two}]")

    assert len(loaded.modifiers) == 2
    assert loaded.modifiers[0] == rule(files, f"modifiers: {one}").modifiers[0]


WARNED = r"""
modifiers: {header.Verifier: {name: a, value: b}}
  6:17: rules[0].modifiers.header.Verifier: header.Verifier is accepted and does nothing, as in KrakenD
"""


@pytest.mark.parametrize(("keys", "line"), pairs(WARNED))
def test_rule_draws_a_warning(keys: str, line: str, files: Files) -> None:
    assert files.warnings(with_rule(keys)) == [line]


def test_attach_without_a_source_draws_a_warning(files: Files) -> None:
    assert files.warnings(with_rule("attach: {header: X-A}", source=False)) == [
        "6:5: rules[0].attach: has no effect without a token_source"
    ]


def test_token_that_could_only_leave_in_plain_text_draws_a_warning(files: Files) -> None:
    (warning,) = files.warnings(with_rule("", match="host: a.example, scheme: http"))

    assert warning.startswith("5:30: rules[0].match.scheme: no token leaves over plain http")


@pytest.mark.parametrize("match", ["host: a.example", "host: [localhost, a.example], scheme: http"])
def test_token_that_may_leave_in_plain_text_draws_a_warning(match: str, files: Files) -> None:
    assert files.warnings(with_rule("allow_plain_http: true", match=match)) == [
        "6:5: rules[0].allow_plain_http: tokens leave unencrypted: who sees them on their way can use them"
    ]


@pytest.mark.parametrize("entry", ["0.0.0.0/0", "::/0", "10.0.0.1/0"])
def test_everybody_as_a_client_draws_a_warning(entry: str, files: Files) -> None:
    text = with_rule("").replace("rules:", f"allowed_clients: [127.0.0.1, '{entry}']\nrules:", 1)

    assert files.warnings(text) == ["3:30: allowed_clients[1]: whoever reaches the proxy may use its tokens"]


@pytest.mark.parametrize(
    ("keys", "match"),
    [
        ("upgrade_to_https: true", "host: a.example, scheme: http"),
        ("allow_plain_http: true", "host: a.example, scheme: https"),
        ("allow_plain_http: true", "host: [localhost, '*.localhost']"),
        ("allow_plain_http: true\nupgrade_to_https: true", "host: a.example"),
        ("", "host: [a.example, 127.0.0.1], scheme: http"),
        ("", "host: '*.localhost', scheme: http"),
        ("", "host: a.example, scheme: [http, https]"),
    ],
)
def test_plain_http_that_is_meant_draws_no_warning(keys: str, match: str, files: Files) -> None:
    assert files.warnings(with_rule(keys, match=match)) == []


def test_rule_that_can_never_match_draws_a_warning(files: Files) -> None:
    """Contract section 2: `check` names rules that can never match."""
    first, second = "{name: a, match: {host: x.example}}", "{name: b, match: {host: x.example, path: /a}}"
    text = f"version: 1\nrules:\n  - {first}\n  - {second}\n"

    assert files.warnings(text) == ["4:5: rules[1]: can never match: rule 'a' takes all its requests first"]
    assert files.warnings(text.replace("name: a", 'name: "${env:SECRET}"')) == [
        "4:5: rules[1]: can never match: an earlier rule takes all its requests first"
    ]
