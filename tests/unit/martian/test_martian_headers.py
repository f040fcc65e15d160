import pytest

from clientcreds_proxy.martian.message import Request
from clientcreds_proxy.martian.parse import parse
from tests.unit.martian.messages import answered, ids, problems_of, request_with, requested, response_with


def test_modifier_replaces_all_values_where_the_first_was() -> None:
    tree = {"header.Modifier": {"name": "X-a", "value": "new"}}

    assert requested(tree, ("X-A", "1"), ("B", "2"), ("x-a", "3")) == (("X-a", "new"), ("B", "2"))
    assert answered(tree, ("B", "2")) == (("B", "2"), ("X-a", "new"))


def test_modifier_can_set_an_empty_header() -> None:
    assert requested({"header.Modifier": {"name": "X-A", "value": ""}}) == (("X-A", ""),)


def test_modifier_drops_blanks_around_a_value() -> None:
    assert requested({"header.Modifier": {"name": "X-A", "value": " \ta b "}}) == (("X-A", "a b"),)


def test_modifier_writes_any_character() -> None:
    assert requested({"header.Modifier": {"name": "X-A", "value": "héllo 世界"}}) == (("X-A", "héllo 世界"),)


def test_modifier_does_not_show_its_value() -> None:
    for name in ("header.Modifier", "header.Append"):
        assert "hunter2" not in repr(parse({name: {"name": "X-Key", "value": "hunter2"}}))


def test_append_keeps_what_there_is() -> None:
    tree = {"header.Append": {"name": "X-A", "value": "2"}}

    assert requested(tree, ("x-a", "1"), ("B", "b")) == (("x-a", "1"), ("B", "b"), ("X-A", "2"))
    assert answered(tree, ("X-A", "1")) == (("X-A", "1"), ("X-A", "2"))


def test_blacklist_removes_every_value_of_every_name() -> None:
    tree = {"header.Blacklist": {"names": ["X-A", "b", "Missing"]}}

    assert requested(tree, ("x-a", "1"), ("B", "2"), ("C", "3"), ("X-A", "4")) == (("C", "3"),)
    assert answered(tree, ("B", "2"), ("C", "3")) == (("C", "3"),)


def test_copy_takes_the_first_value() -> None:
    tree = {"header.Copy": {"from": "x-a", "to": "Y"}}

    assert requested(tree, ("Y", "old"), ("X-A", "1"), ("X-A", "2"), ("y", "old")) == (
        ("Y", "1"),
        ("X-A", "1"),
        ("X-A", "2"),
    )
    assert answered(tree) == (("Y", ""),)


def test_id_is_a_uuid_unless_there_is_an_id() -> None:
    tree: dict[str, object] = {"header.Id": {}}

    made = "00000000-0000-0000-0000-000000000001"
    assert requested(tree) == (("X-Krakend-Id", made),)
    assert requested(tree, ("x-krakend-id", "")) == (("X-Krakend-Id", made),)
    assert requested(tree, ("x-krakend-id", "mine")) == (("x-krakend-id", "mine"),)


@pytest.mark.parametrize(
    ("header", "name"), [("X-Request-Id", "X-Request-Id"), ("", "X-Krakend-Id"), (None, "X-Krakend-Id")]
)
def test_id_goes_into_the_header_that_is_named(header: str | None, name: str) -> None:
    ((found, _),) = requested({"header.Id": {"header": header}})

    assert found == name


def test_id_is_another_one_for_each_request() -> None:
    modifier = parse({"header.Id": {}}, new_id=ids())

    first, second = (modifier.modify_request(request_with()) for _ in range(2))

    assert first != second


def test_id_is_random_by_default() -> None:
    modifier = parse({"header.Id": {}})

    (_, value) = modifier.modify_request(request_with()).headers[-1]

    assert len(value) == 36
    assert value[14] == "4"


@pytest.mark.parametrize(
    "tree",
    [
        {"header.Modifier": {"name": "Host", "value": "inside.example"}},
        {"header.Copy": {"from": "X-Host", "to": "host"}},
    ],
)
def test_host_is_changed_without_the_destination(tree: object) -> None:
    request = request_with(("X-Host", "inside.example"))

    changed = parse(tree).modify_request(request)

    assert [value for name, value in changed.headers if name.lower() == "host"] == ["inside.example"]
    assert (changed.host, changed.port) == ("api.example.com", 443)


@pytest.mark.parametrize(
    ("host", "scheme", "port", "authority"),
    [
        ("api.example.com", "https", 443, "api.example.com"),
        ("api.example.com", "http", 80, "api.example.com"),
        ("api.example.com", "https", 8443, "api.example.com:8443"),
        ("api.example.com", "http", 443, "api.example.com:443"),
        ("::1", "https", 443, "[::1]"),
        ("::1", "https", 8443, "[::1]:8443"),
    ],
)
@pytest.mark.parametrize(
    "tree",
    [
        {"header.Blacklist": {"names": ["host"]}},
        {"header.Modifier": {"name": "Host", "value": ""}},
        {"header.Copy": {"from": "X-Missing", "to": "Host"}},
    ],
)
def test_host_is_the_destination_when_a_modifier_takes_it_away(
    *, tree: object, host: str, scheme: str, port: int, authority: str
) -> None:
    headers = (("X-A", "1"), ("Host", "spoofed"))
    request = Request(method="GET", scheme=scheme, host=host, port=port, target="/", headers=headers)

    changed = parse(tree).modify_request(request)

    assert changed.headers == (("Host", authority), ("X-A", "1"))


@pytest.mark.parametrize(
    "tree",
    [
        {"header.Modifier": {"name": "Host", "value": "x"}},
        {"header.Copy": {"from": "X-A", "to": "Host"}},
    ],
)
def test_host_is_no_header_of_a_response(tree: object) -> None:
    assert answered(tree, ("X-A", "1")) == (("X-A", "1"),)
    assert not parse(tree).changes_responses


@pytest.mark.parametrize(
    "tree",
    [
        {"header.Modifier": {"name": "X-A", "value": "1"}},
        {"header.Blacklist": {"names": ["X-B"]}},
        {"header.Blacklist": {"names": []}},
        {"header.Copy": {"from": "X-A", "to": "X-A"}},
        {"header.Id": {"header": "X-A"}},
        {"header.Append": {"scope": [], "name": "X-A", "value": "2"}},
    ],
)
def test_messages_stay_the_same_objects_when_nothing_changes(tree: object) -> None:
    request, response = request_with(("X-A", "1")), response_with(("X-A", "1"))

    modifier = parse(tree)

    assert modifier.modify_request(request) is request
    assert modifier.modify_response(response, request) is response
    assert list(modifier.children()) == []


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding"])
def test_headers_that_frame_a_message_are_out_of_reach(name: str) -> None:
    message = f"{name!r} says where the body ends, the proxy writes it itself: a modifier can't"
    for field, tree in trees_that_write(name):
        assert problems_of(tree) == (((*tree, field), message),)
    assert problems_of({"header.Blacklist": {"names": ["X-A", name]}}) == (
        (("header.Blacklist", "names", 1), message),
    )


@pytest.mark.parametrize(
    "name", ["Expect", "keep-alive", "Proxy-Authorization", "proxy-connection", "TE", "Trailer", "Upgrade"]
)
def test_headers_of_one_connection_are_not_written(name: str) -> None:
    message = f"{name!r} belongs to one connection, the proxy writes it itself: a modifier can't"
    for field, tree in trees_that_write(name):
        assert problems_of(tree) == (((*tree, field), message),)
    assert requested({"header.Blacklist": {"names": [name]}}, (name, "x")) == ()


def trees_that_write(name: str) -> list[tuple[str, dict[str, dict[str, str]]]]:
    return [
        ("name", {"header.Modifier": {"name": name, "value": "5"}}),
        ("name", {"header.Append": {"name": name, "value": "5"}}),
        ("to", {"header.Copy": {"from": "X-A", "to": name}}),
        ("header", {"header.Id": {"header": name}}),
    ]


@pytest.mark.parametrize("name", ["Proxy-Authorization", "proxy-connection"])
def test_copy_does_not_read_what_is_meant_for_the_proxy(name: str) -> None:
    assert problems_of({"header.Copy": {"from": name, "to": "X-A"}}) == (
        (
            ("header.Copy", "from"),
            f"{name!r} is meant for this proxy alone and never reaches the API, not as a copy either",
        ),
    )


def test_host_is_neither_appended_nor_an_id() -> None:
    message = "a request has exactly one 'Host': header.Modifier replaces it"

    assert problems_of({"header.Append": {"name": "Host", "value": "x"}})[0][1] == message
    assert problems_of({"header.Id": {"header": "host"}})[0][1] == message


@pytest.mark.parametrize("modifier", ["header.Modifier", "header.Append"])
def test_connection_ends_the_headers_that_it_lists(modifier: str) -> None:
    tree = {modifier: {"name": "connection", "value": "X-Foo,,\tx-bar"}}

    assert requested(tree, ("X-Foo", "1"), ("X-Bar", "2"), ("Connection", "upgrade"), ("C", "3")) == (
        ("Connection", "upgrade"),
        ("C", "3"),
    )
    assert answered(tree, ("X-Foo", "1"), ("C", "3")) == (("C", "3"),)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("close", "'Connection' may only list headers that end here, 'close' can't"),
        ("Keep-Alive", "'Connection' may only list headers that end here, 'Keep-Alive' can't"),
        ("X-Foo, Host", "'Connection' may only list headers that end here, 'Host' can't"),
        ("Content-Length", "'Connection' may only list headers that end here, 'Content-Length' can't"),
        ("X Foo", "not a header's name, expected letters, digits and hyphens"),
    ],
)
def test_connection_lists_headers_alone(value: str, message: str) -> None:
    assert problems_of({"header.Modifier": {"name": "Connection", "value": value}}) == (
        (("header.Modifier", "value"), message),
    )


@pytest.mark.parametrize("value", ["a\r\nb", "a\n", "\x00", "\x1b", "\x7f"])
def test_values_have_no_control_characters(value: str) -> None:
    problem = "a header's value has no line break or other control character"
    for modifier in ("header.Modifier", "header.Append"):
        assert problems_of({modifier: {"name": "X-A", "value": value}}) == (((modifier, "value"), problem),)


@pytest.mark.parametrize("name", ["", "X A", "X:A", ":authority", "X-É", "X\n", "(X)"])
def test_names_are_tokens(name: str) -> None:
    for tree in (
        {"header.Modifier": {"name": name, "value": ""}},
        {"header.Filter": {"name": name, "modifier": {"header.Id": {}}}},
        {"header.Blacklist": {"names": [name]}},
    ):
        ((_, message),) = problems_of(tree)
        assert message == "not a header's name, expected letters, digits and hyphens"


def test_names_of_a_blacklist_are_text() -> None:
    assert problems_of({"header.Blacklist": {"names": ["X-A", 1]}}) == (
        (("header.Blacklist", "names", 1), "expected text, found a number"),
    )
