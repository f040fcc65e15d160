"""Section 4: answers stream as they come, whatever their form; upgrades get the token, too."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator

import httpx
import pytest
import trustme
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, Request, TextMessage

from tests.proxy.harness import PATIENCE
from tests.proxy.http2_line import Http2Line
from tests.proxy.lines import Line, dial
from tests.proxy.stage import Kind, Lane, Stage, staged
from tests.simulators import api
from tests.simulators.http2_api import Stream

pytestmark = pytest.mark.anyio

MODIFIER = "{header.Append: {scope: [request, response], name: X-Group, value: '1'}}"
KINDS = {
    "usual": Kind(lanes=40),
    "claims": Kind(rule=f"forward_headers: {{X-Subject: sub}}, modifiers: [{MODIFIER}]"),
}


@pytest.fixture(scope="module")
async def stage(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with staged(KINDS, folder=tmp_path_factory.mktemp("stage"), authority=authority) as stage:
        yield stage


@pytest.fixture
def lane(stage: Stage) -> Lane:
    return stage.lane()


@pytest.mark.parametrize("way", ["plain", "secure", "http2"])
async def test_event_arrives_when_it_is_sent(stage: Stage, lane: Lane, way: str) -> None:
    sent: list[float] = []
    taken: list[float] = []
    arrived = asyncio.Semaphore(0)

    async def tell(_: api.Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
        for __ in range(20):
            sent.append(time.monotonic())
            writer.write(b"9\r\ndata: 1\n\n\r\n")
            await arrived.acquire()
        writer.write(b"0\r\n\r\n")

    async def tell2(stream: Stream) -> None:
        await stream.head(200, ("content-type", "text/event-stream"))
        for __ in range(20):
            sent.append(time.monotonic())
            await stream.data(b"data: 1\n\n")
            await arrived.acquire()
        await stream.data(b"", end=True)

    lane.api.answer = lane.tls_api.answer = tell
    lane.http2_api.answer = tell2
    async with (
        stage.proxy.client(http2=way == "http2") as client,
        client.stream("GET", getattr(lane, way), headers={"Accept": "text/event-stream"}) as answer,
    ):
        async for piece in answer.aiter_raw():
            assert piece == b"data: 1\n\n"
            taken.append(time.monotonic())
            arrived.release()

    waits = [after - before for before, after in zip(sent, taken, strict=True)]
    assert statistics.median(waits) < 0.05
    assert waits[0] < 0.5  # and not with the last one
    assert answer.headers["cache-control"] == "private"


async def test_each_direction_streams_when_both_talk_at_once(stage: Stage, lane: Lane) -> None:
    async def echo(request: api.Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
        while size := int(await reader.readline() or b"0", 16):
            piece = await reader.readexactly(size + 2)
            writer.write(b"%x\r\n%s" % (size, piece))
        await reader.readline()
        writer.write(b"0\r\n\r\n")

    lane.api.answer = echo
    asked = asyncio.Semaphore(1)

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(3):
            await asked.acquire()
            yield b"ping %d" % number

    heard: list[bytes] = []
    async with dial(stage.proxy.port) as line:
        line.writer.write(
            f"POST {lane.plain}/ HTTP/1.1\r\nHost: localhost:{lane.api.port}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        async with asyncio.timeout(PATIENCE):
            async for piece in pieces():
                line.writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                if not heard:
                    await line.reader.readuntil(b"\r\n\r\n")
                await line.reader.readline()
                heard.append((await line.reader.readline()).strip())
                asked.release()

    assert heard == [b"ping 0", b"ping 1", b"ping 2"]


@pytest.mark.parametrize(
    ("head", "body", "shown"),
    [
        (b"200 X\r\nContent-Length: 5", b"12345", b"12345"),
        (b"200 X\r\nContent-Length: 0", b"", b""),
        (b"200 X\r\nTransfer-Encoding: chunked", b"3\r\n123\r\n2\r\n45\r\n0\r\n\r\n", b"12345"),
        (b"200 X\r\nTransfer-Encoding: chunked", b"0\r\n\r\n", b""),
        (b"200 X\r\nConnection: close", b"12345", b"12345"),
        (b"204 X", b"", b""),
        (b'304 X\r\nETag: "1"\r\nContent-Length: 5', b"", b""),
        (b"404 X\r\nContent-Length: 2", b"no", b"no"),
        (b"500 X\r\nContent-Length: 2", b"no", b"no"),
    ],
)
@pytest.mark.parametrize("way", ["plain", "secure"])
async def test_answer_keeps_its_form(
    stage: Stage, lane: Lane, *, way: str, head: bytes, body: bytes, shown: bytes
) -> None:
    async def say(_: api.Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 " + head + b"\r\n\r\n" + body)
        if b"close" in head:
            await writer.drain()
            writer.close()

    lane.api.answer = lane.tls_api.answer = say
    async with stage.proxy.client() as client:
        answers = [await client.get(getattr(lane, way)) for _ in range(2)]
    lines = await stage.logged(lane, 2)

    for answer in answers:
        assert answer.status_code == int(head[:3])
        assert answer.content == shown
        assert ("transfer-encoding" in answer.headers) == (b"chunked" in head)
        assert answer.headers.get("content-length") == (
            head.partition(b"Length: ")[2].decode() if b"Length" in head else None
        )
    assert [line["status"] for line in lines] == [int(head[:3])] * 2
    assert lane.api.tokens + lane.tls_api.tokens == ["Bearer t1"] * 2


@pytest.mark.parametrize("head", [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"X-No: length"])
async def test_head_has_no_body(stage: Stage, lane: Lane, head: bytes) -> None:
    async def say(_: api.Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\n" + head + b"\r\n\r\n")

    lane.api.answer = say
    async with stage.proxy.client() as client:
        answers = [await client.head(lane.plain) for _ in range(2)]

    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"")] * 2
    assert head.decode().lower() in {f"{name}: {value}" for name, value in answers[0].headers.items()}


async def test_http2_trailers_arrive(stage: Stage, lane: Lane) -> None:
    async def say(stream: Stream) -> None:
        await stream.head(200, ("content-type", "application/grpc"))
        await stream.data(b"one message")
        await stream.ended.wait()
        await stream.trailers(("grpc-status", "0"))

    lane.http2_api.answer = say
    async with dial(stage.proxy.port) as line:
        await line.connect(f"localhost:{lane.http2_api.port}")
        await line.tls(stage.proxy.ca, "localhost", protocols=("h2",))
        talk = Http2Line(line, f"localhost:{lane.http2_api.port}")
        stream = talk.begin([("content-type", "application/grpc"), ("te", "trailers")], b"call")
        await talk.until(lambda: stream in talk.bodies)  # before the call has ended
        talk.end(stream, [("x-checksum", "1")])
        await talk.until(lambda: stream in talk.ended)

    assert talk.bodies[stream] == b"one message"
    assert talk.trailers[stream] == {"grpc-status": "0"}
    assert lane.http2_api.all("authorization") == ["Bearer t1"]


@pytest.mark.parametrize(
    "caching", [("Cache-Control", "max-age=60"), ("Expires", "0"), ("Pragma", "no-cache")]
)
async def test_answer_that_says_something_about_caching_is_left_alone(
    stage: Stage, lane: Lane, caching: tuple[str, str]
) -> None:
    lane.api.response_headers = [caching]

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain)

    assert answer.headers[caching[0]] == caching[1]
    assert answer.headers.get("cache-control") == (caching[1] if caching[0] == "Cache-Control" else None)


async def test_answer_that_says_nothing_about_caching_is_private(stage: Stage, lane: Lane) -> None:
    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain)

    assert answer.headers["cache-control"] == "private"


async def test_early_answer_reaches_a_client_that_still_uploads(stage: Stage, lane: Lane) -> None:
    async def refuse(_: api.Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 413 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        await writer.drain()
        writer.write_eof()
        await asyncio.sleep(PATIENCE)

    lane.api.answer = refuse
    async with dial(stage.proxy.port) as line, asyncio.timeout(PATIENCE):
        line.writer.write(
            f"PUT {lane.plain}/ HTTP/1.1\r\nHost: localhost:{lane.api.port}\r\n"
            f"Content-Length: {2**30}\r\n\r\n".encode()
            + bytes(10_000)
        )
        head = await line.reader.readuntil(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("way", ["plain", "secure"])
async def test_websocket_gets_the_token_and_its_frames_flow(stage: Stage, lane: Lane, way: str) -> None:
    served = lane.api if way == "plain" else lane.tls_api
    served.answer = websocket
    async with dial(stage.proxy.port) as line:
        target = f"{lane.plain}/socket"
        if way == "secure":
            await line.connect(f"localhost:{served.port}")
            await line.tls(stage.proxy.ca, "localhost")
            target = "/socket"
        client = WSConnection(ConnectionType.CLIENT)
        opening = client.send(Request(host=f"localhost:{served.port}", target="/socket"))
        line.writer.write(opening.replace(b"GET /socket", f"GET {target}".encode()))
        async with asyncio.timeout(PATIENCE):
            assert isinstance(await next_event(client, line), AcceptConnection)
            line.writer.write(client.send(TextMessage(data="hello")))
            text = await next_event(client, line)
            line.writer.write(client.send(BytesMessage(data=bytes(100_000))))
            data = b""
            while len(data) < 100_000:
                piece = await next_event(client, line)
                assert isinstance(piece, BytesMessage)
                data += piece.data
            line.writer.write(client.send(CloseConnection(code=1000)))
            end = await next_event(client, line)
    lines = await stage.logged(lane, 1)

    assert isinstance(text, TextMessage)
    assert text.data == "hello"
    assert data == bytes(100_000)
    assert isinstance(end, CloseConnection)
    assert served.tokens == ["Bearer t1"]
    assert [(line["status"], line["token"]) for line in lines] == [(101, "fetched")]


async def websocket(request: api.Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send everything back."""
    server = WSConnection(ConnectionType.SERVER)
    server.receive_data(request.head)
    while True:
        for event in server.events():
            match event:
                case Request():
                    writer.write(server.send(AcceptConnection()))
                case TextMessage() | BytesMessage():
                    writer.write(server.send(event))
                case Ping() | CloseConnection():
                    writer.write(server.send(event.response()))
        received = await reader.read(2**16)
        if not received:
            return
        server.receive_data(received)


async def next_event(connection: WSConnection, line: Line) -> object:
    """What comes next, but for pongs."""
    while True:
        for event in connection.events():
            if not isinstance(event, Pong):
                return event
        connection.receive_data(await line.reader.read(2**16))


async def test_http2_requests_share_one_token(stage: Stage, lane: Lane) -> None:
    async with stage.proxy.client(http2=True) as client:
        answers = await asyncio.gather(*(client.get(lane.http2) for _ in range(20)))

    assert {(answer.status_code, answer.http_version) for answer in answers} == {(200, "HTTP/2")}
    assert lane.http2_api.all("authorization") == ["Bearer t1"] * 20
    assert len(lane.idp.seen) == 1


async def test_http2_names_its_headers_in_small_letters(stage: Stage) -> None:
    """RFC 9113 §8.2; mitmproxy would mend it with a line in its log for each of ours."""
    lane = stage.lane("claims")

    async with stage.proxy.client(http2=True) as client:
        answer = await client.get(lane.http2)
    await stage.logged(lane, 1)

    assert answer.headers["cache-control"] == "private"
    assert answer.headers["x-group"] == "1"
    assert lane.http2_api.all("x-group") == ["1"]
    assert lane.http2_api.all("x-subject") == [""]
    assert lane.http2_api.all("authorization") == ["Bearer t1"]
    assert "Lowercased" not in stage.proxy.output


async def test_kept_connection_serves_many_requests(stage: Stage, lane: Lane) -> None:
    async with stage.proxy.client() as client:
        for _ in range(20):
            assert isinstance(await client.get(lane.secure), httpx.Response)

    assert lane.tls_api.connections == 1
    assert lane.tls_api.tokens == ["Bearer t1"] * 20
