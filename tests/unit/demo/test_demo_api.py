import httpx
import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from clientcreds_proxy.demo.authorization_server import AuthorizationServer, RegisteredClient
from clientcreds_proxy.secret import Secret
from tests.unit.demo.conftest import AUDIENCE, SECRET, a_token

pytestmark = pytest.mark.anyio


async def test_api_says_what_it_saw_but_not_the_token(api: httpx.AsyncClient) -> None:
    answer = await api.put("/orders/7?page=2", content=b"12345", headers={"Host": "orders.example"})

    seen = answer.json()
    assert seen.pop("claims")["sub"] == "app:1"
    assert seen == {
        "method": "PUT",
        "path": "/orders/7",
        "query": "page=2",
        "host": "orders.example",
        "accept": "application/json",
        "body_bytes": 5,
    }
    assert api.headers["Authorization"].removeprefix("Bearer ") not in answer.text


async def test_api_answers_401_and_a_challenge_without_a_token(api: httpx.AsyncClient) -> None:
    del api.headers["Authorization"]

    answer = await api.get("/orders")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="demo"'


def foreign(lifetime_seconds: int = 60) -> AuthorizationServer:
    client = RegisteredClient(client_id="app:1", client_secret=Secret(SECRET), audience=AUDIENCE)
    return AuthorizationServer(
        issuer="https://login.example/", clients=[client], lifetime_seconds=lifetime_seconds
    )


async def test_api_refuses_a_token_of_another_key(api: httpx.AsyncClient) -> None:
    answer = await api.get("/orders", headers={"Authorization": f"Bearer {a_token(foreign())}"})

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("token", ["abc", "a.b.c", "e30.e30."])
async def test_api_refuses_what_is_no_token(api: httpx.AsyncClient, token: str) -> None:
    assert (await api.get("/orders", headers={"Authorization": f"Bearer {token}"})).status_code == 401


async def test_api_refuses_an_expired_token(
    api: httpx.AsyncClient, authorization_server: AuthorizationServer
) -> None:
    authorization_server.lifetime_seconds = -1

    answer = await api.get("/orders", headers={"Authorization": f"Bearer {a_token(authorization_server)}"})

    assert answer.status_code == 401


async def test_api_answers_406_unless_json_is_asked_for(api: httpx.AsyncClient) -> None:
    assert (await api.get("/orders", headers={"Accept": "*/*"})).status_code == 406


async def test_revoke_ends_the_token_that_it_came_with(
    api: httpx.AsyncClient, authorization_server: AuthorizationServer
) -> None:
    revoked = await api.post("/revoke")
    after = await api.get("/orders")
    with_another = await api.get(
        "/orders", headers={"Authorization": f"Bearer {a_token(authorization_server)}"}
    )

    assert [revoked.status_code, after.status_code, with_another.status_code] == [204, 401, 200]


async def test_refuses_revokes_as_many_tokens_as_it_says(
    api: httpx.AsyncClient, authorization_server: AuthorizationServer
) -> None:
    first = await api.post("/refuses/1", content=b"order")
    again = await api.post("/refuses/1", content=b"order")
    with_another = await api.post(
        "/refuses/1",
        content=b"order",
        headers={"Authorization": f"Bearer {a_token(authorization_server)}"},
    )

    assert [first.status_code, again.status_code, with_another.status_code] == [401, 401, 200]


async def test_events_send_the_first_one_at_once(api: httpx.AsyncClient) -> None:
    async with api.stream("GET", "/events?count=2&every=3600") as answer:
        first = await anext(answer.aiter_lines())

    assert answer.headers["Content-Type"] == "text/event-stream"
    assert first == "data: 0"


async def test_upload_counts_bytes_of_any_size(api: httpx.AsyncClient) -> None:
    answer = await api.post("/upload", content=b"." * 3_000_000)

    assert answer.json()["body_bytes"] == 3_000_000


async def test_download_sends_as_many_bytes_as_asked_for(api: httpx.AsyncClient) -> None:
    answer = await api.get("/download/200000")

    assert len(answer.content) == 200_000


async def test_socket_sends_back_what_it_gets(api: httpx.AsyncClient) -> None:
    url = str(api.base_url.copy_with(scheme="ws", path="/socket"))
    connection = await websocket_connect(HTTPRequest(url, headers=dict(api.headers)))

    await connection.write_message("ping")

    assert await connection.read_message() == "ping"
    connection.close()
