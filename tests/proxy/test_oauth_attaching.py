"""Group D of the checklist: the token on its way to the API."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import trustme

from tests.proxy.harness import PATIENCE
from tests.proxy.lines import dial
from tests.proxy.stage import Kind, Lane, Stage, staged
from tests.simulators.api import Answerer, Request
from tests.simulators.authorization_server import Reply

pytestmark = pytest.mark.anyio

KINDS = {
    "usual": Kind(lanes=40),
    "pass": Kind(rule="on_token_failure: pass_without_token", lanes=2),
    "key": Kind(rule="attach: {header: X-Api-Key, scheme: ''}"),
    "keep": Kind(rule="attach: {when_present: keep}"),
}
REFUSED = Reply(status=400, body=b'{"error": "invalid_scope"}')


@pytest.fixture(scope="module")
async def stage(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with staged(KINDS, folder=tmp_path_factory.mktemp("stage"), authority=authority) as stage:
        yield stage


@pytest.mark.parametrize("way", ["plain", "secure"])
async def test_token_stands_in_its_header_and_nowhere_else(stage: Stage, *, way: str) -> None:
    """D01, D02."""
    lane = stage.lane()
    lane.idp.token_prefix = "v^1.1#A%2Fb+/=~"

    async with stage.proxy.client() as client:
        await client.post(getattr(lane, way) + "/a?b=c", data={"d": "e"})

    (seen,) = lane.api.seen + lane.tls_api.seen
    assert seen.head.count(b"v^1.1") == 1
    assert b"\r\nAuthorization: Bearer v^1.1#A%2Fb+/=~1\r\n" in seen.head
    assert (seen.target, seen.body) == ("/a?b=c", b"d=e")


@pytest.mark.parametrize("way", ["plain", "secure", "http2"])
async def test_long_token_arrives_whole(stage: Stage, *, way: str) -> None:
    """B18: 30 KiB, which HTTP/2 writes as several frames."""
    lane = stage.lane()
    lane.idp.token_prefix = "t" * 30_000

    async with stage.proxy.client(http2=way == "http2") as client:
        answer = await client.get(getattr(lane, way))

    assert answer.status_code == 200
    assert tokens(lane) == ["Bearer " + "t" * 30_000 + "1"]


@pytest.mark.parametrize(
    ("kind", "header", "form"), [("usual", "Authorization", "Bearer {}"), ("key", "X-Api-Key", "{}")]
)
async def test_token_that_the_api_sends_back_does_not_reach_the_app(
    stage: Stage, *, kind: str, header: str, form: str
) -> None:
    """D07."""
    lane = stage.lane(kind)
    lane.idp.token_prefix = "sent-back-"
    lane.api.response_headers = [(header, form.format("sent-back-1")), (header, "another"), ("X-Stays", "1")]

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain)

    assert answer.headers.get_list(header) == ["another"]
    assert answer.headers["x-stays"] == "1"
    assert "sent-back" not in str(answer.headers)


@pytest.mark.parametrize(
    ("headers", "control"),
    [
        ([], "private"),
        ([("Cache-Control", "max-age=60")], "max-age=60"),
        ([("Cache-Control", "public")], "public"),
        ([("Expires", "Fri, 15 Jan 2027 08:00:00 GMT")], None),
    ],
)
async def test_answer_that_says_nothing_about_caching_is_private(
    stage: Stage, headers: list[tuple[str, str]], control: str | None
) -> None:
    """D08; contract section 4."""
    lane = stage.lane()
    lane.api.response_headers = headers

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain)

    assert answer.headers.get("cache-control") == control


async def test_answer_to_the_clients_own_credential_is_left_alone(stage: Stage) -> None:
    """D08: the client's cache saw that one."""
    lane = stage.lane("keep")

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain, headers={"Authorization": "Basic b3du"})

    assert "cache-control" not in answer.headers


@pytest.mark.parametrize("way", ["plain", "secure"])
async def test_redirect_that_the_app_follows_takes_no_token_along(stage: Stage, *, way: str) -> None:
    """D09: the rule is for localhost alone."""
    lane = stage.lane()
    elsewhere = lane.plain.replace("localhost", "127.0.0.1")
    first_api = lane.api if way == "plain" else lane.tls_api
    first_api.answer = answering(
        f"HTTP/1.1 307 X\r\nLocation: {elsewhere}/there\r\nContent-Length: 0\r\n\r\n"
    )

    async with stage.proxy.client() as client:
        first = await client.get(getattr(lane, way) + "/here")
        first_api.answer = None
        assert first.next_request is not None
        await client.send(first.next_request)

    assert [(seen.target, seen.one("authorization")) for seen in lane.tls_api.seen + lane.api.seen] == [
        ("/here", "Bearer t1"),
        ("/there", None),
    ]


@pytest.mark.parametrize(
    "challenges",
    [
        [],
        ["Bearer"],
        ['Bearer realm="a, Bearer", error="invalid_token"'],
        ['Basic realm="x, y", bEARER error = invalid_token, Other dG9rZW42OA=='],
        ["Negotiate dG9rZW42OA==", 'Bearer error="insufficient_scope"'],
        ['Broken "'],
    ],
)
async def test_401_needs_no_challenge(stage: Stage, challenges: list[str]) -> None:
    """D11, D15."""
    lane = stage.lane()
    lane.api.unauthorized.add("Bearer t1")
    lane.api.response_headers = [("WWW-Authenticate", challenge) for challenge in challenges]

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain)

    assert answer.status_code == 200
    assert lane.api.tokens == ["Bearer t1", "Bearer t2"]


async def test_second_401_comes_with_all_that_it_said(stage: Stage) -> None:
    """D13."""
    lane = stage.lane()
    lane.api.unauthorized |= {"Bearer t1", "Bearer t2"}
    lane.api.response_headers = [
        ("WWW-Authenticate", "Bearer"),
        ("WWW-Authenticate", "Basic"),
        ("X-Own", "1"),
    ]

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain + "/a")

    assert answer.status_code == 401
    assert answer.headers.get_list("www-authenticate") == ["Bearer", "Basic"]
    assert (answer.headers["x-own"], answer.json()) == ("1", {"target": "/a"})


@pytest.mark.parametrize("tunnelled", [False, True])
async def test_websocket_opens_with_a_token(stage: Stage, *, tunnelled: bool) -> None:
    """D16; contract section 4."""
    lane = stage.lane()
    here = f"localhost:{lane.api.port}"
    lane.api.answer = answering(
        "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02hi"
    )
    handshake = (
        f"Host: {here}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )

    async with dial(stage.proxy.port) as line, asyncio.timeout(PATIENCE):
        if tunnelled:
            await line.connect(here)
        answer = await line.ask(f"GET {'' if tunnelled else 'http://' + here}/ws HTTP/1.1\r\n{handshake}")
        frame = await line.reader.readexactly(4)

    assert answer.status == 101
    assert frame == b"\x81\x02hi"
    (seen,) = lane.api.seen
    assert [seen.one(name) for name in ("authorization", "connection", "upgrade")] == [
        "Bearer t1", "Upgrade", "websocket"
    ]  # fmt: skip


async def test_upload_that_waits_for_100_continue_goes_on_with_a_token(stage: Stage) -> None:
    """D16."""
    lane = stage.lane()
    here = f"localhost:{lane.api.port}"

    async with dial(stage.proxy.port) as line, asyncio.timeout(PATIENCE):
        line.writer.write(
            f"POST http://{here}/a HTTP/1.1\r\nHost: {here}\r\nExpect: 100-continue\r\n"
            "Content-Length: 4\r\n\r\n".encode()
        )
        interim = await line.reader.readuntil(b"\r\n\r\n")
        answer = await line.ask("body")

    assert interim.startswith(b"HTTP/1.1 100 ")
    assert answer.status == 200
    assert [(seen.one("authorization"), seen.body) for seen in lane.api.seen] == [("Bearer t1", b"body")]


async def test_request_without_a_token_does_not_leave(stage: Stage) -> None:
    """D17, C01: the server's code is in the answer, its words are not."""
    lane = stage.lane()
    lane.idp.replies = [
        Reply(
            status=400, body=json.dumps({"error": "invalid_scope", "error_description": "Zwiebel"}).encode()
        )
    ]

    async with stage.proxy.client() as client:
        refused = await client.get(lane.plain)
        remembered = await client.get(lane.plain)

    problem = refused.json()
    assert (refused.status_code, problem["reason"], problem["error"]) == (
        502, "token_rejected", "invalid_scope"
    )  # fmt: skip
    assert (remembered.status_code, remembered.json()["reason"]) == (503, "token_backoff")
    assert 1 <= int(remembered.headers["retry-after"]) <= 30
    assert "Zwiebel" not in refused.text + remembered.text
    assert "Zwiebel" in stage.proxy.output
    assert lane.api.seen == []


@pytest.mark.parametrize("own", [{}, {"Authorization": "Basic b3du"}])
async def test_request_may_leave_without_a_token_by_choice(stage: Stage, own: dict[str, str]) -> None:
    """D17; contract section 3.5."""
    lane = stage.lane("pass")
    lane.idp.replies = [REFUSED]

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain, headers=own)

    assert answer.status_code == 200
    assert lane.api.tokens == [None]


def tokens(lane: Lane) -> list[str | None]:
    """What the lane's APIs were sent; only one of them is used by a test."""
    return lane.api.tokens + lane.tls_api.tokens + list(lane.http2_api.all("authorization"))


def answering(raw: str) -> Answerer:
    async def answer(_: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw.encode("latin-1"))

    return answer
