"""`static.Modifier`: files are found by what the proxy finds; here, a dict."""

import pytest

from clientcreds_proxy.martian.message import Request, Response
from clientcreds_proxy.martian.parse import parse
from tests.unit.martian.messages import problems_of, request_to

FILES = {
    ("/srv/files", "a", "b.json"): b"{}",
    ("/srv/files", "index.HTML"): b"<p>",
    ("/srv/files", "noending"): b"?",
    ("/srv/files", "ä b"): b"umlaut",
}


def served(path: str, *, scope: list[str] | None = None, **fields: object) -> Response:
    tree = {"static.Modifier": {"rootPath": "files", "scope": scope} | fields}
    modifier = parse(tree, folder="/srv")
    request = modifier.modify_request(request_to(f"https://api.example.com{path}", files=FILES))
    assert request.answered_here is (scope is None or "request" in scope)
    return modifier.modify_response(Response(status=200, headers=(("X", "1"),)), request)


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/a/b.json?x=1", b"{}", "application/json"),
        ("/a/./b.json", b"{}", "application/json"),
        ("/a/../../../a//b.json/", b"{}", "application/json"),
        ("/%61%2Fb.json", b"{}", "application/json"),
        ("/index.HTML", b"<p>", "text/html; charset=utf-8"),
        ("/noending", b"?", "application/octet-stream"),
        ("/%C3%A4%20b", b"umlaut", "application/octet-stream"),
    ],
)
def test_file_is_the_answer(path: str, body: bytes, kind: str) -> None:
    response = served(path)

    assert (response.status, response.body) == (200, body)
    assert response.headers == (("X", "1"), ("Content-Type", kind), ("Content-Length", str(len(body))))


@pytest.mark.parametrize(
    "path", ["/", "/..", "/missing", "/a", "/a/b.json%00", "/%FF", "/..%2F..%2Fetc%2Fpasswd"]
)
def test_path_without_a_file_is_a_404(path: str) -> None:
    response = served(path)

    assert (response.status, response.body) == (404, None)


@pytest.mark.parametrize(
    ("asked", "before", "status", "body", "said"),
    [
        ("bytes=1-3", 200, 206, b"mla", "bytes 1-3/6"),
        ("bytes=9-", 200, 416, b"", "bytes */6"),
        ("lines=1", 206, 200, b"umlaut", None),
        ("bytes=1-3", 500, 500, b"umlaut", None),
    ],
)
def test_range_is_a_part_of_the_file(
    asked: str, before: int, status: int, body: bytes, said: str | None
) -> None:
    modifier = parse({"static.Modifier": {"rootPath": "files", "scope": ["response"]}}, folder="/srv")
    request = request_to("https://api.example.com/%C3%A4%20b", ("Range", asked), files=FILES)
    came = Response(status=before, headers=(("Content-Range", "bytes 0-1/2"),))

    response = modifier.modify_response(came, request)

    assert (response.status, response.body) == (status, body)
    assert dict(response.headers).get("Content-Range") == said


def test_explicit_path_has_its_own_file() -> None:
    explicit = {"/named": "a/b.json", "/a/": "noending", "/a/b.json": "missing"}

    assert served("/named", explicitPaths=explicit).body == b"{}"
    assert served("/a", explicitPaths=explicit).body == b"?"
    assert served("/a/b.json", explicitPaths=explicit).status == 404
    assert served("/noending", explicitPaths=None).body == b"?"


def test_phases_can_be_had_one_by_one() -> None:
    skipped = served("/a/b.json", scope=["request"])
    replaced = served("/a/b.json", scope=["response"])

    assert (skipped.status, skipped.body) == (200, None)
    assert (replaced.status, replaced.body) == (200, b"{}")


def test_folder_counts_from_the_configuration_file() -> None:
    absolute = parse({"static.Modifier": {"rootPath": "/other"}}, folder="/srv")

    request = absolute.modify_request(request_to("https://h/a", files={("/other", "a"): b"1"}))

    assert absolute.modify_response(Response(status=200, headers=()), request).body == b"1"


def test_requests_that_nobody_sends_find_no_file() -> None:
    modifier = parse({"static.Modifier": {"rootPath": "/"}})
    request = Request(method="GET", scheme="http", host="h", port=80, target="/etc/passwd", headers=())

    assert modifier.modify_response(Response(status=200, headers=()), request).status == 404


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({}, (), "the key 'rootPath' is missing, expected text"),
        ({"rootPath": ""}, ("rootPath",), "expected the path of a folder"),
        ({"rootPath": "a\0b"}, ("rootPath",), "expected the path of a folder"),
        (
            {"rootPath": "a", "explicitPaths": {"/x": "../y"}},
            ("explicitPaths", "/x"),
            "leads out of rootPath: expected a path below it, without '..'",
        ),
        (
            {"rootPath": "a", "explicitPaths": {"/x": "/"}},
            ("explicitPaths", "/x"),
            "expected the path of a file below rootPath",
        ),
        (
            {"rootPath": "a", "explicitPaths": {"/x": 1}},
            ("explicitPaths", "/x"),
            "expected text for text, found a number",
        ),
        ({"rootPath": "a", "explicitPaths": ["/x"]}, ("explicitPaths",), "expected a mapping, found a list"),
    ],
)
def test_modifier_is_refused(fields: dict[str, object], path: tuple[str, ...], message: str) -> None:
    assert problems_of({"static.Modifier": fields}) == ((("static.Modifier", *path), message),)
