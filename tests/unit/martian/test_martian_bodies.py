"""`body.Modifier`, `status.Modifier` and `stash.Modifier`."""

from dataclasses import replace

import pytest

from clientcreds_proxy.martian.parse import parse
from tests.unit.martian.messages import answer_to, led, problems_of, request_to, requested

DIGITS = {"body.Modifier": {"contentType": "text/plain", "body": "MDEyMzQ1Njc4OQ=="}}
ABOUT_ANOTHER = (
    *(("Content-Length", "3"), ("Transfer-Encoding", "chunked"), ("Content-Encoding", "gzip")),
    *(("Content-Range", "bytes 0-2/9"), ("Trailer", "X-Sum"), ("Content-MD5", "x")),
    *(("Digest", "x"), ("Content-Digest", "x"), ("Repr-Digest", "x")),
)
API = "https://api.example.com/"


def test_modifier_replaces_the_request_s_body_and_what_was_said_about_it() -> None:
    request = led(DIGITS, API, *ABOUT_ANOTHER, ("Content-Type", "text/xml"), ("X-Kept", "1"))

    assert request.body == b"0123456789"
    assert request.headers[1:] == (
        ("Content-Type", "text/plain"),
        ("X-Kept", "1"),
        ("Content-Length", "10"),
    )


def test_modifier_replaces_the_answers_body_and_what_was_said_about_it() -> None:
    response = answer_to(DIGITS, request_to(API), *ABOUT_ANOTHER, status=404)

    assert (response.status, response.body) == (404, b"0123456789")
    assert response.headers == (("Content-Type", "text/plain"), ("Content-Length", "10"))


def test_modifier_without_content_type_keeps_the_one_there_is() -> None:
    tree = {"body.Modifier": {"body": ""}}

    assert led(tree, API, ("Content-Type", "a/b")).headers[1:] == (
        ("Content-Type", "a/b"),
        ("Content-Length", "0"),
    )
    assert led(tree, API).headers[1:] == (("Content-Length", "0"),)


def test_last_modifier_of_a_body_wins() -> None:
    tree = {"fifo.Group": {"modifiers": [DIGITS, {"body.Modifier": {"body": "YQ=="}}]}}

    assert led(tree, API).body == b"a"


@pytest.mark.parametrize(
    ("asked", "status", "said", "body"),
    [
        ("bytes=1-4", 206, "bytes 1-4/10", b"1234"),
        ("BYTES=0-0", 206, "bytes 0-0/10", b"0"),
        ("bytes= 8 - ", 206, "bytes 8-9/10", b"89"),
        ("bytes=-3", 206, "bytes 7-9/10", b"789"),
        ("bytes=-99", 206, "bytes 0-9/10", b"0123456789"),
        ("bytes=4-99", 206, "bytes 4-9/10", b"456789"),
        ("bytes=10-", 416, "bytes */10", b""),
        ("bytes=-0", 416, "bytes */10", b""),
        ("bytes=4-1", 416, "bytes */10", b""),
        ("bytes=0-1,3-4", 416, "bytes */10", b""),
        ("bytes=", 200, None, b"0123456789"),
        ("bytes=-", 200, None, b"0123456789"),
        ("bytes=a-b", 200, None, b"0123456789"),
        ("bytes=1-2,x", 200, None, b"0123456789"),
        ("bytes=1", 200, None, b"0123456789"),
        ("lines=1-4", 200, None, b"0123456789"),
        (f"bytes=0-{'9' * 30}", 200, None, b"0123456789"),
    ],
)
@pytest.mark.parametrize("before", [200, 206, 416])
def test_range_is_answered(asked: str, status: int, said: str | None, body: bytes, before: int) -> None:
    request = request_to(API, ("Range", asked))

    response = answer_to(DIGITS, request, ("Content-Range", "bytes 0-1/2"), status=before)

    assert (response.status, response.body) == (status, body)
    assert dict(response.headers).get("Content-Range") == said
    assert dict(response.headers)["Content-Length"] == str(len(body))


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [("POST", (), 200), ("HEAD", (), 200), ("GET", (("If-Range", '"x"'),), 200), ("GET", (), 404)],
)
def test_range_is_for_a_good_answer_to_get(
    method: str, headers: tuple[tuple[str, str], ...], status: int
) -> None:
    request = request_to(API, ("Range", "bytes=1-4"), *headers, method=method)

    response = answer_to(DIGITS, request, status=status)

    assert (response.status, response.body) == (status, b"0123456789")


@pytest.mark.parametrize("body", ["eyJhIjoxfQ==", "eyJh\r\nIjox\nfQ==\n"])
def test_body_is_base64(body: str) -> None:
    assert led({"body.Modifier": {"body": body}}, API).body == b'{"a":1}'


@pytest.mark.parametrize("body", ["a", "YQ", "YQ=", "Y Q==", "YQ==YQ==", "ä", "-_=="])
def test_body_that_is_not_base64_is_refused(body: str) -> None:
    ((path, message),) = problems_of({"body.Modifier": {"body": body}})

    assert path == ("body.Modifier", "body")
    assert message.startswith("not Base64")


def test_content_type_has_no_line_break() -> None:
    tree = {"body.Modifier": {"body": "", "contentType": "a/b\r\nX: y"}}

    assert [path for path, _ in problems_of(tree)] == [("body.Modifier", "contentType")]


def test_status_is_set_in_responses_alone() -> None:
    tree = {"status.Modifier": {"statusCode": 418}}

    assert answer_to(tree, request_to(API), ("X", "1")).status == 418
    assert requested(tree) == ()
    assert problems_of({"status.Modifier": {"scope": ["request"], "statusCode": 400}}) == (
        (("status.Modifier", "scope", 0), "status.Modifier has no request phase, only response"),
    )


@pytest.mark.parametrize("status", [0, 99, 101, 199, 600, "200", True, None])
def test_status_is_one_that_ends_an_exchange(status: object) -> None:
    ((path, message),) = problems_of({"status.Modifier": {"statusCode": status}})

    assert path == ("status.Modifier", "statusCode")
    assert message.startswith("expected a whole number from 200 to 599, found ")


def test_stash_keeps_the_url_at_this_point() -> None:
    stash = {"stash.Modifier": {"headerName": "X-Url"}}
    members = [stash, {"url.Modifier": {"host": "other.example", "query": "a=b"}}]
    tree = {"fifo.Group": {"modifiers": members}}

    request = led(tree, "http://api.example.com:8080/a%20b?x=1", ("x-url", "old"))

    assert request.headers[1:] == (("X-Url", "http://api.example.com:8080/a%20b?x=1"),)
    assert answer_to(tree, request).headers == request.headers[1:]


def test_stash_runs_where_its_group_does() -> None:
    tree = {"fifo.Group": {"scope": ["response"], "modifiers": [{"stash.Modifier": {"headerName": "X-Url"}}]}}

    assert answer_to(tree, led(tree, API)).headers == (("X-Url", ""),)
    assert led({"stash.Modifier": {"scope": ["request"], "headerName": "X-Url"}}, API).headers[1:]


def test_stash_in_responses_alone_is_refused() -> None:
    assert problems_of({"stash.Modifier": {"scope": ["response"], "headerName": "X-Url"}}) == (
        (
            ("stash.Modifier", "scope"),
            "the response's header is the request's: expected both phases, or request",
        ),
    )
    assert [path for path, _ in problems_of({"stash.Modifier": {"headerName": "Host"}})] == [
        ("stash.Modifier", "headerName")
    ]
    assert [
        path for path, _ in problems_of({"stash.Modifier": {"headerName": "X", "scope": "response"}})
    ] == [("stash.Modifier", "scope")]


def test_modifiers_keep_to_their_scope() -> None:
    request = request_to(API, ("X-A", "1"))
    nowhere = parse({"body.Modifier": {"scope": [], "body": ""}})

    assert nowhere.modify_request(request) is request
    assert answer_to({"stash.Modifier": {"scope": ["request"], "headerName": "X"}}, request).headers == ()
    assert replace(request, body=b"x").with_headers(request.headers).body == b"x"
