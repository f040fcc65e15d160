"""Section 9: SIGTERM lets requests in flight finish, and no new one begin."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.proxy.harness import PATIENCE, Proxy, mitmdump
from tests.proxy.http2_line import Http2Line
from tests.proxy.lines import Answer, Line, dial
from tests.simulators.api import Api, Request
from tests.simulators.authorization_server import AuthorizationServer
from tests.simulators.http2_api import Http2Api, Stream

pytestmark = pytest.mark.anyio


def rules(idp: AuthorizationServer, *ports: int) -> str:
    return f"""
version: 1
log: {{format: json}}
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - {{name: api, match: {{host: localhost, port: {list(ports)}}}, token_source: idp}}
"""


class Held:
    """An API that gives its first answer when it is let, and others at once."""

    def __init__(self, *, form: bytes) -> None:
        self.reached, self.let = asyncio.Event(), asyncio.Event()
        self._form = form

    async def __call__(self, _: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.reached.is_set():
            writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n")
            return
        self.reached.set()
        await self.let.wait()
        writer.write(self._form)


LENGTH = b"HTTP/1.1 200 X\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000
CHUNKED = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n" + b"x" * 300_000 + b"\r\n0\r\n\r\n"


@asynccontextmanager
async def told_to_stop(proxy: Proxy, api: Api, held: Held, url: str) -> AsyncIterator[float]:
    """A request is in flight while the proxy gets SIGTERM; ends with the proxy."""
    api.answer = held
    async with proxy.client() as client:
        flying = asyncio.ensure_future(client.get(url))
        await held.reached.wait()
        proxy.process.terminate()
        yield time.monotonic()
        answer = await flying
    assert (answer.status_code, len(answer.content)) == (200, 300_000)
    async with asyncio.timeout(PATIENCE):
        assert await proxy.process.wait() == 0


@pytest.mark.parametrize("form", [LENGTH, CHUNKED], ids=["length", "chunked"])
async def test_request_in_flight_finishes_and_new_ones_are_refused(
    idp: AuthorizationServer, api: Api, folder: Path, form: bytes
) -> None:
    url, held = f"http://localhost:{api.port}/a", Held(form=form)

    async with mitmdump(rules(idp, api.port), folder=folder) as proxy, dial(proxy.port) as kept:
        first = await kept.get(url, f"localhost:{api.port}")
        async with told_to_stop(proxy, api, held, url):
            refused = await refused_soon(kept, url)
            held.let.set()

    assert first.status == 200
    assert (refused.status, refused.reason) == (503, "shutting_down")
    assert refused.one("retry-after") == "1"
    assert [line["status"] for line in proxy.access()].count(503) == 1


async def refused_soon(kept: Line, url: str) -> Answer:
    """The first answer that is a refusal: the signal takes a moment to arrive."""
    async with asyncio.timeout(PATIENCE):
        while (answer := await kept.get(url, url.split("/")[2])).status == 200:
            pass
    return answer


async def test_http2_answer_reaches_a_client_that_reads_slowly(
    idp: AuthorizationServer, http2_api: Http2Api, *, trusted: Path, folder: Path
) -> None:
    async def give(stream: Stream) -> None:
        await stream.head(200)
        await stream.data(bytes(300_000), end=True)

    http2_api.answer = give
    trust = ("--set", f"ssl_verify_upstream_trusted_ca={trusted}")

    async with (
        mitmdump(rules(idp, http2_api.port), *trust, folder=folder) as proxy,
        dial(proxy.port) as line,
    ):
        await line.connect(f"localhost:{http2_api.port}")
        await line.tls(proxy.ca, "localhost", protocols=("h2",))
        talk = Http2Line(line, f"localhost:{http2_api.port}")
        stream = talk.begin([], method="GET", end=True)
        await talk.until(lambda: stream in talk.heads)
        await proxy.logged(1)  # the API has said all; the proxy holds what the client has no room for
        proxy.process.terminate()
        await asyncio.sleep(0.5)
        await talk.until(lambda: stream in talk.ended)

    assert talk.bodies[stream] == bytes(300_000)


async def test_request_without_an_end_is_cut_after_ten_seconds(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    async def endless(_: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        await reader.read()

    api.answer = endless
    async with (
        mitmdump(rules(idp, api.port), folder=folder) as proxy,
        proxy.client() as client,
        client.stream("GET", f"http://localhost:{api.port}/a") as answer,
    ):
        pieces = answer.aiter_raw()
        await anext(pieces)
        started = time.monotonic()
        proxy.process.terminate()
        async with asyncio.timeout(PATIENCE):
            code = await proxy.process.wait()
        took = time.monotonic() - started

    assert code == 0
    assert 9 < took < 13


async def test_idle_connections_do_not_hold_the_end_up(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    async with mitmdump(rules(idp, api.port), folder=folder) as proxy, dial(proxy.port) as idle:
        await idle.get(f"http://localhost:{api.port}/a", f"localhost:{api.port}")
        started = time.monotonic()
        proxy.process.terminate()
        async with asyncio.timeout(PATIENCE):
            code = await proxy.process.wait()
        took = time.monotonic() - started

    assert code == 0
    assert took < 3


async def test_request_that_waits_for_a_token_is_served_before_the_end(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    idp.wait_seconds = 1.0

    async with mitmdump(rules(idp, api.port), folder=folder) as proxy, proxy.client() as client:
        flying = asyncio.ensure_future(client.get(f"http://localhost:{api.port}/a"))
        while not idp.seen:  # noqa: ASYNC110 - the simulator tells nobody
            await asyncio.sleep(0.01)
        proxy.process.terminate()
        answer = await flying

    assert answer.status_code == 200
    assert api.tokens == ["Bearer t1"]
