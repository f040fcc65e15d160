import pytest

from tests.unit.config.files import SOURCE, Files, fits, pairs, with_rule

REFUSED = r"""
modifiers: {header.Modifer: {}}
  6:17: rules[0].modifiers.header.Modifer: unknown modifier 'header.Modifer', did you mean 'header.Modifier'?
modifiers: [{header.Modifier: {name: a, vlue: b, value: c}}]
  6:45: rules[0].modifiers[0].header.Modifier.vlue: unknown key 'vlue', did you mean 'value'?
modifiers: [5]
  6:17: rules[0].modifiers[0]: expected a modifier, a mapping with one name, found a number
modifiers:
  6:5: rules[0].modifiers: expected a modifier, a mapping with one name, found null
attach: {header: Host}
  6:14: rules[0].attach.header: this header belongs to the connection: the proxy writes it itself
attach: {header: 'X Y'}
  6:14: rules[0].attach.header: not a header name; expected letters, digits and hyphens
attach: {scheme: 'a b'}
  6:14: rules[0].attach.scheme: not an authentication scheme; expected one word, …
attach: {query: access_token}
  6:14: rules[0].attach.query: unknown key, expected one of header, scheme, when_present
attach: {when_present: kep}
  6:14: rules[0].attach.when_present: expected 'replace', 'keep' or 'refuse'; did you mean 'keep'?
on_unauthorized: true
  6:5: rules[0].on_unauthorized: expected 'retry' or 'pass'
upgrade_to_https: yes
  6:5: rules[0].upgrade_to_https: expected true or false, found text
allow_plain_http: 1
  6:5: rules[0].allow_plain_http: expected true or false, found a number
allowed_clients: 127.0.0.1
  6:5: rules[0].allowed_clients: expected a list, found text
allowed_clients:
  6:5: rules[0].allowed_clients: expected a list, found null
allowed_clients: [10.0.0.0/8, nobody]
  6:35: rules[0].allowed_clients[1]: 'nobody' is no client; expected 127.0.0.0/8, ::1 or user:alice
claims: Equals(`a`)
  6:5: rules[0].claims: at character 1: expected Equals(key, value)
claims: "Equals(`a`, `b`)\n&& Equals"
  6:5: rules[0].claims: at line 2, character 10: expected ( after Equals, found the end
claims: ""
  6:5: rules[0].claims: at character 1: expected one of Equals, …
username_claim: a..b
  6:5: rules[0].username_claim: at character 3: expected a member's name in a claim's path
forward_headers: {X-A: a.}
  6:23: rules[0].forward_headers.X-A: at character 3: expected a member's name in a claim's path
forward_headers: {Host: a}
  6:23: rules[0].forward_headers.Host: this header belongs to the connection: the proxy writes it itself
tokensource: s
  6:5: rules[0].tokensource: unknown key, did you mean 'token_source'?
name: q
  6:5: rules[0].name: duplicate key, first given in line 4
"""


@pytest.mark.parametrize(("keys", "line"), pairs(REFUSED))
def test_rule_is_refused(keys: str, line: str, files: Files) -> None:
    """D03, D18."""
    (problem,) = files.problems(with_rule(keys))

    assert fits(problem, line)


REFUSED_MATCHES = r"""
host: api.example.com:8443, port: 443
  5:41: rules[0].match.port: host names a port, too; expected one of them
host: [api.example.com, b.example:8443], port: 443
  5:54: rules[0].match.port: host names a port, too; expected one of them
path: /a
  5:5: rules[0].match.host: is required
host: []
  5:13: rules[0].match.host: is empty; expected at least one
host: [a.example, https://b/]
  5:31: rules[0].match.host[1]: 'https://b/' is no host; expected it without scheme and path: api.example.com
host: a.example, path: v2
  5:30: rules[0].match.path: 'v2' is no path; expected it to start with /
host: a.example, methods: [GET, "P T"]
  5:45: rules[0].match.methods[1]: not an HTTP method; expected one like GET
host: a.example, scheme: htps
  5:30: rules[0].match.scheme: expected 'http' or 'https'; did you mean 'https'?
host: a.example, port: 0
  5:30: rules[0].match.port: expected a number from 1 to 65535, a list of them, or any
host: a.example, port: "443"
  5:30: rules[0].match.port: expected a number from 1 to 65535, a list of them, or any
host: a.example, port: [443, true]
  5:30: rules[0].match.port: expected a number from 1 to 65535, a list of them, or any
host: a.example, port: []
  5:30: rules[0].match.port: expected a number from 1 to 65535, a list of them, or any
host: a.example, query: {page: 1}
  5:38: rules[0].match.query.page: expected text, found a number; put it in quotes
host: 127
  5:13: rules[0].match.host: expected text, found a number; put it in quotes
"""


@pytest.mark.parametrize(("keys", "line"), pairs(REFUSED_MATCHES))
def test_match_is_refused(keys: str, line: str, files: Files) -> None:
    assert files.problems(with_rule("", match=keys)) == [line]


@pytest.mark.parametrize("value", ["x", "[]", "5", "~"])
def test_rule_is_a_mapping(value: str, files: Files) -> None:
    (problem,) = files.problems(f"version: 1\nrules:\n  - {value}\n")

    assert problem.startswith("3:5: rules[0]: expected a mapping, found ")


def test_required_keys_of_a_rule_are_named(files: Files) -> None:
    """Contract section 2: name and match.host are required."""
    assert files.problems("version: 1\nrules:\n  - {}\n") == [
        "3:5: rules[0].name: is required",
        "3:5: rules[0].match: is required",
    ]


WAYS = "expected the name of a token source, or a token source written here in full"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("biling", "no token source of this name; did you mean 'billing'?"),
        ("other", "no token source of this name"),
        ("5", f"{WAYS}, found a number"),
        ("", f"{WAYS}, found null"),
    ],
)
def test_token_source_is_refused(source: str, message: str, files: Files) -> None:
    text = with_rule(f"token_source: {source}", source=False).replace("{s: {", "{billing: {")

    assert files.problems(text) == [f"6:5: rules[0].token_source: {message}"]


def test_mistake_inside_an_inline_source_has_its_path(files: Files) -> None:
    text = with_rule("token_source: {token_url: x, client_id: y, clientid: z}", source=False)

    assert files.problems(text) == [
        "6:20: rules[0].token_source.token_url: not a URL; expected https://HOST/PATH",
        "6:48: rules[0].token_source.clientid: unknown key, did you mean 'client_id'?",
    ]


def test_rule_of_a_broken_source_draws_no_further_problem(files: Files) -> None:
    problems = files.problems(with_rule("").replace("client_id: app", "client_id: 5"))

    assert len(problems) == 1
    assert "token_sources.s.client_id" in problems[0]


def test_names_and_sources_are_checked_in_broken_rules_too(files: Files) -> None:
    text = "version: 1\nrules:\n" + "  - {name: a, match: {}, token_source: x}\n" * 2

    assert [problem.partition(": ")[2] for problem in files.problems(text)] == [
        "rules[0].match.host: is required",
        "rules[0].token_source: no token source of this name",
        "rules[1].name: another rule has this name; expected one unique over all files",
        "rules[1].match.host: is required",
        "rules[1].token_source: no token source of this name",
    ]


def test_api_headers_leave_the_tokens_header_alone(files: Files) -> None:
    text = with_rule("attach: {header: X-Key}").replace(SOURCE, f"{SOURCE}, api_headers: {{x-key: a}}")

    assert files.problems(text) == [
        "7:5: rules[0].token_source: the source's api_headers set the header that carries the token"
    ]


@pytest.mark.parametrize("host", ["api.example.com", "API.example.com.", "api.example.com:443"])
def test_modifier_sets_a_host_of_the_rule(host: str, files: Files) -> None:
    """Contract section 7."""
    text = with_rule(f"modifiers: {{header.Modifier: {{name: Host, value: '{host}'}}}}")

    assert files.load(text).rules[0].modifiers


@pytest.mark.parametrize(
    "host", ["evil.example.com", "api.example.com:8443", "a b", "[::1", "api.example.com:0"]
)
def test_modifier_that_sets_another_host_is_refused(host: str, files: Files) -> None:
    """Contract section 7."""
    (problem,) = files.problems(
        with_rule(f"modifiers: [{{header.Modifier: {{name: host, value: '{host}'}}}}]")
    )

    assert problem.startswith("6:48: rules[0].modifiers[0].header.Modifier.value: sets Host to one that")


def test_modifier_that_copies_into_host_is_refused(files: Files) -> None:
    (problem,) = files.problems(with_rule("modifiers: {header.Copy: {from: X-A, to: Host}}"))

    assert "sets Host to what the request says" in problem


def test_modifier_sets_any_host_without_a_source(files: Files) -> None:
    text = with_rule("modifiers: {header.Modifier: {name: Host, value: other.example}}", source=False)

    assert files.load(text).rules
