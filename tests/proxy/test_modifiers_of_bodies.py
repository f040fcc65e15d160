"""Section 7: bodies that modifiers replace, statuses that they set, files that they serve."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import trustme

from clientcreds_proxy.proxy.request.files import LARGEST
from tests.proxy.lines import dial
from tests.proxy.stage import Kind, Stage, staged
from tests.simulators.api import Answerer, Request
from tests.simulators.http2_api import Stream

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
BODY = b'{"a":1}'
DIGITS = b"0123456789"
BODIES = "modifiers: [{body.Modifier: {contentType: application/json, body: eyJhIjoxfQ==}}]"
RANGES = "modifiers: [{body.Modifier: {scope: [response], contentType: text/plain, body: MDEyMzQ1Njc4OQ==}}]"
UNTYPED = "modifiers: [{body.Modifier: {body: eyJhIjoxfQ==}}]"
STATUS = """modifiers: [
    {header.Filter: {scope: [response], name: X-Status, value: '204',
        modifier: {status.Modifier: {statusCode: 204}}}},
    {header.Filter: {scope: [response], name: X-Status, value: '418',
        modifier: {status.Modifier: {statusCode: 418}}}}]"""
STATIC = """modifiers: [
    {static.Modifier: {rootPath: files, explicitPaths: {/named: a/b.json}}},
    {header.Modifier: {scope: [response], name: X-After, value: 'yes'}}]"""
OVERLAID = "modifiers: [{static.Modifier: {scope: [response], rootPath: files}}]"
KINDS = {
    "overlaid": Kind(rule=OVERLAID, lanes=2),
    "caller": Kind(rule=BODIES, source="caller: {from: [body]}"),
    "bodies": Kind(rule=BODIES, lanes=30),
    "ranges": Kind(rule=RANGES, lanes=2),
    "untyped": Kind(rule=UNTYPED, lanes=2),
    "status": Kind(rule=STATUS, lanes=10),
    "static": Kind(rule=STATIC, lanes=10),
}


@pytest.fixture(scope="module")
async def stage(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    files = folder / "files"
    (files / "a").mkdir(parents=True)
    (files / "a" / "b.json").write_text('{"file":true}')
    (files / "index.html").write_text("<p>hello</p>")
    (files / "inside").symlink_to("a/b.json")
    with (files / "large").open("wb") as sparse:
        sparse.truncate(LARGEST + 1)
    (folder / "outside.txt").write_text("outside")
    (files / "link").symlink_to("../outside.txt")
    (files / "up").symlink_to("..")
    async with staged(KINDS, folder=folder, authority=authority) as stage:
        yield stage


def answering(raw: bytes) -> Answerer:
    async def answer(_request: Request, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return answer


def framed_by(request: Request) -> tuple[str | None, str | None, str | None]:
    names = ("content-length", "transfer-encoding", "content-encoding")
    return request.one(names[0]), request.one(names[1]), request.one(names[2])


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("way", ["plain", "secure"])
async def test_both_bodies_are_replaced(stage: Stage, way: str, method: str) -> None:
    lane = stage.lane("bodies")
    content = None if method == "GET" else b"own" * 100

    async with stage.proxy.client() as client:
        headers = {"Content-Encoding": "gzip", "Content-Type": "text/xml"}
        answer = await client.request(method, getattr(lane, way), content=content, headers=headers)

    (request,) = lane.api.seen + lane.tls_api.seen
    assert framed_by(request) == ("7", None, None)
    assert (request.body, request.one("content-type")) == (BODY, "application/json")
    assert request.one("authorization") == "Bearer t1"
    assert (answer.status_code, answer.content) == (200, BODY)
    assert answer.headers["content-length"] == "7"


async def test_both_bodies_are_replaced_in_http2(stage: Stage) -> None:
    lane = stage.lane("bodies")

    async with stage.proxy.client(http2=True) as client:
        empty = await client.get(lane.http2)
        full = await client.post(lane.http2, content=b"own" * 100_000)

    assert lane.http2_api.bodies == {0: 7, 1: 7}
    assert lane.http2_api.all("content-length") == ["7", "7"]
    for answer in (empty, full):
        assert (answer.content, answer.headers["content-length"]) == (BODY, "7")
        assert answer.http_version == "HTTP/2"


async def test_trailers_go_with_the_body_they_belong_to(stage: Stage) -> None:
    lane = stage.lane("bodies")

    async def with_trailers(stream: Stream) -> None:
        await stream.head(200, ("content-encoding", "gzip"), ("trailer", "x-sum"))
        await stream.data(b"own")
        await stream.trailers(("x-sum", "1"))

    lane.http2_api.answer = with_trailers
    async with stage.proxy.client(http2=True) as client:
        answer = await client.get(lane.http2)

    assert answer.content == BODY
    assert not {"trailer", "content-encoding", "x-sum"} & set(answer.headers)


async def test_upload_is_dropped_as_it_comes(stage: Stage) -> None:
    lane = stage.lane("bodies")

    async with dial(stage.proxy.port) as line:
        head = f"PUT {lane.plain}/a HTTP/1.1\r\nHost: localhost:{lane.api.port}\r\n"
        line.writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n".encode())
        answer = await line.ask(b"10\r\n0123456789abcdef\r\n")  # its end is still to come
        line.writer.write(b"0\r\n\r\n")
        again = await line.get(f"{lane.plain}/b", f"localhost:{lane.api.port}")

    assert (answer.status, answer.body) == (200, BODY)
    assert (again.status, again.body) == (200, BODY)
    assert [framed_by(request) for request in lane.api.seen] == [("7", None, None)] * 2
    assert [request.body for request in lane.api.seen] == [BODY] * 2


async def test_large_upload_is_dropped(stage: Stage) -> None:
    lane = stage.lane("bodies")

    async with stage.proxy.client() as client:
        answer = await client.put(lane.plain, content=bytes(20 * MIB))

    assert answer.content == BODY
    assert lane.api.seen[0].body == BODY


@pytest.mark.parametrize("size", [0, 1000, 2 * MIB])
async def test_replaced_body_is_sent_again_after_a_401(stage: Stage, size: int) -> None:
    lane = stage.lane("bodies")
    lane.api.unauthorized.add("Bearer t1")

    async with stage.proxy.client() as client:
        answer = await client.post(lane.plain, content=bytes(size))

    assert (answer.status_code, answer.content) == (200, BODY)
    assert lane.api.tokens == ["Bearer t1", "Bearer t2"]
    assert [request.body for request in lane.api.seen] == [BODY] * 2
    assert [framed_by(request) for request in lane.api.seen] == [("7", None, None)] * 2


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nContent-MD5: x\r\n\r\n" + bytes(100),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: br\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_answers_body_is_replaced_however_it_came(stage: Stage, raw: bytes) -> None:
    lane = stage.lane("bodies")
    lane.api.answer = answering(raw)

    async with dial(stage.proxy.port) as line:
        first = await line.get(f"{lane.plain}/a", f"localhost:{lane.api.port}")
        second = await line.get(f"{lane.plain}/b", f"localhost:{lane.api.port}")

    for answer in (first, second):
        assert (answer.status, answer.body, answer.one("content-length")) == (200, BODY, "7")
        assert answer.one("transfer-encoding") is answer.one("content-encoding") is None
        assert answer.one("content-md5") is None


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_answer_that_has_no_body_gets_none(stage: Stage, status: bytes) -> None:
    lane = stage.lane("bodies")
    lane.api.answer = answering(b"HTTP/1.1 " + status + b"\r\n\r\n")

    async with dial(stage.proxy.port) as line:
        first = await line.get(f"{lane.plain}/a", f"localhost:{lane.api.port}")
        second = await line.get(f"{lane.plain}/b", f"localhost:{lane.api.port}")

    for answer in (first, second):
        assert answer.status == int(status[:3])
        assert answer.one("content-length") is None


async def test_head_has_the_length_and_no_body(stage: Stage) -> None:
    lane = stage.lane("bodies")

    async with stage.proxy.client() as client:
        answers = [await client.head(lane.plain) for _ in range(2)]

    for answer in answers:
        assert (answer.status_code, answer.content) == (200, b"")
        assert (answer.headers["content-length"], answer.headers["content-type"]) == ("7", "application/json")


async def test_ranges_are_answered(stage: Stage) -> None:
    lane = stage.lane("ranges")
    asked = {
        "bytes=1-4": (206, "bytes 1-4/10", b"1234"),
        "bytes=8-": (206, "bytes 8-9/10", b"89"),
        "bytes=-3": (206, "bytes 7-9/10", b"789"),
        "bytes=4-99": (206, "bytes 4-9/10", b"456789"),
        "bytes=10-": (416, "bytes */10", b""),
        "bytes=4-1": (416, "bytes */10", b""),
        "lines=1-4": (200, None, DIGITS),
    }

    async with stage.proxy.client() as client:
        answers = {text: await client.get(lane.plain, headers={"Range": text}) for text in asked}
        posted = await client.post(lane.plain, headers={"Range": "bytes=1-4"})

    for text, (status, said, body) in asked.items():
        answer = answers[text]
        assert (answer.status_code, answer.headers.get("content-range"), answer.content) == (
            status,
            said,
            body,
        )
        assert answer.headers["content-length"] == str(len(body))
    assert (posted.status_code, posted.content) == (200, DIGITS)


async def test_ranges_are_answered_in_http2(stage: Stage) -> None:
    lane = stage.lane("ranges")

    async with stage.proxy.client(http2=True) as client:
        answer = await client.get(lane.http2, headers={"Range": "bytes=1-4"})

    assert (answer.status_code, answer.content) == (206, b"1234")


async def test_content_type_stays_where_none_is_given(stage: Stage) -> None:
    lane = stage.lane("untyped")

    async with stage.proxy.client() as client:
        answer = await client.post(lane.plain, content=b"x", headers={"Content-Type": "text/xml"})

    assert lane.api.seen[0].all("content-type") == ["text/xml"]
    assert answer.headers["content-type"] == "application/json"  # the API's


@pytest.mark.parametrize("said", [418, 204])
async def test_status_is_set(stage: Stage, said: int) -> None:
    lane = stage.lane("status")
    lane.api.response_headers = [("X-Status", str(said))]

    async with dial(stage.proxy.port) as line:
        first = await line.get(f"{lane.plain}/a", f"localhost:{lane.api.port}")
        second = await line.get(f"{lane.plain}/b", f"localhost:{lane.api.port}")

    for answer, target in ((first, b"/a"), (second, b"/b")):
        assert answer.status == said
        assert answer.body == (b"" if said == 204 else b'{"target": "' + target + b'"}')
    assert first.phrase == ("No Content" if said == 204 else "I'm a teapot")


async def test_status_with_a_body_may_follow_one_without(stage: Stage) -> None:
    lane = stage.lane("status")
    lane.api.answer = answering(b"HTTP/1.1 204 No Content\r\nX-Status: 418\r\n\r\n")

    async with dial(stage.proxy.port) as line:
        answers = [await line.get(f"{lane.plain}/a", f"localhost:{lane.api.port}") for _ in range(2)]

    assert [(answer.status, answer.one("content-length")) for answer in answers] == [(418, "0")] * 2


async def test_status_leaves_an_upgrade_alone(stage: Stage) -> None:
    lane = stage.lane("status")
    lane.api.answer = answering(
        b"HTTP/1.1 101 Switching Protocols\r\nX-Status: 418\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhi"
    )

    async with dial(stage.proxy.port) as line:
        host = f"localhost:{lane.api.port}"
        answer = await line.get(f"{lane.plain}/a", host, "Connection: upgrade", "Upgrade: echo")

    assert answer.status == 101


@pytest.mark.parametrize(
    ("path", "status", "content", "kind"),
    [
        ("/a/b.json", 200, b'{"file":true}', "application/json"),
        ("/named?x=1", 200, b'{"file":true}', "application/json"),
        ("/index.html", 200, b"<p>hello</p>", "text/html; charset=utf-8"),
        ("/inside", 200, b'{"file":true}', "application/octet-stream"),
        ("/missing", 404, b"", None),
        ("/a", 404, b"", None),
        ("/", 404, b"", None),
        ("/link", 404, b"", None),
        ("/up/outside.txt", 404, b"", None),
    ],
)
async def test_file_is_served_without_the_api(
    stage: Stage, path: str, status: int, content: bytes, kind: str | None
) -> None:
    lane = stage.free["static"][0]
    before = len(lane.api.seen)

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain + path)

    assert (answer.status_code, answer.content) == (status, content)
    assert (answer.headers.get("content-type"), answer.headers["x-after"]) == (kind, "yes")
    assert len(lane.api.seen) == before == 0


async def test_file_is_served_by_every_way(stage: Stage) -> None:
    lane = stage.lane("static")

    async with stage.proxy.client() as client:
        secure = await client.get(f"{lane.secure}/index.html")
        head = await client.head(f"{lane.plain}/index.html")
        posted = await client.post(f"{lane.plain}/index.html", content=bytes(1000))
    async with stage.proxy.client(http2=True) as client:
        http2 = await client.get(f"{lane.http2}/index.html")
        uploaded = await client.post(f"{lane.http2}/index.html", content=bytes(1000))

    for answer in (secure, posted, http2, uploaded):
        assert (answer.status_code, answer.content) == (200, b"<p>hello</p>")
    assert (head.content, head.headers["content-length"]) == (b"", "12")
    assert not lane.api.seen
    assert not lane.tls_api.seen
    assert not lane.http2_api.seen


@pytest.mark.parametrize("path", ["/../outside.txt", "/%2e%2e/outside.txt", "/a/%2e%2e%2f%2e%2e/outside.txt"])
async def test_path_that_climbs_is_refused(stage: Stage, path: str) -> None:
    lane = stage.lane("static")

    async with dial(stage.proxy.port) as line:
        answer = await line.get(f"{lane.plain}{path}", f"localhost:{lane.api.port}")

    assert (answer.status, answer.reason) == (400, "ambiguous_path")


async def test_part_of_a_file_is_served(stage: Stage) -> None:
    lane = stage.lane("static")

    async with stage.proxy.client() as client:
        answer = await client.get(f"{lane.plain}/index.html", headers={"Range": "bytes=3-7"})
        missing = await client.get(f"{lane.plain}/{'a' * 300}", headers={"Range": "bytes=3-7"})

    assert (answer.status_code, answer.content) == (206, b"hello")
    assert answer.headers["content-range"] == "bytes 3-7/12"
    assert (missing.status_code, missing.content) == (404, b"")


async def test_upgrade_has_no_length(stage: Stage) -> None:
    lane = stage.lane("untyped")
    lane.api.answer = answering(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhi"
    )

    async with dial(stage.proxy.port) as line:
        host = f"localhost:{lane.api.port}"
        answer = await line.get(f"{lane.plain}/a", host, "Connection: upgrade", "Upgrade: echo")
        first = await line.reader.readexactly(2)

    assert (answer.status, answer.one("content-length"), first) == (101, None, b"hi")


async def test_large_upload_to_a_file_is_cut(stage: Stage) -> None:
    lane = stage.lane("static")

    async with dial(stage.proxy.port) as line:
        head = f"PUT {lane.plain}/index.html HTTP/1.1\r\nHost: localhost:{lane.api.port}\r\n"
        line.writer.write(f"{head}Content-Length: {50 * MIB}\r\n\r\n".encode())
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await line.ask(b"x")

    await stage.proxy.said(f"an upload of {50 * MIB} bytes was cut")


async def test_body_that_names_its_caller_is_replaced(stage: Stage) -> None:
    """The body was read to find the caller: none streams, and another goes on."""
    lane = stage.lane("caller")

    async with stage.proxy.client() as client:
        form = {"client_id": "app", "client_secret": "s3cr3t", "more": "x" * 1000}
        answer = await client.post(lane.plain, data=form)

    assert (answer.status_code, answer.content) == (200, BODY)
    assert (lane.api.seen[0].body, framed_by(lane.api.seen[0])) == (BODY, ("7", None, None))


async def test_file_takes_the_place_of_the_apis_body(stage: Stage) -> None:
    lane = stage.lane("overlaid")

    async with dial(stage.proxy.port) as line:
        host = f"localhost:{lane.api.port}"
        answers = [
            await line.get(f"{lane.plain}{path}", host) for path in ("/a/b.json", "/none", "/a/b.json")
        ]

    assert [answer.status for answer in answers] == [200, 404, 200]
    assert [answer.body for answer in answers] == [b'{"file":true}', b'{"target": "/none"}', b'{"file":true}']
    assert [request.target for request in lane.api.seen] == ["/a/b.json", "/none", "/a/b.json"]


@pytest.mark.parametrize("kind", ["static", "overlaid"])
async def test_modifier_that_fails_on_an_answer_is_told(stage: Stage, kind: str) -> None:
    lane = stage.lane(kind)

    async with dial(stage.proxy.port) as line:
        host = f"localhost:{lane.api.port}"
        answers = [await line.get(f"{lane.plain}{path}", host) for path in ("/large", "/a/b.json")]
    (entry, _) = await stage.logged(lane, 2)

    assert [(answer.status, answer.reason) for answer in answers] == [(500, "modifier_failed"), (200, None)]
    assert answers[0].problem["rule"] == lane.name
    assert "files" not in str(answers[0].problem["detail"])
    assert (entry["status"], entry["reason"]) == (500, "modifier_failed")
    await stage.proxy.said("a modifier failed")
