"""`url.Modifier`, `url.Filter`, `url.RegexFilter`, `port.Modifier` and `port.Filter`."""

import pytest

from clientcreds_proxy.martian.url import host_matches
from tests.unit.martian.messages import answer_to, led, problems_of, request_to

API = "https://api.example.com/a%20b?x=1"


def branches(**fields: object) -> dict[str, object]:
    then = {"header.Modifier": {"name": "X-Found", "value": "then"}}
    return fields | {"modifier": then, "else": {"header.Modifier": {"name": "X-Found", "value": "else"}}}


def is_found(tree: object, url: str) -> bool:
    """Whether the filter finds a request to this URL, and the answer to it."""
    request, response = led(tree, url), answer_to(tree, request_to(url))
    found = dict(request.headers).get("X-Found") == "then"
    assert found == (dict(response.headers).get("X-Found") == "then")
    return found


@pytest.mark.parametrize(
    ("parts", "url"),
    [
        ({}, API),
        ({"scheme": "http"}, "http://api.example.com/a%20b?x=1"),
        ({"scheme": "https"}, API),
        ({"host": "Other.Example."}, "https://other.example/a%20b?x=1"),
        ({"host": "other.example:8443"}, "https://other.example:8443/a%20b?x=1"),
        ({"host": "other.example:443"}, "https://other.example:443/a%20b?x=1"),
        ({"host": "[::1]:80", "scheme": "http"}, "http://[::1]:80/a%20b?x=1"),
        ({"host": "bücher.example"}, "https://xn--bcher-kva.example/a%20b?x=1"),
        ({"path": "/"}, "https://api.example.com/?x=1"),
        ({"path": "/a b"}, API),  # it means the same: left as it was written
        ({"path": "/ä?#[%20]:@$&+,;=~!"}, "https://api.example.com/%C3%A4%3F%23%5B%2520%5D:@$&+,;=~%21?x=1"),
        ({"path": "/a%20b"}, "https://api.example.com/a%2520b?x=1"),
        ({"query": "flag=true&a=%20"}, "https://api.example.com/a%20b?flag=true&a=%20"),
        ({"path": "", "query": "", "host": "", "scheme": ""}, API),
    ],
)
def test_url_modifier_replaces_the_parts_that_are_given(parts: dict[str, str], url: str) -> None:
    request = led({"url.Modifier": parts}, API)

    assert request.url == url
    assert request.headers == (("Host", "api.example.com"),)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("http://h/", ("https", 443)),
        ("http://h:8080/", ("https", 8080)),
        ("http://h:443/", ("https", 443)),
        ("https://h/", ("https", 443)),
    ],
)
def test_port_follows_the_scheme_unless_it_is_written(before: str, after: tuple[str, int]) -> None:
    request = led({"url.Modifier": {"scheme": "https"}}, before)

    assert (request.scheme, request.port) == after
    assert led({"url.Modifier": {"scheme": "https"}}, "http://h:443/").url == "https://h:443/"


def test_host_that_is_removed_becomes_the_new_destination() -> None:
    tree = {
        "fifo.Group": {
            "modifiers": [{"url.Modifier": {"host": "b:81"}}, {"header.Blacklist": {"names": ["host"]}}]
        }
    }

    assert led(tree, API).headers == (("Host", "b:81"),)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("scheme", "ftp", "expected http or https"),
        ("scheme", "HTTPS", "expected http or https"),
        ("host", "a b", "not a host, expected one like example.com, with or without a port"),
        ("host", "h:0", "not a host"),
        ("host", "h:99999", "not a host"),
        ("host", "https://h", "not a host"),
        ("host", "h/path", "not a host"),
        ("host", "*.example.com", "not a host"),
        ("host", "h\r\nX: y", "not a host"),
        ("path", "a", "expected a path that begins with /"),
        ("query", "a b", "expected a query as it stands in a URL"),
        ("query", "a#b", "expected a query as it stands in a URL"),
        ("query", "ä", "expected a query as it stands in a URL"),
        ("query", "a\r\n", "expected a query as it stands in a URL"),
        ("query", ["a"], "expected text, found a list"),
    ],
)
def test_url_modifier_is_refused(field: str, value: object, message: str) -> None:
    ((path, said),) = problems_of({"url.Modifier": {field: value}})

    assert path == ("url.Modifier", field)
    assert said.startswith(message)


@pytest.mark.parametrize(
    ("parts", "url", "found"),
    [
        ({}, API, True),
        ({"scheme": "https"}, API, True),
        ({"scheme": "http"}, API, False),
        ({"host": "api.example.com"}, API, True),
        ({"host": "API.Example.com"}, API, True),
        ({"host": "*.example.com"}, API, True),
        ({"host": "api.*.com"}, API, True),
        ({"host": "*.com"}, API, False),
        ({"host": "api.example.com"}, "https://api.example.com:8443/", False),
        ({"host": "api.example.com:8443"}, "https://api.example.com:8443/", True),
        ({"host": "stage.*"}, "https://stage.example:8443/", True),
        ({"path": "/a b"}, API, True),
        ({"path": "/a%20b"}, API, False),
        ({"path": "/a"}, "https://h/a/b", False),
        ({"query": "x=1"}, API, True),
        ({"query": "b=2&a=1"}, "https://h/?a=1&b=2", True),
        ({"query": "a=+1&b"}, "https://h/?b=&a=%201", True),
        ({"query": "a=1"}, "https://h/?a=1&b=2", False),
        ({"query": "a=1"}, "https://h/?a=1&a=2", False),
        ({"query": "a=1"}, "https://h/", False),
        ({"query": "a=1"}, "https://h/?a=1&b;c", False),
        ({"query": "b;c&a=1"}, "https://h/?a=1&b;c", True),
        ({"scheme": "https", "host": "*.example.com", "path": "/a b", "query": "x=1"}, API, True),
        ({"scheme": "https", "host": "*.example.com", "path": "/a b", "query": "x=2"}, API, False),
    ],
)
def test_url_filter_asks_for_all_that_is_given(parts: dict[str, str], url: str, *, found: bool) -> None:
    assert is_found({"url.Filter": branches(**parts)}, url) is found


@pytest.mark.parametrize(
    ("host", "pattern", "matches"),
    [
        ("example.com", "example.com", True),
        ("example.com", "example.org", False),
        ("www.example.com", "*.example.com", True),
        ("a.www.example.com", "*.example.com", False),
        ("example.com", "*.example.com", False),
        ("www.example.com", "www.*.com", True),
        ("www.example.com", "*.*.com", True),
        ("www.example.com", "*.*.*", True),
        ("www.example.com", "*", False),
        ("localhost:80", "*", True),
        ("www.example.com", "www.example.*", True),
        ("www.example.com", "xwww.example.com", False),
        ("www.example.com", "w*.example.com", True),  # a first label: its first character remains
        ("www.example.com", "x*.example.com", False),
        ("www.example.com", "ww*.example.com", False),
        ("a.www.example.com", "a.w*.example.com", False),
        ("www.example.com", "*w.example.com", True),
    ],
)
def test_hosts_match_as_martian_matches_them(host: str, pattern: str, *, matches: bool) -> None:
    assert host_matches(host, pattern) is matches


def test_url_filter_refuses_what_no_host_is() -> None:
    assert [path for path, _ in problems_of({"url.Filter": branches(host="*.a b")})] == [
        ("url.Filter", "host")
    ]
    assert problems_of({"url.Filter": branches(path="a")})


@pytest.mark.parametrize(
    ("regex", "found"),
    [
        (".*localhost.*", False),
        ("^https://api\\.example\\.com/", True),
        ("[?&]x=1$", True),
        ("a b", False),
        ("", True),
    ],
)
def test_regex_filter_searches_the_whole_url(regex: str, *, found: bool) -> None:
    assert is_found({"url.RegexFilter": branches(regex=regex)}, API) is found


def test_regex_filter_refuses_what_is_not_re2() -> None:
    ((path, message),) = problems_of({"url.RegexFilter": branches(regex="(?=a)")})

    assert path == ("url.RegexFilter", "regex")
    assert message.startswith("not a regular expression of RE2: ")


@pytest.mark.parametrize(
    ("fields", "before", "after"),
    [
        ({"port": 8080}, "http://h:1234/", "http://h:8080/"),
        ({"port": 80}, "http://h:1234/", "http://h:80/"),
        ({"defaultForScheme": True}, "https://h:8443/", "https://h:443/"),
        ({"remove": True}, "https://h:8443/", "https://h/"),
        ({"port": 0, "remove": True, "defaultForScheme": False}, "http://h:1/", "http://h/"),
        ({"port": 8080}, "http://[::1]/", "http://[::1]:8080/"),
    ],
)
def test_port_modifier_replaces_the_port(fields: dict[str, object], before: str, after: str) -> None:
    request = led({"port.Modifier": fields}, before)

    assert request.url == after
    assert request.headers == request_to(before).headers


@pytest.mark.parametrize(
    "fields",
    [{}, {"port": 1, "remove": True}, {"defaultForScheme": True, "remove": True}, {"remove": False}],
)
def test_port_modifier_takes_exactly_one_of_its_fields(fields: dict[str, object]) -> None:
    assert problems_of({"port.Modifier": fields}) == (
        (("port.Modifier",), "expected exactly one of port, defaultForScheme and remove"),
    )


@pytest.mark.parametrize("port", [-1, 65536, "80", 1.5, True])
@pytest.mark.parametrize("name", ["port.Modifier", "port.Filter"])
def test_port_is_a_port(name: str, port: object) -> None:
    fields = {"port": port} if name == "port.Modifier" else {"port": port, "modifier": {"header.Id": {}}}

    ((path, message),) = problems_of({name: fields})

    assert path == (name, "port")
    assert message.startswith("expected a whole number from 1 to 65535, found ")


@pytest.mark.parametrize(
    ("url", "port", "found"),
    [
        ("http://h/", 80, True),
        ("https://h/", 443, True),
        ("https://h:8443/", 8443, True),
        ("http://h/", 8080, False),
        ("https://h:8443/", 443, False),
    ],
)
def test_port_filter_knows_ports_that_are_not_named(url: str, port: int, *, found: bool) -> None:
    then = {"header.Modifier": {"name": "X-Found", "value": "then"}}

    assert is_found({"port.Filter": {"port": port, "modifier": then}}, url) is found


def test_port_filter_has_no_else() -> None:
    ((path, message),) = problems_of({"port.Filter": {"port": 1, "modifier": {"header.Id": {}}, "else": {}}})

    assert path == ("port.Filter", "else")
    assert message.startswith("unknown key 'else'")


def test_port_filter_needs_a_port() -> None:
    ((path, message),) = problems_of({"port.Filter": {"modifier": {"header.Id": {}}}})

    assert path == ("port.Filter",)
    assert message == "the key 'port' is missing, expected a whole number from 1 to 65535"


def test_hostile_expression_and_url_take_linear_time() -> None:
    hostile = {"url.RegexFilter": branches(regex="^https://h/(a+)+$")}

    assert not is_found(hostile, f"https://h/{'a' * 100 * 1024}!")


def test_expression_that_grows_beyond_use_is_refused() -> None:
    ((_, message),) = problems_of({"url.RegexFilter": branches(regex="((a{100}){100}){100}")})

    assert message.startswith("not a regular expression of RE2: ")
