"""Bodies of 300 MiB pass through a proxy whose memory does not grow with them."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import trustme

from tests.proxy.http2_line import Http2Line
from tests.proxy.lines import dial
from tests.proxy.process import MIB, files_closed, files_settled, forget_peak, memory
from tests.proxy.stage import Kind, Lane, Stage, staged
from tests.simulators.api import Request
from tests.simulators.http2_api import Stream

pytestmark = pytest.mark.anyio

SIZE = 300 * MIB
MORE = 100  # MiB of memory that such a body may cost
KINDS = {"usual": Kind(lanes=8)}


@pytest.fixture(scope="module")
async def stage(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with staged(KINDS, folder=tmp_path_factory.mktemp("stage"), authority=authority) as stage:
        yield stage


@pytest.fixture
async def lane(stage: Stage) -> AsyncIterator[Lane]:
    """A lane, and afterwards the proxy's memory and open files are looked at."""
    files = await files_settled(stage.proxy)
    forget_peak(stage.proxy)
    before = memory(stage.proxy, "VmRSS")
    yield stage.lane()
    assert memory(stage.proxy, "VmHWM") - before < MORE
    await files_closed(stage.proxy, files)


@pytest.mark.parametrize(
    ("way", "token", "announced"),
    [
        ("plain", "slow", False),
        ("secure", "cached", True),
        ("secure", "slow", True),
        ("http2", "slow", False),
    ],
)
async def test_upload_streams(stage: Stage, lane: Lane, *, way: str, token: str, announced: bool) -> None:
    taken = [0]

    async def take(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if request.method == "PUT":
            taken[0] = await body_of(request, reader)
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n")

    lane.api.answer = lane.tls_api.answer = take
    headers = {"Content-Length": str(SIZE)} if announced else {}
    async with stage.proxy.client(http2=way == "http2") as client:
        if token == "cached":
            await client.get(getattr(lane, way))
        else:
            lane.idp.wait_seconds = 1.0
        answer = await client.put(getattr(lane, way), content=pieces(), headers=headers)

    assert answer.status_code == 200
    assert max(taken[0], *lane.http2_api.bodies.values(), 0) == SIZE


@pytest.mark.parametrize("way", ["plain", "http2"])
async def test_download_streams(stage: Stage, lane: Lane, *, way: str) -> None:
    async def give(_: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 X\r\nContent-Length: {SIZE}\r\n\r\n".encode())
        async for piece in pieces():
            writer.write(piece)
            await writer.drain()

    async def give2(stream: Stream) -> None:
        await stream.head(200, ("content-length", str(SIZE)))
        async for piece in pieces():
            await stream.data(piece)
        await stream.data(b"", end=True)

    lane.api.answer = lane.tls_api.answer = give
    lane.http2_api.answer = give2
    taken = 0
    async with (
        stage.proxy.client(http2=way == "http2") as client,
        client.stream("GET", getattr(lane, way)) as answer,
    ):
        async for piece in answer.aiter_raw():
            taken += len(piece)

    assert taken == SIZE


async def test_download_waits_for_a_client_that_does_not_read(stage: Stage, lane: Lane) -> None:
    given = [0]

    async def give(stream: Stream) -> None:
        await stream.head(200)
        async for piece in pieces():
            await stream.data(piece)
            given[0] += len(piece)

    lane.http2_api.answer = give
    async with dial(stage.proxy.port) as line:
        await line.connect(f"localhost:{lane.http2_api.port}")
        await line.tls(stage.proxy.ca, "localhost", protocols=("h2",))
        talk = Http2Line(line, f"localhost:{lane.http2_api.port}")
        stream = talk.begin([], method="GET", end=True)
        await talk.until(lambda: stream in talk.heads)
        before = -1
        while given[0] > before:
            before = given[0]
            await asyncio.sleep(0.3)

    assert given[0] < 100 * MIB


async def pieces() -> AsyncIterator[bytes]:
    """300 MiB."""
    for _ in range(SIZE // MIB):
        yield bytes(MIB)


async def body_of(request: Request, reader: asyncio.StreamReader) -> int:
    """Read a body and give back its size."""
    length, taken = request.one("content-length"), 0
    if length is not None:
        while taken < int(length):
            taken += len(await reader.read(MIB))
        return taken
    while size := int(await reader.readline(), 16):
        taken += len(await reader.readexactly(size + 2)) - 2
    await reader.readline()
    return taken
