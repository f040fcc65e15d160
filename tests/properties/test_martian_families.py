"""What holds for each modifier of URLs, queries, ports, cookies, bodies, statuses and files."""

import re
import string
from base64 import b64encode
from dataclasses import replace
from random import Random
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from clientcreds_proxy.martian.message import DEFAULT_PORTS, Request, Response, first_value, values
from clientcreds_proxy.martian.parse import parse
from clientcreds_proxy.martian.static import steps
from clientcreds_proxy.martian.url import host_matches

MANY = settings(max_examples=400)

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
LABEL = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=4)
HOST = st.lists(LABEL, min_size=1, max_size=4).map(lambda labels: ".".join((*labels, "example")))
PORT = st.integers(1, 65535)
PATH = TEXT.map(lambda text: f"/{text}")
IN_A_URL = string.ascii_letters + string.digits + "%&=+;/?:@-._~!$'()*,"
TARGET = st.text(IN_A_URL, max_size=20).map(lambda text: f"/{text}")
QUERY = st.text(IN_A_URL, max_size=20)
COOKIE_VALUE = st.text([chr(code) for code in range(0x20, 0x7F) if chr(code) not in '";\\'], max_size=8)
HEADERS = st.lists(st.tuples(st.sampled_from(["X-A", "Accept", "Cookie"]), COOKIE_VALUE), max_size=4).map(
    tuple
)
REQUESTS = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST", "HEAD"]),
    scheme=st.sampled_from(["http", "https"]),
    host=HOST,
    port=st.one_of(st.sampled_from([80, 443]), PORT),
    target=TARGET,
    headers=HEADERS.map(lambda headers: (("Host", "h"), *headers)),
)
RESPONSES = st.builds(Response, status=st.sampled_from([200, 206, 404]), headers=HEADERS)
URL_PARTS = st.fixed_dictionaries(
    {},
    optional={
        "scheme": st.sampled_from(["http", "https"]),
        "host": st.one_of(HOST, st.tuples(HOST, PORT).map(lambda parts: f"{parts[0]}:{parts[1]}")),
        "path": PATH,
        "query": QUERY,
    },
)
FOUND = {"header.Modifier": {"name": "X-Found", "value": "yes"}}


def changed(name: str, fields: dict[str, Any], request: Request) -> Request:
    return parse({name: fields}).modify_request(request)


def is_found(name: str, fields: dict[str, Any], request: Request) -> bool:
    """Whether a filter finds the request; the answer to it is found alike."""
    tree = parse({name: fields | {"modifier": FOUND}})
    found = first_value(tree.modify_request(request).headers, "x-found") == "yes"
    answer = tree.modify_response(Response(status=200, headers=()), request)
    assert found == (first_value(answer.headers, "x-found") == "yes")
    return found


@MANY
@given(REQUESTS, TEXT, TEXT)
def test_querystring_modifier_leaves_one_value_and_sorts(request: Request, name: str, value: str) -> None:
    """Idempotence, order, round trip."""
    fields = {"name": name, "value": value}

    once = changed("querystring.Modifier", fields, request)
    said = parse_qsl(once.query, keep_blank_values=True, errors="surrogateescape")
    names = [key.encode(errors="surrogateescape") for key, _ in said]

    assert changed("querystring.Modifier", fields, once) == once
    assert [each for key, each in said if key == name] == [value]
    assert names == sorted(names)
    assert (once.path, once.headers) == (request.path, request.headers)
    assert is_found("querystring.Filter", fields, once)


@MANY
@given(REQUESTS, TEXT, TEXT)
def test_querystring_modifier_keeps_the_other_parameters(request: Request, name: str, value: str) -> None:
    """Each with its values, in their order."""
    before = changed("querystring.Modifier", {"name": "seen", "value": ""}, request)

    after = changed("querystring.Modifier", {"name": name, "value": value}, before)

    def others(request: Request) -> list[tuple[str, str]]:
        said = parse_qsl(request.query, keep_blank_values=True, errors="surrogateescape")
        return [pair for pair in said if pair[0] != name]

    assert others(after) == others(before)


@MANY
@given(REQUESTS, URL_PARTS)
def test_url_modifier_gives_what_the_filter_asks_for(request: Request, parts: dict[str, str]) -> None:
    """Idempotence and round trip; Host and the other headers stay."""
    once = changed("url.Modifier", parts, request)

    assert changed("url.Modifier", parts, once) == once
    assert is_found("url.Filter", parts, once)
    assert once.headers == request.headers
    if "path" in parts:
        assert unquote(once.path) == parts["path"]
    else:
        assert once.path == request.path


@MANY
@given(REQUESTS, URL_PARTS)
def test_url_reads_back_as_the_request(request: Request, parts: dict[str, str]) -> None:
    """What stash and the regular expressions see is a URL of this very request."""
    request = changed("url.Modifier", parts, request)
    read = urlsplit(request.url)

    assert (read.scheme, read.hostname) == (request.scheme, request.host)
    assert (read.port or DEFAULT_PORTS[request.scheme]) == request.port
    assert request.url.endswith(request.target)
    assert is_found("url.RegexFilter", {"regex": f"^{re.escape(request.url)}$"}, request)


@MANY
@given(REQUESTS, st.lists(st.tuples(LABEL, TEXT), max_size=5), st.randoms())
def test_url_filter_knows_no_order_of_queries(
    request: Request, said: list[tuple[str, str]], random: Random
) -> None:
    """A set is a set."""
    query = "&".join(f"{name}={''.join(f'%{byte:02x}' for byte in value.encode())}" for name, value in said)
    assume(query)
    shuffled = query.split("&")
    random.shuffle(shuffled)

    assert is_found("url.Filter", {"query": "&".join(shuffled)}, request.with_target("/", query))
    assert not is_found("url.Filter", {"query": f"{query}&another=1"}, request.with_target("/", query))


@MANY
@given(st.lists(LABEL, min_size=1, max_size=4), st.lists(st.booleans(), min_size=4, max_size=4), HOST)
def test_wildcards_stand_for_one_label_each(labels: list[str], wild: list[bool], other: str) -> None:
    """Against the definition, label by label."""
    pattern = ["*" if star else label for label, star in zip(labels, wild, strict=False)]

    def fits(host: list[str]) -> bool:
        return len(host) == len(pattern) and all(
            expected in ("*", label) for expected, label in zip(pattern, host, strict=True)
        )

    assert host_matches(".".join(labels), ".".join(pattern))
    assert host_matches(other, ".".join(pattern)) == fits(other.split("."))


@MANY
@given(REQUESTS, st.sampled_from(["port", "defaultForScheme", "remove"]), PORT)
def test_port_modifier_leads_to_what_the_filter_finds(request: Request, field: str, port: int) -> None:
    """Idempotence and round trip; nothing but the port changes."""
    fields = {field: port if field == "port" else True}

    once = changed("port.Modifier", fields, request)

    assert changed("port.Modifier", fields, once) == once
    assert once.port == (port if field == "port" else DEFAULT_PORTS[request.scheme])
    assert is_found("port.Filter", {"port": once.port}, once)
    assert replace(once, port=request.port, port_is_written=request.port_is_written) == request


@MANY
@given(REQUESTS, RESPONSES, LABEL, COOKIE_VALUE)
def test_cookie_modifier_adds_what_the_filter_finds(
    request: Request, response: Response, name: str, value: str
) -> None:
    """Order and round trip: what was there stays in front."""
    fields = {"name": name, "value": value}
    before = "; ".join(filter(None, values(request.headers, "cookie")))

    once = changed("cookie.Modifier", fields, request)
    (cookie,) = values(once.headers, "cookie")
    answer = parse({"cookie.Modifier": fields}).modify_response(response, request)

    assert cookie.startswith(before)
    assert is_found_cookie(fields, once)
    assert answer.headers[:-1] == response.headers
    assert answer.headers[-1][1] == cookie.removeprefix(before).removeprefix("; ")


def is_found_cookie(fields: dict[str, Any], request: Request) -> bool:
    tree = parse({"cookie.Filter": fields | {"modifier": FOUND}})
    return first_value(tree.modify_request(request).headers, "x-found") == "yes"


@MANY
@given(REQUESTS, RESPONSES, st.binary(max_size=40), st.sampled_from(["", "text/plain"]))
def test_body_modifier_gives_this_body_and_its_length(
    request: Request, response: Response, body: bytes, content_type: str
) -> None:
    """Idempotence and round trip; the length is right, whatever was said before."""
    modifier = parse({"body.Modifier": {"body": b64encode(body).decode(), "contentType": content_type}})

    once, answer = modifier.modify_request(request), modifier.modify_response(response, request)

    assert modifier.modify_request(once) == once
    assert modifier.modify_response(answer, request) == answer
    for message in (once, answer):
        assert message.body == body
        assert list(values(message.headers, "content-length")) == [str(len(body))]
        assert first_value(message.headers, "content-type") == content_type


@MANY
@given(st.binary(max_size=20), st.integers(0, 25), st.one_of(st.none(), st.integers(0, 25)), st.booleans())
def test_body_modifier_answers_every_range(body: bytes, first: int, last: int | None, suffix: bool) -> None:  # noqa: FBT001 - drawn
    """RFC 9110 §14.1.2, against Python's own slices."""
    modifier = parse({"body.Modifier": {"body": b64encode(body).decode()}})
    asked = f"bytes=-{first}" if suffix else f"bytes={first}-{'' if last is None else last}"
    request = Request(method="GET", scheme="http", host="h", port=80, target="/", headers=(("Range", asked),))
    end = None if last is None else last + 1
    expected = (body[-first:] if first else b"") if suffix else body[first:end]

    answer = modifier.modify_response(Response(status=200, headers=()), request)
    said = first_value(answer.headers, "content-range")

    assert answer.body == expected
    assert answer.status == (206 if expected else 416)
    if expected:
        start, stop, size = map(int, re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", said).groups())  # type: ignore[union-attr]
        assert (body[start : stop + 1], size) == (expected, len(body))
    else:
        assert said == f"bytes */{len(body)}"


@MANY
@given(REQUESTS, RESPONSES, st.lists(st.integers(200, 599), min_size=1, max_size=3))
def test_last_status_wins(request: Request, response: Response, statuses: list[int]) -> None:
    """Idempotence and order."""
    tree = {"fifo.Group": {"modifiers": [{"status.Modifier": {"statusCode": status}} for status in statuses]}}

    answer = parse(tree).modify_response(response, request)

    assert answer == replace(response, status=statuses[-1])
    assert parse(tree).modify_response(answer, request) == answer


@MANY
@given(REQUESTS, URL_PARTS)
def test_stash_keeps_the_url_from_before(request: Request, parts: dict[str, str]) -> None:
    """Idempotence, order, and the same in the response."""
    stash = {"stash.Modifier": {"headerName": "X-Url"}}
    tree = parse({"fifo.Group": {"modifiers": [stash, stash, {"url.Modifier": parts}]}})

    once = tree.modify_request(request)
    answer = tree.modify_response(Response(status=200, headers=()), once)

    assert list(values(once.headers, "x-url")) == [request.url]
    assert answer.headers == (("X-Url", request.url),)


@MANY
@given(
    st.text(st.sampled_from("./%2eEfF\\ab\0\udcff"), max_size=30), st.dictionaries(PATH, LABEL, max_size=2)
)
def test_static_modifier_never_climbs(path: str, explicit: dict[str, str]) -> None:
    """Whatever the path says, the proxy is asked for steps that lead down."""
    asked: list[tuple[str, tuple[str, ...]]] = []

    def read_file(folder: str, path: tuple[str, ...]) -> bytes:
        asked.append((folder, path))
        return b"file"

    request = Request(
        method="GET",
        scheme="http",
        host="h",
        port=80,
        target=f"/{path}",
        headers=(),
        read_file=read_file,
    )
    modifier = parse({"static.Modifier": {"rootPath": "/srv", "explicitPaths": explicit}})

    answer = modifier.modify_response(Response(status=200, headers=()), modifier.modify_request(request))

    assert (answer.status, answer.body) in ((200, b"file"), (404, None))
    for folder, found in asked:
        assert folder == "/srv"
        assert found
        assert not {"", ".", ".."} & set(found)
        assert all("/" not in step for step in found)


@MANY
@given(st.text(st.sampled_from("./ab"), max_size=20))
def test_steps_of_a_path_are_stable(path: str) -> None:
    """Round trip: cleaned once, it stays."""
    assert steps("/".join(steps(path))) == steps(path)
