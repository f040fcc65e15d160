"""Contract section 7: what KrakenD's modifiers of headers and groups did when they were measured."""

from typing import Any

from clientcreds_proxy.martian.inspect import without_effect
from clientcreds_proxy.martian.message import Headers, Request
from clientcreds_proxy.martian.parse import parse
from tests.unit.martian.messages import answered, problems_of, request_with, requested

Tree = dict[str, Any]

BOTH = ["request", "response"]


def in_both(**fields: object) -> Tree:
    return {"scope": BOTH} | fields


def in_requests(**fields: object) -> Tree:
    return {"scope": ["request"]} | fields


def alike(headers: Headers) -> list[tuple[str, str]]:
    """Headers without what is not normative: their order, and the case of their names."""
    return sorted((name.lower(), value) for name, value in headers)


def passthrough() -> Tree:
    def testing(value: str) -> Tree:
        return {"header.Modifier": in_both(name="Martian-Testing", value=value)}

    fields = in_both(name="Martian-Passthrough", value="true", modifier=testing("true"))
    return {"header.Filter": fields | {"else": testing("false")}}


def test_modifier_replaces_every_value() -> None:
    """Case header-modifier-replaces-all."""
    tree = {"header.Modifier": in_both(name="X-Martian", value="true")}

    assert requested(tree, ("X-Martian", "false"), ("X-Martian", "again")) == (("X-Martian", "true"),)
    assert answered(tree, ("X-Martian", "false")) == (("X-Martian", "true"),)


def test_modifier_replaces_accept_for_auth0() -> None:
    """Case doc-auth0-accept-json."""
    accept = {"header.Modifier": in_requests(name="Accept", value="application/json")}
    tree = {"fifo.Group": in_both(aggregateErrors=False, modifiers=[accept])}

    assert requested(tree, ("Accept", "text/html"), ("Accept", "*/*")) == (("Accept", "application/json"),)


def test_modifier_changes_host_and_not_the_destination() -> None:
    """Case header-modifier-host."""
    tree = {"header.Modifier": in_requests(name="Host", value="internal.example")}

    request = parse(tree).modify_request(request_with())

    assert request.headers == (("Host", "internal.example"),)
    assert (request.scheme, request.host, request.port) == ("https", "api.example.com", 443)


def test_modifier_is_refused_for_content_length() -> None:
    """Case header-modifier-content-length-invalid: refused at load instead of failing each request."""
    tree = {"header.Modifier": in_requests(name="Content-Length", value="abc")}

    ((path, _),) = problems_of(tree)

    assert path == ("header.Modifier", "name")


def test_modifier_of_connection_ends_what_it_lists() -> None:
    """Case hop-by-hop-not-special: headers that Connection lists are not forwarded."""
    tree = {"header.Modifier": in_requests(name="Connection", value="X-Foo")}

    assert requested(tree, ("X-Foo", "1"), ("X-Bar", "2")) == (("X-Bar", "2"),)


def test_append_keeps_the_values_there_are() -> None:
    """Case header-append-keeps."""
    tree = {"header.Append": in_both(name="X-Martian", value="true")}

    expected = [("x-martian", "false"), ("x-martian", "true")]
    assert alike(requested(tree, ("X-Martian", "false"))) == expected
    assert alike(answered(tree, ("X-Martian", "false"))) == expected


def test_append_sends_a_second_user_agent() -> None:
    """Case header-append-user-agent-single: a proxy can send both values, Go's client can't."""
    tree = {"header.Append": in_requests(name="User-Agent", value="second/1")}

    assert requested(tree, ("User-Agent", "first/1")) == (
        ("User-Agent", "first/1"),
        ("User-Agent", "second/1"),
    )


def test_append_is_refused_for_host() -> None:
    """Case header-append-host-error: refused at load."""
    tree = {"header.Append": in_requests(name="Host", value="other.example")}

    assert [path for path, _ in problems_of(tree)] == [("header.Append", "name")]


def test_append_is_refused_for_content_length() -> None:
    """Case header-append-content-length-error: refused at load."""
    tree = {"header.Append": in_requests(name="Content-Length", value="3")}

    assert [path for path, _ in problems_of(tree)] == [("header.Append", "name")]


def test_blacklist_removes_in_any_case() -> None:
    """Case header-blacklist."""
    tree = {"header.Blacklist": in_both(names=["X-Testing", "y-testing"])}
    headers = (("X-Testing", "value"), ("Y-Testing", "value"), ("Z-Testing", "value"))

    assert requested(tree, *headers) == (("Z-Testing", "value"),)
    assert answered(tree, *headers) == (("Z-Testing", "value"),)


def test_blacklist_removes_user_agent_for_good() -> None:
    """Case header-blacklist-user-agent-xff."""
    names = ["X-Some", "User-Agent", "X-Forwarded-Host", "X-Forwarded-For"]

    assert requested({"header.Blacklist": in_both(names=names)}, *((name, "x") for name in names)) == ()


def test_copy_replaces_its_target() -> None:
    """Case header-copy."""
    tree = {"header.Copy": in_both(**{"from": "Original", "to": "Copy"})}
    expected = [("copy", "test"), ("original", "test")]

    assert alike(requested(tree, ("Original", "test"), ("Copy", "old"))) == expected
    assert alike(answered(tree, ("Original", "test"))) == expected


def test_copy_takes_the_first_of_many() -> None:
    """Case header-copy-first-of-many."""
    tree = {"header.Copy": in_requests(**{"from": "Original", "to": "Copy"})}

    assert alike(requested(tree, ("Original", "a"), ("Original", "b"))) == [
        ("copy", "a"),
        ("original", "a"),
        ("original", "b"),
    ]


def test_copy_reads_host() -> None:
    """Case header-copy-host."""
    tree = {"header.Copy": in_requests(**{"from": "Host", "to": "X-Orig-Host"})}
    request = Request(
        method="GET",
        scheme="http",
        host="example.com",
        port=8080,
        target="/path",
        headers=(("Host", "example.com:8080"),),
    )

    assert parse(tree).modify_request(request).headers[1:] == (("X-Orig-Host", "example.com:8080"),)


def test_copy_empties_its_target_when_there_is_nothing_to_copy() -> None:
    """Case header-copy-missing-source: as KrakenD does."""
    tree = {"header.Copy": in_requests(**{"from": "Original", "to": "Copy"})}

    assert requested(tree, ("Copy", "old")) == (("Copy", ""),)


def test_id_keeps_an_id() -> None:
    """Case header-id-existing."""
    tree = {"header.Id": in_requests(header="X-Request-Id")}

    assert requested(tree, ("X-Request-Id", "keep-me")) == (("X-Request-Id", "keep-me"),)


def test_filter_takes_the_branch_of_each_message() -> None:
    """Cases header-filter-match and header-filter-else."""
    yes, no = ("Martian-Passthrough", "true"), ("Martian-Passthrough", "false")

    assert requested(passthrough(), yes)[1:] == (("Martian-Testing", "true"),)
    assert requested(passthrough(), no)[1:] == (("Martian-Testing", "false"),)
    assert answered(passthrough(), yes)[1:] == (("Martian-Testing", "true"),)
    assert answered(passthrough(), no)[1:] == (("Martian-Testing", "false"),)


def test_filter_is_content_with_any_of_many_values() -> None:
    """Case header-filter-any-value-of-many."""
    headers = (("Martian-Passthrough", "false"), ("Martian-Passthrough", "true"))

    assert requested(passthrough(), *headers)[2:] == (("Martian-Testing", "true"),)
    assert answered(passthrough()) == (("Martian-Testing", "false"),)


def test_filter_without_value_means_presence() -> None:
    """Case header-filter-no-value-present: KrakenD's documentation is followed, not its code."""
    has = {"header.Modifier": in_requests(name="X-Has-Tenant", value="yes")}
    not_ = {"header.Modifier": in_requests(name="X-Has-Tenant", value="no")}
    tree = {"header.Filter": in_requests(name="X-Tenant", modifier=has) | {"else": not_}}

    assert requested(tree, ("X-Tenant", "v1"))[1:] == (("X-Has-Tenant", "yes"),)
    assert requested(tree) == (("X-Has-Tenant", "no"),)


def test_regex_filter_searches() -> None:
    """Case header-regexfilter-doc, with a modifier of headers inside."""
    inside = {"header.Modifier": in_requests(name="X-Testing", value="1")}
    fields = in_requests(header="X-App-Version", regex=".*-(alpha|beta|preview)$", modifier=inside)
    tree = {"header.RegexFilter": fields}

    assert requested(tree, ("X-App-Version", "v1.2.3-alpha"))[1:] == (("X-Testing", "1"),)
    assert requested(tree, ("X-App-Version", "v1.2.3"))[1:] == ()


def test_regex_filter_refuses_what_is_not_re2() -> None:
    """Case header-regexfilter-bad-regex: Python's own expressions know lookbehind."""
    inside = {"header.Modifier": in_requests(name="X-M", value="1")}
    tree = {"header.RegexFilter": in_requests(header="X-Kind", regex="(?<=a)b", modifier=inside)}

    assert [path for path, _ in problems_of(tree)] == [("header.RegexFilter", "regex")]


def test_fifo_runs_a_member_where_both_scopes_agree() -> None:
    """Case fifo-scope-intersects-child-scope."""
    members = [
        {"header.Modifier": in_both(name="X-A", value="1")},
        {"header.Modifier": {"scope": ["response"], "name": "X-B", "value": "1"}},
    ]
    tree = {"fifo.Group": in_requests(modifiers=members)}

    assert requested(tree) == (("X-A", "1"),)
    assert answered(tree) == ()


def test_fifo_with_an_impossible_member_is_refused() -> None:
    """Case fifo-halts-on-error: what fails each request in KrakenD does not load here."""
    members = [
        {"header.Modifier": in_requests(name="X-A", value="1")},
        {"header.Append": in_requests(name="Host", value="x")},
        {"header.Modifier": in_requests(name="X-B", value="1")},
    ]

    found = problems_of({"fifo.Group": in_requests(modifiers=members)})

    assert [path for path, _ in found] == [("fifo.Group", "modifiers", 1, "header.Append", "name")]


def test_fifo_with_impossible_members_names_them_all() -> None:
    """Case fifo-aggregates-errors: all of them are told at load."""
    host = {"header.Append": in_requests(name="Host", value="x")}
    members = [host, {"header.Modifier": in_requests(name="X-B", value="1")}, host]

    found = problems_of({"fifo.Group": in_requests(aggregateErrors=True, modifiers=members)})

    assert [path[2] for path, _ in found] == [0, 2]


def test_priority_runs_descending_and_the_later_of_equals_first() -> None:
    """Case priority-group-order."""

    def ordered(priority: int, value: str) -> Tree:
        append = {"header.Append": in_requests(name="X-Order", value=value)}
        return {"priority": priority, "modifier": append}

    members = [ordered(0, "low-first-declared"), ordered(100, "high"), ordered(0, "low-later-declared")]

    headers = requested({"priority.Group": in_both(modifiers=members)})

    assert [value for _, value in headers] == ["high", "low-later-declared", "low-first-declared"]


def test_scope_omitted_means_both_phases() -> None:
    """Case scope-omitted-means-both."""
    tree = {"header.Modifier": {"name": "X-A", "value": "1"}}

    assert requested(tree) == answered(tree) == (("X-A", "1"),)


def test_scope_empty_means_no_phase() -> None:
    """Case scope-empty-means-none."""
    tree = {"header.Modifier": {"scope": [], "name": "X-A", "value": "1"}}

    assert requested(tree) == answered(tree) == ()


def test_comments_inside_a_modifier_are_skipped() -> None:
    """Case comment-attribute-inside-modifier-ok."""
    tree = {"header.Modifier": in_requests(name="X-A", value="1") | {"@comment": "sets a header"}}

    assert requested(tree) == (("X-A", "1"),)


def test_unknown_modifiers_are_refused() -> None:
    """Case unknown-modifier-is-error."""
    ((path, message),) = problems_of({"header.Set": in_requests(name="X-A", value="1")})

    assert path == ("header.Set",)
    assert message.startswith("unknown modifier 'header.Set'")


def test_verifiers_load_and_are_reported() -> None:
    """Case verifier-is-noop."""
    members = [
        {"header.Verifier": in_requests(name="Authorization")},
        {"header.Modifier": in_requests(name="X-A", value="1")},
    ]
    tree = {"fifo.Group": in_both(modifiers=members)}

    assert requested(tree) == (("X-A", "1"),)
    assert [name for _, name in without_effect(parse(tree))] == ["header.Verifier"]
