"""Contract section 7: all that a modifier says is checked when the file is read, where it stands."""

import json

import pytest

from tests.unit.config.files import Files, with_rule

STASH = {"stash.Modifier": {"headerName": "X-Url"}}
TWO_HOSTS = "host: [api.example.com, api-v2.example.com]"


def leading(modifier: str, *, match: str = "host: api.example.com", keys: str = "") -> str:
    return with_rule(f"modifiers: {{{modifier}}}\n{keys}", match=match)


@pytest.mark.parametrize(
    ("match", "modifier"),
    [
        ("host: api.example.com", "url.Modifier: {path: /v2, query: a=b}"),
        ("host: api.example.com", "url.Modifier: {host: API.example.com.}"),
        ("host: api.example.com", "url.Modifier: {scheme: https}"),
        ("host: api.example.com", "port.Modifier: {port: 443}"),
        ("host: api.example.com", "port.Modifier: {remove: true}"),
        (TWO_HOSTS, "url.Modifier: {host: api-v2.example.com}"),
        (TWO_HOSTS, "url.Modifier: {host: 'api-v2.example.com:443'}"),
        ("host: '*.example.com'", "url.Modifier: {host: b.example.com}"),
        ("host: '**.example.com', port: [443, 8443]", "port.Modifier: {port: 8443}"),
        ("host: api.example.com, port: any", "port.Modifier: {port: 8443}"),
        ("host: ['a.example.com:8443', 'b.example.com:9443']", "url.Modifier: {host: 'b.example.com:9443'}"),
        ("host: localhost", "url.Modifier: {scheme: https}"),
        ("host: '[::1]', port: [80, 8080]", "port.Modifier: {port: 8080}"),
    ],
)
def test_modifier_may_lead_where_the_rule_goes(match: str, modifier: str, files: Files) -> None:
    assert files.load(leading(modifier, match=match)).rules


@pytest.mark.parametrize(
    ("match", "modifier", "place", "led"),
    [
        (
            "host: api.example.com",
            "url.Modifier: {host: evil.example}",
            "6:32: rules[0].modifiers.url.Modifier.host",
            "from https://api.example.com:443 to https://evil.example:443",
        ),
        (
            "host: api.example.com",
            "url.Modifier: {path: /, host: 'api.example.com:8443'}",
            "6:41: rules[0].modifiers.url.Modifier.host",
            "from https://api.example.com:443 to https://api.example.com:8443",
        ),
        (
            "host: '*.example.com'",
            "url.Modifier: {host: a.b.example.com}",
            "6:32: rules[0].modifiers.url.Modifier.host",
            "from https://any-label.example.com:443 to https://a.b.example.com:443",
        ),
        (
            "host: api.example.com, port: [443, 8443]",
            "port.Modifier: {port: 9443}",
            "6:33: rules[0].modifiers.port.Modifier.port",
            "from https://api.example.com:443 to https://api.example.com:9443",
        ),
        (
            "host: api.example.com, port: 8443",
            "port.Modifier: {remove: true}",
            "6:33: rules[0].modifiers.port.Modifier.remove",
            "from https://api.example.com:8443 to https://api.example.com:443",
        ),
        (
            "host: ['a.example.com:8443', 'b.example.com:9443']",
            "port.Modifier: {port: 9443}",
            "6:33: rules[0].modifiers.port.Modifier.port",
            "from https://a.example.com:8443 to https://a.example.com:9443",
        ),
        (
            "host: [localhost, api.example.com], scheme: http",
            "url.Modifier: {scheme: https}",
            "6:32: rules[0].modifiers.url.Modifier.scheme",
            "from http://localhost:80 to https://localhost:443",
        ),
    ],
)
def test_modifier_that_leads_elsewhere_is_refused(
    match: str, modifier: str, place: str, led: str, files: Files
) -> None:
    (problem,) = files.problems(leading(modifier, match=match))

    assert problem == (
        f"{place}: leads requests {led}, which this rule does not match; its token is for the rule's own "
        "hosts and ports alone"
    )


@pytest.mark.parametrize(
    "match", ["host: api.example.com", "host: api.example.com, port: any", "host: localhost, port: [80, 443]"]
)
def test_modifier_that_leads_off_tls_is_refused(match: str, files: Files) -> None:
    (problem,) = files.problems(leading("url.Modifier: {scheme: http}", match=match))

    assert problem == (
        "6:32: rules[0].modifiers.url.Modifier.scheme: leads requests off TLS; a token goes out as safely as "
        "the rule says"
    )


def test_modifier_of_an_upgraded_rule_may_lead_to_tls(files: Files) -> None:
    match = f"{TWO_HOSTS}, scheme: http"
    text = leading("url.Modifier: {host: api-v2.example.com}", match=match, keys="upgrade_to_https: true")

    assert files.load(text).rules


def inside_another(url_modifier: str) -> str:
    inside = f"{{url.Modifier: {{{url_modifier}}}}}"
    return leading(f"header.Filter: {{name: X, modifier: {{header.Id: {{}}}}, else: {inside}}}")


def test_modifier_inside_another_is_looked_at(files: Files) -> None:
    (problem,) = files.problems(inside_another("host: evil.example"))

    assert problem.startswith("6:91: rules[0].modifiers.header.Filter.else.url.Modifier.host: leads requests")


def test_modifier_that_never_runs_leads_nowhere(files: Files) -> None:
    assert files.load(inside_another("scope: [], host: evil.example")).rules


def test_modifiers_lead_anywhere_without_a_source(files: Files) -> None:
    text = with_rule("modifiers: {url.Modifier: {scheme: http, host: evil.example}}", source=False)

    assert files.load(text).rules


def test_destination_from_a_reference_is_not_shown(files: Files) -> None:
    files.environ["ELSEWHERE"] = "evil.example"

    (problem,) = files.problems(leading("url.Modifier: {host: '${env:ELSEWHERE}'}"))

    assert "evil" not in problem
    assert problem.startswith("6:32: rules[0].modifiers.url.Modifier.host: ")


@pytest.mark.parametrize(
    ("modifier", "problem"),
    [
        ("header.Set: {}", "6:17: rules[0].modifiers.header.Set: unknown modifier 'header.Set', …"),
        (
            "header.Id: {}, url.Modifier: {}",
            "6:5: rules[0].modifiers: expected a mapping with exactly one modifier's name, found 2 keys",
        ),
        (
            "url.Modifier: {scope: [request, response], host: h}",
            "6:49: rules[0].modifiers.url.Modifier.scope[1]: url.Modifier has no response phase, …",
        ),
        (
            "body.Modifier: {body: '%%%'}",
            "6:33: rules[0].modifiers.body.Modifier.body: not Base64 (RFC 4648 §4): …",
        ),
        (
            "url.RegexFilter: {regex: '(?<=a)b', modifier: {header.Id: {}}}",
            "6:35: rules[0].modifiers.url.RegexFilter.regex: not a regular expression of RE2: …",
        ),
        (
            'cookie.Modifier: {name: a, value: "b\\r\\nSet-Cookie: c=1"}',
            "6:44: rules[0].modifiers.cookie.Modifier.value: a cookie's value is ASCII without …",
        ),
        (
            "cookie.Modifier: {name: a, value: b, expires: 2025-13-01T00:00:00Z}",
            "6:54: rules[0].modifiers.cookie.Modifier.expires: not a date, expected one of RFC 3339 like …",
        ),
        (
            "status.Modifier: {statusCode: 99}",
            "6:35: rules[0].modifiers.status.Modifier.statusCode: expected a whole number from 200 to 599, …",
        ),
        (
            "static.Modifier: {rootPath: missing}",
            "6:35: rules[0].modifiers.static.Modifier.rootPath: there is no folder at this path",
        ),
        (
            "modifier/martian: {header.Modifier: {name: X}}",
            "6:36: rules[0].modifiers.modifier/martian.header.Modifier: the key 'value' is missing, …",
        ),
    ],
)
def test_mistake_is_told_where_it_stands(modifier: str, problem: str, files: Files) -> None:
    (said,) = files.problems(leading(modifier))

    assert said.startswith(problem.removesuffix("…"))


def test_mistake_is_told_where_it_stands_in_json(files: Files) -> None:
    document = {
        "version": 1,
        "rules": [
            {
                "name": "r",
                "match": {"host": "api.example.com"},
                "modifiers": [STASH, {"body.Modifier": {"body": "%%%"}}, {"port.Modifier": {}}],
            }
        ],
    }

    problems = files.problems(json.dumps(document, indent="\t"))

    assert [problem.partition(": ")[0] for problem in problems] == ["17:7", "21:6"]


@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("namespace", ["modifier/martian", "github.com/devopsfaith/krakend-martian", None])
def test_martians_json_is_pasted_as_it_stands(
    namespace: str | None, indent: int | str | None, files: Files
) -> None:
    tree = {"fifo.Group": {"scope": ["request"], "aggregateErrors": True, "modifiers": [STASH]}}
    pasted = json.dumps({namespace: tree} if namespace else tree, indent=indent)

    (rule,) = files.load(with_rule(f"modifiers: {pasted}", source=False)).rules

    assert len(rule.modifiers) == 1


def test_folder_of_files_counts_from_the_file(files: Files) -> None:
    files.write("pages/index.html", "<p>")

    (rule,) = files.load(leading("static.Modifier: {rootPath: pages}")).rules

    assert str(files.folder / "pages") in repr(rule.modifiers)
