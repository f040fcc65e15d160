"""Section 4: what a 401 to our token leads to."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
import trustme

from tests.proxy.lines import dial
from tests.proxy.stage import Kind, Lane, Stage, staged
from tests.simulators.api import Answerer, Request

pytestmark = pytest.mark.anyio

KINDS = {
    "usual": Kind(lanes=60),
    "pass": Kind(rule="on_unauthorized: pass"),
    "modified": Kind(
        rule="modifiers: [{header.Modifier: {scope: [request], name: X-Set, value: 'yes'}}],"
        " attach: {header: X-Token, scheme: ''}",
        source="api_headers: {X-Key: k}",
    ),
    "keep": Kind(rule="attach: {when_present: keep}"),
}


@pytest.fixture(scope="module")
async def stage(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with staged(KINDS, folder=tmp_path_factory.mktemp("stage"), authority=authority) as stage:
        yield stage


@pytest.fixture
def lane(stage: Stage) -> Lane:
    """A lane whose APIs refuse the first token."""
    return refusing(stage.lane())


def refusing(lane: Lane) -> Lane:
    for api in (lane.api, lane.tls_api, lane.http2_api):
        api.unauthorized.add("Bearer t1")
    return lane


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("way", ["plain", "secure", "http2"])
async def test_request_without_a_body_is_sent_again(
    stage: Stage, lane: Lane, *, way: str, method: str
) -> None:
    """D10, D11."""
    async with stage.proxy.client(http2=way == "http2") as client:
        answer = await client.request(method, getattr(lane, way) + "/a?b=c", headers={"X-Own": "1"})
    lines = await stage.logged(lane, 1)

    assert answer.status_code == 200
    assert answer.http_version == ("HTTP/2" if way == "http2" else "HTTP/1.1")
    assert tokens(lane) == ["Bearer t1", "Bearer t2"]
    assert [(line["token"], line["status"], line["reason"]) for line in lines] == [("retried", 200, "-")]
    assert len(lane.idp.seen) == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("way", ["plain", "secure", "http2"])
async def test_request_with_a_body_is_sent_again(stage: Stage, lane: Lane, *, way: str, method: str) -> None:
    """D10."""
    body = bytes(range(256)) * 4096  # 1 MiB: the most that is held

    async with stage.proxy.client(http2=way == "http2") as client:
        answer = await client.request(method, getattr(lane, way) + "/a", content=body)

    assert answer.status_code == 200
    assert tokens(lane) == ["Bearer t1", "Bearer t2"]
    if way == "http2":
        assert list(lane.http2_api.bodies.values()) == [len(body)] * 2
    else:
        assert [request.body for request in lane.api.seen + lane.tls_api.seen] == [body, body]


async def test_request_sent_again_is_the_same_but_for_the_token(stage: Stage) -> None:
    lane = stage.lane("modified")

    async def refuse(request: Request, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        status = 401 if request.one("x-token") == "t1" else 200
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nhi" % status)

    lane.api.answer = refuse
    async with dial(stage.proxy.port) as line:
        answer = await line.ask(
            f"PUT {lane.plain}/a?b HTTP/1.1\r\nHost: localhost:{lane.api.port}\r\nx-ODD: 1\r\n"
            f"X-Twice: a\r\nX-Twice: b\r\nX-Token: own\r\nContent-Length: 4\r\n\r\nbody"
        )

    assert (answer.status, answer.body) == (200, b"hi")
    first, second = lane.api.seen
    assert first.head.decode() == (
        f"PUT /a?b HTTP/1.1\r\nHost: localhost:{lane.api.port}\r\nx-ODD: 1\r\n"
        "X-Twice: a\r\nX-Twice: b\r\nContent-Length: 4\r\nX-Set: yes\r\nX-Token: t1\r\nX-Key: k\r\n\r\n"
    )
    assert second.head == first.head.replace(b"t1", b"t2")
    assert second.body == first.body == b"body"


async def test_second_401_is_passed_on(stage: Stage, lane: Lane) -> None:
    """D13."""
    lane.api.unauthorized.add("Bearer t2")

    async with stage.proxy.client() as client:
        first = await client.get(lane.plain)
        second = await client.get(lane.plain)
    lines = await stage.logged(lane, 2)

    assert (first.status_code, second.status_code) == (401, 401)
    # the second token came less than 5 s ago: the next request does not drop it again
    assert tokens(lane) == ["Bearer t1", "Bearer t2", "Bearer t2"]
    assert [line["token"] for line in lines] == ["retried", "cached"]
    assert len(lane.idp.seen) == 2


async def test_many_401s_at_once_ask_for_one_token(stage: Stage, lane: Lane) -> None:
    """D14."""
    arrived = asyncio.Barrier(50)

    async def together(request: Request, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        refused = request.one("authorization") == "Bearer t1"
        if refused:
            await arrived.wait()
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % (401 if refused else 200))

    lane.api.answer = together
    async with stage.proxy.client() as client:
        answers = await asyncio.gather(*(client.get(lane.plain) for _ in range(50)))

    assert {answer.status_code for answer in answers} == {200}
    assert sorted(tokens(lane), key=str) == ["Bearer t1"] * 50 + ["Bearer t2"] * 50
    assert len(lane.idp.seen) == 2


async def test_403_drops_no_token(stage: Stage) -> None:
    """D11."""
    lane = stage.lane()
    lane.api.answer = answering(b"HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n")

    async with stage.proxy.client() as client:
        statuses = [(await client.get(lane.plain)).status_code for _ in range(2)]

    assert statuses == [403, 403]
    assert tokens(lane) == ["Bearer t1"] * 2


async def test_401_is_passed_on_when_the_rule_says_so(stage: Stage) -> None:
    """D11."""
    lane = refusing(stage.lane("pass"))

    async with stage.proxy.client() as client:
        statuses = [(await client.get(lane.plain)).status_code for _ in range(2)]

    assert statuses == [401, 401]
    assert len(lane.api.seen) == 2


async def test_401_to_the_clients_own_credential_is_its_own_affair(stage: Stage) -> None:
    lane = refusing(stage.lane("keep"))

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain, headers={"Authorization": "Bearer t1"})
    lines = await stage.logged(lane, 1)

    assert answer.status_code == 401
    assert tokens(lane) == ["Bearer t1"]
    assert lane.idp.seen == []
    assert lines[0]["token"] == "kept"


async def test_redirect_after_sending_again_is_not_followed(stage: Stage) -> None:
    lane = stage.lane()

    async def redirect(request: Request, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        status = 401 if request.one("authorization") == "Bearer t1" else 307
        writer.write(b"HTTP/1.1 %d X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n" % status)

    lane.api.answer = redirect
    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain + "/a")

    assert (answer.status_code, answer.headers["location"]) == (307, "/elsewhere")
    assert [request.target for request in lane.api.seen] == ["/a", "/a"]


async def test_401_stays_when_no_other_token_comes(stage: Stage, lane: Lane) -> None:
    async with stage.proxy.client() as client:
        await client.get(lane.secure)  # t1 is refused, t2 is good
        lane.idp.client_secret = "another"
        lane.api.unauthorized.add("Bearer t2")
        held = await client.get(lane.plain)
    lines = await stage.logged(lane, 2)

    assert held.status_code == 401
    assert held.json() == {"target": "/"}  # the API's own
    assert lines[-1]["status"] == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "text/event-stream"},
        {"Accept": "application/json, Text/Event-Stream;q=0.5"},
        {"Content-Type": "application/grpc+proto"},
        {"Upgrade": "websocket", "Connection": "Upgrade"},
    ],
)
async def test_request_whose_answer_must_stream_is_not_sent_again(
    stage: Stage, lane: Lane, headers: dict[str, str]
) -> None:
    """D12."""
    async with stage.proxy.client() as client:
        first = await client.get(lane.plain, headers=headers)
        second = await client.get(lane.plain, headers=headers)
    lines = await stage.logged(lane, 2)

    assert (first.status_code, second.status_code) == (401, 200)
    assert tokens(lane) == ["Bearer t1", "Bearer t2"]
    assert [line["token"] for line in lines] == ["fetched", "fetched"]


@pytest.mark.parametrize("way", ["plain", "secure", "http2"])
@pytest.mark.parametrize("announced", [True, False])
async def test_streamed_upload_is_not_sent_again(
    stage: Stage, lane: Lane, *, way: str, announced: bool
) -> None:
    """D12."""
    lane.api.answer = lane.tls_api.answer = reading
    size = 2**20 + 1 if announced else 1000

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x" * size

    headers = {"Content-Length": str(size)} if announced else {}
    async with stage.proxy.client(http2=way == "http2") as client:
        url = getattr(lane, way)
        answers = [await client.put(url, content=pieces(), headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [401, 200]
    assert tokens(lane) == ["Bearer t1", "Bearer t2"]


@pytest.mark.parametrize("way", ["plain", "secure"])
async def test_401_without_an_end_is_passed_on_after_a_second(stage: Stage, lane: Lane, *, way: str) -> None:
    api = lane.api if way == "plain" else lane.tls_api
    over = asyncio.Event()

    async def endless(request: Request, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if request.one("authorization") == "Bearer t1":
            writer.write(b"HTTP/1.1 401 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnow\r\n")
            await over.wait()
            writer.write(b"5\r\nlater\r\n0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n")

    api.answer = endless
    started = time.monotonic()
    async with stage.proxy.client() as client:
        async with client.stream("GET", getattr(lane, way)) as first:
            took = time.monotonic() - started
            pieces = first.aiter_raw()
            begin = await anext(pieces)
            over.set()
            rest = b"".join([piece async for piece in pieces])
        second = await client.get(getattr(lane, way))

    assert first.status_code == 401
    assert 0.9 < took < 2
    assert (begin, rest) == (b"now", b"later")
    assert second.status_code == 200
    assert tokens(lane) == ["Bearer t1", "Bearer t2"]


async def test_large_401_is_passed_on_at_once(stage: Stage, lane: Lane) -> None:
    """D12."""
    body = bytes(range(256)) * 1024

    async def large(request: Request, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if request.one("authorization") == "Bearer t1":
            writer.write(b"HTTP/1.1 401 X\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        else:
            writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n")

    lane.api.answer = large
    async with stage.proxy.client() as client:
        first = await client.get(lane.plain)
        second = await client.get(lane.plain)

    assert (first.status_code, first.content) == (401, body)
    assert first.elapsed.total_seconds() < 0.9
    assert second.status_code == 200


async def test_401_whose_connection_breaks_is_passed_on(stage: Stage, lane: Lane) -> None:
    async def broken(_: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 401 X\r\nContent-Length: 10\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    lane.api.answer = broken
    async with stage.proxy.client() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(lane.plain)
        lane.api.answer = None
        second = await client.get(lane.plain)

    assert second.status_code == 200
    assert tokens(lane) == ["Bearer t1", "Bearer t2"]


async def test_401_is_passed_on_when_the_second_answer_breaks(stage: Stage, lane: Lane) -> None:
    async def broken(request: Request, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if request.one("authorization") == "Bearer t1":
            writer.write(b"HTTP/1.1 401 X\r\nX-First: yes\r\nContent-Length: 2\r\n\r\nno")
        else:
            writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nhalf")
            await writer.drain()
            writer.close()

    lane.api.answer = broken
    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain)

    assert (answer.status_code, answer.headers["x-first"], answer.content) == (401, "yes", b"no")


async def test_401_is_passed_on_when_the_second_answer_is_an_event_stream(stage: Stage, lane: Lane) -> None:
    async def events(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if request.one("authorization") == "Bearer t1":
            writer.write(b"HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n")
            return
        writer.write(b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        await reader.read()

    lane.api.answer = events
    async with stage.proxy.client() as client:
        first = await client.get(lane.plain)
        async with client.stream("GET", lane.plain) as second:
            event = await anext(second.aiter_raw())

    assert (first.status_code, second.status_code, event) == (401, 200, b"data: 1\n\n")


async def test_client_that_leaves_during_a_401_takes_nothing_with_it(stage: Stage, lane: Lane) -> None:
    reached = asyncio.Event()

    async def slow(_: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 401 X\r\nContent-Length: 10\r\n\r\n")
        reached.set()

    lane.api.answer = slow
    async with dial(stage.proxy.port) as line:
        line.writer.write(f"GET {lane.plain}/ HTTP/1.1\r\nHost: localhost:{lane.api.port}\r\n\r\n".encode())
        await reached.wait()
    lane.api.answer = None
    lines = await stage.logged(lane, 1)

    assert lines[0]["status"] is not None
    async with stage.proxy.client() as client:
        assert (await client.get(lane.plain)).status_code == 200


def tokens(lane: Lane) -> list[str | None]:
    """What the lane's APIs were sent, in order; only one of them is used by a test."""
    return lane.api.tokens + lane.tls_api.tokens + list(lane.http2_api.all("authorization"))


def answering(raw: bytes) -> Answerer:
    async def answer(_: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return answer


async def reading(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read a body that the simulator left, then answer as it would."""
    if request.one("transfer-encoding"):
        await reader.readuntil(b"0\r\n\r\n")
    else:
        await reader.readexactly(int(request.one("content-length") or 0))
    status = 401 if request.one("authorization") == "Bearer t1" else 200
    writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
