"""Section 5: callers with credentials of their own, through one proxy. Each test has a lane of its own."""

import asyncio
import base64
from collections.abc import AsyncIterator

import httpx
import pytest
import trustme

from tests.proxy.lines import Answer, dial
from tests.proxy.stage import Kind, Lane, Stage, staged
from tests.simulators.api import Request
from tests.simulators.authorization_server import Reply

pytestmark = pytest.mark.anyio

EVERYWHERE = "caller: {from: [proxy_authorization, header, body, query]}"
KINDS = {
    "header": Kind(source="caller: {}", lanes=8),
    "query": Kind(source="caller: {from: query}", lanes=2),
    "body": Kind(source="caller: {from: [body]}", lanes=8),
    "anywhere": Kind(source=EVERYWHERE, lanes=3),
    "proxied": Kind(source="caller: {from: [proxy_authorization]}", lanes=7),
    "proxied-or-kept": Kind(
        source="caller: {from: [proxy_authorization]}", rule="attach: {when_present: keep}"
    ),
    "keep": Kind(source="caller: {from: [header, query]}", rule="attach: {when_present: keep}"),
    "refuse": Kind(source="caller: {from: [header, query]}", rule="attach: {when_present: refuse}"),
    "passing": Kind(source="caller: {}", rule="on_token_failure: pass_without_token", lanes=2),
    "cross": Kind(source="caller: {}", rule="allow_cross_site: true"),
    "shown": Kind(
        source="caller: {from: [header, query, body], hide_credentials: false}",
        rule="attach: {header: X-Token, scheme: ''}",
        lanes=2,
    ),
}
FORM = "application/x-www-form-urlencoded"
OWN = "client_id=alice&client_secret=a%2Bs%25"
CHALLENGE = 'Basic realm="clientcreds"'


def basic(client_id: str = "alice", secret: str = "a+s%") -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


@pytest.fixture(scope="module")
async def stage(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with staged(KINDS, folder=tmp_path_factory.mktemp("stage"), authority=authority) as stage:
        yield stage


def lane_of(stage: Stage, kind: str) -> Lane:
    """A lane whose authorization server knows alice and bob, and tells their tokens apart."""
    lane = stage.lane(kind)
    lane.idp.clients = {"alice": "a+s%", "bob": "b:c"}
    return lane


async def test_each_caller_gets_its_own_token_and_no_credentials_go_on(stage: Stage) -> None:
    """Kong: one token request for any number of calls."""
    lane = lane_of(stage, "header")

    async with stage.proxy.client() as client:
        for who in [("alice", "a+s%"), ("bob", "b:c")] * 3:
            answer = await client.get(lane.plain + "/a?b=%41", headers={"Authorization": basic(*who)})
            assert answer.status_code == 200
    lines = await stage.logged(lane, 6)

    assert lane.api.tokens == ["Bearer alice-1", "Bearer bob-2"] * 3
    assert {request.target for request in lane.api.seen} == {"/a?b=%41"}
    assert len(lane.idp.seen) == 2
    assert [line["client_username"] for line in lines] == ["alice", "bob"] * 3
    assert [line["token"] for line in lines] == ["fetched"] * 2 + ["cached"] * 4


async def test_caller_without_good_credentials_is_refused(stage: Stage) -> None:
    lane = lane_of(stage, "header")

    async with dial(stage.proxy.port) as line:
        here = f"localhost:{lane.api.port}"
        none = await line.get(f"http://{here}/a", here)
        elsewhere = await line.get(
            f"http://{here}/a?{OWN}", here, f"Proxy-Authorization: {basic()}", "Authorization: Bearer x"
        )
        wrong = [
            await line.get(f"http://{here}/a", here, f"Authorization: {basic('alice', 'x')}") for _ in "123"
        ]
        right = await line.get(f"http://{here}/a", here, f"Authorization: {basic()}")

    assert [(each.status, each.reason) for each in (none, elsewhere, *wrong)] == [
        (401, "caller_unauthorized")
    ] * 5
    assert {each.one("www-authenticate") for each in (none, elsewhere, *wrong)} == {CHALLENGE}
    assert none.one("proxy-authenticate") is None
    assert [each.problem.get("error") for each in (none, *wrong)] == [None, *["invalid_client"] * 3]
    assert none.problem["token_source"] == lane.name
    assert right.status == 200
    assert len(lane.idp.seen) == 3  # auto: the wrong one by two ways, once; the right one
    assert len(lane.api.seen) == 1
    lines = await stage.logged(lane, 6)
    assert [line["client_username"] for line in lines] == ["-", "-", *["alice"] * 4]


async def test_query_loses_the_credentials_alone(stage: Stage) -> None:
    lane = lane_of(stage, "query")

    async with stage.proxy.client() as client:
        for target in (f"/a?x=%41&{OWN}&&y=1+2&z", f"/a?{OWN}"):
            headers = {"Authorization": basic("bob", "b:c")}
            assert (await client.get(lane.plain + target, headers=headers)).status_code == 200
        twice = await client.get(lane.plain + f"/a?{OWN}&client_id=bob")

    assert [request.target for request in lane.api.seen] == ["/a?x=%41&&y=1+2&z", "/a"]
    assert lane.api.tokens == ["Bearer alice-1"] * 2
    assert twice.status_code == 401


@pytest.mark.parametrize("way", ["plain", "secure"])
async def test_form_loses_the_credentials_alone(stage: Stage, way: str) -> None:
    lane = lane_of(stage, "body")
    body = f"x=%41&{OWN}&é=1+2".encode()

    async with stage.proxy.client() as client:
        headers = {"Content-Type": f"{FORM}; charset=utf-8", "X-Own": "1"}
        answer = await client.post(getattr(lane, way) + "/a", content=body, headers=headers)
    (seen,) = (lane.api if way == "plain" else lane.tls_api).seen

    assert answer.status_code == 200
    assert seen.body == "x=%41&é=1+2".encode()
    assert seen.one("content-length") == str(len(seen.body))
    assert (seen.one("authorization"), seen.one("x-own")) == ("Bearer alice-1", "1")


async def test_form_is_read_over_http2(stage: Stage) -> None:
    lane = lane_of(stage, "body")

    async def in_pieces() -> AsyncIterator[bytes]:
        for piece in ("x=1&", OWN, "&y=2"):
            yield piece.encode()

    async with stage.proxy.client(http2=True) as client:
        for content in (f"x=1&{OWN}&y=2".encode(), in_pieces()):
            answer = await client.post(lane.http2 + "/a", content=content, headers={"Content-Type": FORM})
            assert (answer.status_code, answer.http_version) == (200, "HTTP/2")

    assert list(lane.http2_api.bodies.values()) == [len("x=1&y=2")] * 2
    assert lane.http2_api.all("authorization") == ["Bearer alice-1"] * 2
    assert lane.http2_api.all("content-length") == ["7", "7"]


async def test_form_is_read_in_chunks_and_after_an_expectation(stage: Stage) -> None:
    lane = lane_of(stage, "body")
    here, body = f"localhost:{lane.api.port}", f"{OWN}&x=1"
    chunks: list[bytes] = []

    async def read_chunks(
        request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if request.one("transfer-encoding") is not None:
            chunks.append(await reader.readuntil(b"0\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 X\r\n\r\n")

    lane.api.answer = read_chunks
    head = f"POST http://{here}/a HTTP/1.1\r\nHost: {here}\r\nContent-Type: {FORM}\r\n"
    async with dial(stage.proxy.port) as line:
        chunked = f"{len(body):x}\r\n{body}\r\n0\r\n\r\n"
        in_chunks = await line.ask(f"{head}Transfer-Encoding: chunked\r\n\r\n{chunked}")
        asked = await line.ask(f"{head}Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n")
        after = await line.ask(body)

    assert (in_chunks.status, asked.status, after.status) == (204, 100, 204)
    assert chunks == [b"3\r\nx=1\r\n0\r\n\r\n"]
    assert lane.api.seen[1].body == b"x=1"
    assert lane.api.tokens == ["Bearer alice-1"] * 2


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"Content-Type": "application/json"}, OWN.encode()),
        ({"Content-Type": FORM, "Content-Encoding": "gzip"}, OWN.encode()),
        ({"Content-Type": FORM}, f"{OWN}&x={'x' * 65536}".encode()),
        ({"Content-Type": FORM}, b""),
    ],
    ids=["json", "compressed", "too long", "empty"],
)
async def test_credentials_are_looked_for_in_small_forms_alone(
    stage: Stage, headers: dict[str, str], content: bytes
) -> None:
    lane = lane_of(stage, "body")

    async with stage.proxy.client() as client:
        answer = await client.post(lane.plain + "/a", content=content, headers=headers)

    assert answer.status_code == 401
    assert answer.json()["reason"] == "caller_unauthorized"
    assert (lane.idp.seen, lane.api.seen) == ([], [])


async def test_first_place_with_credentials_wins_and_others_go_on(stage: Stage) -> None:
    lane = lane_of(stage, "anywhere")
    bob, form = basic("bob", "b:c"), f"{OWN}&x=1"
    url, typed = f"{lane.plain}/a?{OWN}", {"Content-Type": FORM}

    async with stage.proxy.client() as client:
        answers = [
            await client.post(
                url, content=form, headers={**typed, "Proxy-Authorization": bob, "Authorization": "Basic ?"}
            ),
            await client.post(url, content=form, headers={**typed, "Authorization": bob}),
            await client.post(url, content=form, headers=typed),
            await client.post(url, content="x=1", headers=typed),
        ]

    assert [answer.status_code for answer in answers] == [200] * 4
    assert lane.api.tokens == ["Bearer bob-1", "Bearer bob-1", "Bearer alice-2", "Bearer alice-2"]
    assert [request.body.decode() for request in lane.api.seen] == [form, form, "x=1", "x=1"]
    assert [request.target for request in lane.api.seen] == [f"/a?{OWN}"] * 3 + ["/a"]
    assert {request.one("proxy-authorization") for request in lane.api.seen} == {None}


async def test_proxy_credentials_count_for_each_plain_request_alone(stage: Stage) -> None:
    lane = lane_of(stage, "proxied")
    here = f"localhost:{lane.api.port}"

    async with dial(stage.proxy.port) as line:
        answers = [
            await line.get(f"http://{here}/a", here, *headers)
            for headers in [
                (f"Proxy-Authorization: {basic()}",),
                (),
                (f"Proxy-Authorization: {basic('bob', 'b:c')}", f"Authorization: {basic()}"),
                (f"Authorization: {basic()}",),
            ]
        ]

    assert [answer.status for answer in answers] == [200, 407, 200, 407]
    assert answers[1].one("proxy-authenticate") == CHALLENGE
    assert answers[1].one("www-authenticate") is None
    assert answers[1].reason == "caller_unauthorized"
    assert lane.api.tokens == ["Bearer alice-1", "Bearer bob-2"]


@pytest.mark.parametrize("way", ["secure", "http2"])
async def test_proxy_credentials_of_a_connect_count_for_its_tunnel(stage: Stage, way: str) -> None:
    lane = lane_of(stage, "proxied")
    proxy = stage.proxy.url.replace("http://", "http://alice:a%2Bs%25@")

    async with httpx.AsyncClient(
        proxy=proxy, verify=stage.proxy.ca, http2=way == "http2", http1=way != "http2", trust_env=False
    ) as client:
        answers = await asyncio.gather(*(client.get(getattr(lane, way) + "/a") for _ in range(5)))

    assert [answer.status_code for answer in answers] == [200] * 5
    tokens = lane.tls_api.tokens if way == "secure" else lane.http2_api.all("authorization")
    assert tokens == ["Bearer alice-1"] * 5
    assert len(lane.idp.seen) == 1


async def test_tunnel_without_good_credentials_is_refused(stage: Stage) -> None:
    lane = lane_of(stage, "proxied")
    secure = f"localhost:{lane.tls_api.port}"

    async with dial(stage.proxy.port) as line:
        refused = [
            await line.connect(secure),
            await line.connect(secure, {"Proxy-Authorization": basic("alice", "x")}),
            await line.connect(secure, {"Proxy-Authorization": basic("alice", "x")}),
        ]
        admitted = await line.connect(secure, {"Proxy-Authorization": basic()})
        await line.tls(stage.proxy.ca, "localhost")
        inside = await line.get("/a", secure)

    assert [each.status for each in refused] == [407] * 3
    assert {each.phrase for each in refused} == {"clientcreds: caller_unauthorized"}
    assert {each.one("proxy-authenticate") for each in refused} == {CHALLENGE}
    assert [each.problem.get("error") for each in refused] == [None, "invalid_client", "invalid_client"]
    assert (admitted.status, inside.status) == (200, 200)
    assert lane.tls_api.tokens == ["Bearer alice-3"]
    await stage.proxy.said('"client_username": "alice", "method": "CONNECT"', times=2)


async def test_plain_http_in_a_tunnel_has_its_credentials(stage: Stage) -> None:
    lane = lane_of(stage, "proxied")
    here = f"localhost:{lane.api.port}"

    async with dial(stage.proxy.port) as line:
        before = await line.get(f"http://{here}/a", here)
        await line.connect(here, {"Proxy-Authorization": basic()})
        inside = [
            await line.get("/a", here, *more)
            for more in [(), (f"Proxy-Authorization: {basic('bob', 'b:c')}",)]
        ]

    assert before.status == 407
    assert [answer.status for answer in inside] == [200, 200]
    assert lane.api.tokens == ["Bearer alice-1"] * 2


async def test_tunnel_opens_where_the_server_can_not_tell(stage: Stage) -> None:
    """Each request is told then."""
    lane = lane_of(stage, "proxied")
    secure = f"localhost:{lane.tls_api.port}"
    lane.idp.replies = [Reply(status=400, body=b'{"error": "invalid_scope"}')]

    async with dial(stage.proxy.port) as line:
        admitted = await line.connect(secure, {"Proxy-Authorization": basic()})
        await line.tls(stage.proxy.ca, "localhost")
        inside = await line.get("/a", secure)

    assert (admitted.status, inside.status, inside.reason) == (200, 503, "token_backoff")
    assert inside.problem["error"] == "invalid_scope"


async def test_tunnel_opens_where_a_request_may_need_no_caller(stage: Stage) -> None:
    lane = lane_of(stage, "proxied-or-kept")
    secure = f"localhost:{lane.tls_api.port}"

    async with dial(stage.proxy.port) as line:
        await line.connect(secure)
        await line.tls(stage.proxy.ca, "localhost")
        kept = await line.get("/a", secure, "Authorization: Bearer own")
        refused = await line.get("/a", secure)

    assert (kept.status, refused.status, refused.reason) == (200, 401, "caller_unauthorized")
    assert refused.one("www-authenticate") == CHALLENGE
    assert lane.tls_api.tokens == ["Bearer own"]


async def test_used_credentials_are_not_present(stage: Stage) -> None:
    """`when_present` looks at what is left: a Bearer token is the client's own, used credentials are not."""
    keep, refuse = lane_of(stage, "keep"), lane_of(stage, "refuse")

    async def ask(lane: Lane, *headers: str, query: str = "") -> Answer:
        here = f"localhost:{lane.api.port}"
        return await line.get(f"http://{here}/a{query}", here, *headers)

    async with dial(stage.proxy.port) as line:
        kept = [
            await ask(keep, "Authorization: Bearer own"),
            await ask(keep, "Authorization: Bearer own", query=f"?{OWN}"),
            await ask(keep, f"Authorization: {basic()}"),
            await ask(keep),
        ]
        refused = [
            await ask(refuse, "Authorization: Bearer own"),
            await ask(refuse, "Authorization: Bearer own", query=f"?{OWN}"),
            await ask(refuse, f"Authorization: {basic()}"),
            await ask(refuse, query=f"?{OWN}"),
        ]

    assert [answer.status for answer in kept] == [200, 200, 200, 401]
    assert keep.api.tokens == ["Bearer own", "Bearer own", "Bearer alice-1"]
    assert [request.target for request in keep.api.seen] == ["/a"] * 3
    assert [answer.reason for answer in refused] == ["header_present", "header_present", None, None]
    assert refuse.api.tokens == ["Bearer alice-1"] * 2


async def test_preflight_needs_no_caller(stage: Stage) -> None:
    lane = lane_of(stage, "cross")
    preflight = {"Origin": "https://page.test", "Access-Control-Request-Method": "GET"}

    async with stage.proxy.client() as client:
        answers = [
            await client.options(lane.plain + "/a", headers=preflight),
            await client.options(lane.plain + "/a"),
        ]

    assert [answer.status_code for answer in answers] == [200, 401]
    assert lane.api.tokens == [None]


async def test_failure_that_is_no_refusal_of_the_caller_stays_a_token_failure(stage: Stage) -> None:
    """`pass_without_token` covers those alone."""
    lane = lane_of(stage, "passing")

    async with stage.proxy.client() as client:
        headers = {"Authorization": basic()}
        refused = await client.get(lane.plain + "/a", headers={"Authorization": basic("alice", "x")})
        none = await client.get(lane.plain + "/a")
        lane.idp.replies = [Reply(status=400, body=b'{"error": "invalid_scope"}')]
        passed = await client.get(lane.plain + "/a", headers=headers)

    assert [answer.status_code for answer in (refused, none, passed)] == [401, 401, 200]
    assert lane.api.tokens == [None]


@pytest.mark.parametrize(
    ("reply", "status", "reason"),
    [
        (Reply(status=503), 502, "token_unavailable"),
        (Reply(status=429), 503, "token_backoff"),
        (Reply(body=b"<html>"), 502, "token_malformed"),
    ],
    ids=["down", "busy", "malformed"],
)
async def test_server_that_fails_is_told_apart(stage: Stage, reply: Reply, status: int, reason: str) -> None:
    lane = lane_of(stage, "header")
    lane.idp.answers = lambda _: reply

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain + "/a", headers={"Authorization": basic()})

    assert (answer.status_code, answer.json()["reason"]) == (status, reason)


async def test_api_s_401_drops_the_caller_s_token_alone(stage: Stage) -> None:
    lane = lane_of(stage, "header")
    lane.api.unauthorized.add("Bearer alice-1")

    async with stage.proxy.client() as client:
        for who in [("bob", "b:c"), ("alice", "a+s%"), ("bob", "b:c"), ("alice", "a+s%")]:
            if who[0] == "alice" and not lane.api.unauthorized & {"Bearer alice-2"}:
                lane.api.unauthorized.add("Bearer alice-2")
            answer = await client.get(lane.plain + "/a", headers={"Authorization": basic(*who)})
            assert answer.status_code == 200

    assert lane.api.tokens == [
        "Bearer bob-1",
        "Bearer alice-2",
        "Bearer alice-3",
        "Bearer bob-1",
        "Bearer alice-3",
    ]


async def test_credentials_go_on_where_they_are_not_hidden(stage: Stage) -> None:
    lane = lane_of(stage, "shown")
    url, typed = lane.plain + "/a", {"Content-Type": FORM}

    async with stage.proxy.client() as client:
        await client.get(url, headers={"Authorization": basic()})
        await client.get(f"{url}?{OWN}")
        await client.post(url, content=OWN, headers=typed)

    header, query, body = lane.api.seen
    assert [request.one("x-token") for request in lane.api.seen] == ["alice-1"] * 3
    assert header.one("authorization") == basic()
    assert query.target == f"/a?{OWN}"
    assert body.body == OWN.encode()


async def test_callers_on_one_connection_are_told_apart(stage: Stage) -> None:
    lane = lane_of(stage, "anywhere")
    here = f"localhost:{lane.api.port}"

    async with dial(stage.proxy.port) as line:
        for number in range(20):
            who = ("alice", "a+s%") if number % 2 else ("bob", "b:c")
            place = "Authorization" if number % 3 else "Proxy-Authorization"
            assert (await line.get(f"http://{here}/a", here, f"{place}: {basic(*who)}")).status == 200

    assert [(token or "").partition("-")[0] for token in lane.api.tokens] == [
        "Bearer bob",
        "Bearer alice",
    ] * 10
