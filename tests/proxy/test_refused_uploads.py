"""Section 11: a small upload is read before it is refused, a large one is cut."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import trustme

from tests.proxy.harness import PATIENCE
from tests.proxy.http2_line import Http2Line
from tests.proxy.lines import Line, dial
from tests.proxy.process import MIB, files_closed, files_settled
from tests.proxy.stage import Kind, Lane, Stage, staged

pytestmark = pytest.mark.anyio

KINDS = {"usual": Kind(lanes=3, rule="attach: {when_present: refuse}"), "failing": Kind(lanes=1)}


@pytest.fixture(scope="module", params=[(), ("--set", "stream_large_bodies=3k")], ids=["", "streaming"])
async def stage(
    request: pytest.FixtureRequest, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    async with staged(KINDS, *request.param, folder=folder, authority=authority) as stage:
        yield stage


@pytest.fixture(scope="module")
def lane(stage: Stage) -> Lane:
    """One for all: nothing reaches its servers."""
    return stage.lane()


@pytest.fixture(params=["plain", "secure"])
async def line(stage: Stage, lane: Lane, request: pytest.FixtureRequest) -> AsyncIterator[Line]:
    """To the API, over http or TLS."""
    async with dial(stage.proxy.port) as line:
        if request.param == "secure":
            await line.connect(f"localhost:{lane.tls_api.port}")
            await line.tls(stage.proxy.ca, "localhost")
        yield line
    assert lane.api.seen == lane.tls_api.seen == []
    assert lane.idp.seen == []


def head(lane: Lane, line: Line, *fields: str) -> bytes:
    """Of a refused upload."""
    secure = line.writer.get_extra_info("ssl_object")
    here = f"localhost:{(lane.tls_api if secure else lane.api).port}"
    target = "/a" if secure else f"http://{here}/a"
    lines = (f"POST {target} HTTP/1.1", f"Host: {here}", "Authorization: own", *fields)
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


@pytest.mark.parametrize("size", [0, 1, 5000, MIB])
async def test_small_upload_is_read_before_it_is_refused(lane: Lane, line: Line, size: int) -> None:
    first = await line.ask(head(lane, line, f"Content-Length: {size}") + bytes(size))
    again = await line.ask(head(lane, line, f"Content-Length: {size}") + bytes(size))  # the line is good

    assert (first.status, first.reason) == (again.status, again.reason) == (403, "header_present")


async def test_small_upload_that_waits_is_asked_for(lane: Lane, line: Line) -> None:
    line.writer.write(head(lane, line, "Content-Length: 5000", "Expect: 100-continue"))
    async with asyncio.timeout(PATIENCE):
        interim = await line.reader.readuntil(b"\r\n\r\n")
        answer = await line.ask(bytes(5000))

    assert interim.startswith(b"HTTP/1.1 100 ")
    assert (answer.status, answer.reason) == (403, "header_present")


@pytest.mark.parametrize("size", [1000, 100_000])
async def test_upload_of_unknown_length_is_read_when_it_ends_soon(lane: Lane, line: Line, size: int) -> None:
    line.writer.write(head(lane, line, "Transfer-Encoding: chunked"))
    line.writer.write(b"%x\r\n%s\r\n" % (size, bytes(size)))
    await asyncio.sleep(0.1)
    answer = await line.ask(b"1\r\nx\r\n0\r\n\r\n")

    assert (answer.status, answer.reason) == (403, "header_present")


@pytest.mark.parametrize("fields", [(), ("Expect: 100-continue",)])
async def test_large_upload_is_cut(stage: Stage, lane: Lane, line: Line, fields: tuple[str, ...]) -> None:
    said = f"an upload of {50 * MIB} bytes was cut"
    before = stage.proxy.output.count(said)
    started = time.monotonic()

    received = await push(line, head(lane, line, f"Content-Length: {50 * MIB}", *fields), bytes(MIB), 50)

    assert time.monotonic() - started < 2
    assert b"403" not in received
    await stage.proxy.said(said, times=before + 1)
    assert '"reason": "header_present"' in [line for line in stage.proxy.lines if said in line][-1]


async def test_upload_of_unknown_length_is_cut_after_a_second(stage: Stage, lane: Lane, line: Line) -> None:
    started = time.monotonic()

    received = await push(line, head(lane, line, "Transfer-Encoding: chunked"), b"1\r\nx\r\n", 1000)

    assert 0.9 < time.monotonic() - started < 3
    assert b"403" not in received
    await stage.proxy.said("an upload of unknown length was cut")


async def test_http2_upload_is_cut_and_its_neighbours_are_not(stage: Stage, lane: Lane) -> None:
    async with dial(stage.proxy.port) as line:
        await line.connect(f"localhost:{lane.http2_api.port}")
        await line.tls(stage.proxy.ca, "localhost", protocols=("h2",))
        talk = Http2Line(line, f"localhost:{lane.http2_api.port}")
        started = time.monotonic()
        large = talk.begin([("authorization", "own"), ("content-length", str(50 * MIB))], bytes(5000))
        endless = talk.begin([("authorization", "own")], bytes(5000))
        small = talk.begin([("authorization", "own"), ("content-length", "5000")], bytes(5000), end=True)
        soon = talk.begin([("authorization", "own")], bytes(5000), end=True)
        await talk.until(lambda: large in talk.reset and {small, soon} <= talk.ended)
        at_once = time.monotonic() - started
        await talk.until(lambda: endless in talk.reset)
        after = time.monotonic() - started
        good = talk.begin([], b"", end=True)
        await talk.until(lambda: good in talk.ended)

    assert at_once < 0.9 < after < 3
    assert talk.reset == {large, endless}
    assert [talk.status(stream) for stream in (small, soon, good)] == [403, 403, 200]
    assert b"header_present" in talk.bodies[small]
    assert b"header_present" in talk.bodies[soon]
    lane.http2_api.seen.clear()
    lane.idp.seen.clear()


async def test_refusal_that_comes_late_meets_its_upload_the_same_way(stage: Stage) -> None:
    lane = stage.lane("failing")
    lane.idp.client_secret = "another"
    async with dial(stage.proxy.port) as line:
        small = await line.ask(
            f"PUT {lane.plain}/ HTTP/1.1\r\nHost: localhost:{lane.api.port}\r\nContent-Length: 9\r\n\r\n"
            "123456789"
        )
        begin = f"PUT {lane.plain}/ HTTP/1.1\r\nHost: localhost:{lane.api.port}\r\n"
        received = await push(line, f"{begin}Content-Length: {50 * MIB}\r\n\r\n".encode(), bytes(MIB), 50)

    assert (small.status, small.reason) == (502, "token_rejected")
    assert b"HTTP" not in received
    assert lane.api.seen == []


async def test_cut_uploads_leak_no_socket(stage: Stage, lane: Lane) -> None:
    async def once() -> None:
        async with dial(stage.proxy.port) as line:
            await push(line, head(lane, line, f"Content-Length: {50 * MIB}"), bytes(MIB), 50)

    await once()
    before = await files_settled(stage.proxy)
    await asyncio.gather(*(once() for _ in range(20)))

    await files_closed(stage.proxy, before)


async def push(line: Line, head: bytes, piece: bytes, times: int) -> bytes:
    """Upload until all is sent or the proxy resets the connection; gives back what it said."""
    received = bytearray()

    async def listen() -> None:
        while piece := await line.reader.read(2**16):
            received.extend(piece)

    listening = asyncio.ensure_future(listen())
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ConnectionError):  # noqa: PT012 - whichever of the two sees it first
            line.writer.write(head)
            for _ in range(times):
                if listening.done():
                    break
                line.writer.write(piece)
                await line.writer.drain()
                await asyncio.sleep(0.005)
            await listening
            raise ConnectionAbortedError  # TLS shows a reset as an end
    listening.cancel()
    return bytes(received)
