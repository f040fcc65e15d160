"""Sections 10 and 3.7: secrets show in nothing that is printed, stored or shown."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from urllib.parse import quote, quote_plus

import httpx
import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from clientcreds_proxy.observe.log import Log
from clientcreds_proxy.proxy.inside.wire import Sealed
from clientcreds_proxy.rules.model import Destination
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import SourceSpec
from clientcreds_proxy.tokens.proof.client_auth import Granted
from tests.proxy.harness import PATIENCE, free_port, mitmdump
from tests.proxy.inside import inside
from tests.proxy.lines import dial
from tests.simulators.api import Api, Request
from tests.simulators.authorization_server import AuthorizationServer, Reply

pytestmark = pytest.mark.anyio

SECRET = "canary+Secret/of&app="
TOKEN = "canaryToken"
PASSWORD = "canaryPassword"
WRONG = "canaryWrongOne"
API_KEY = "canaryApiKey"


def shapes(value: str) -> Iterable[str]:
    """How a value could appear: as it is, form-encoded, in JSON, and in the midst of anything base64."""
    yield value
    yield quote(value, safe="")
    yield quote_plus(value)
    yield json.dumps(value)[1:-1]
    for text in (value, quote_plus(value)):
        for before in range(3):
            encoded = base64.b64encode(b"." * before + text.encode()).decode()
            # whole groups of three bytes that hold nothing but the value
            yield encoded[4 if before else 0 : (before + len(text)) // 3 * 4]


def shown(text: str, *values: str) -> list[str]:
    """The values that can be found in this text."""
    return [value for value in values if any(shape in text for shape in shapes(value))]


def rules(idp: AuthorizationServer, *ports: int, form: str = "json") -> str:
    """`localhost` is ruled; its port 1 is closed."""
    return f"""
version: 1
log: {{format: {form}, level: debug}}
token_sources:
  idp:
    token_url: "{idp.token_url}"
    client_id: app
    client_secret: "{SECRET}"
    api_headers: {{X-Key: {API_KEY}}}
rules:
  - name: api
    match: {{host: localhost, port: {[*ports, 1]}}}
    token_source: idp
    modifiers:
      - header.Modifier: {{scope: [request], name: X-Modified, value: "yes"}}
"""


def basic(password: str) -> str:
    """Proxy credentials of alice."""
    return "Basic " + base64.b64encode(f"alice:{password}".encode()).decode()


@pytest.fixture
async def idp() -> AsyncIterator[AuthorizationServer]:
    """An authorization server whose tokens can be found."""
    async with AuthorizationServer(client_secret=SECRET, token_prefix=TOKEN).running() as server:
        yield server


@pytest.mark.parametrize("form", ["text", "json"])
async def test_nothing_shows_in_logs_and_files(
    idp: AuthorizationServer, api: Api, tls_api: Api, *, trusted: Path, folder: Path, form: str
) -> None:
    """C11, D07."""
    flows, har = folder / "flows", folder / "flows.har"
    options = ("-v", "-w", str(flows), "--set", f"hardump={har}", "--set", "flow_detail=4")
    more = ("--set", f"ssl_verify_upstream_trusted_ca={trusted}", "--set", f"proxyauth=alice:{PASSWORD}")
    here, secure = f"localhost:{api.port}", f"localhost:{tls_api.port}"
    login, wrong = f"Proxy-Authorization: {basic(PASSWORD)}", f"Proxy-Authorization: {basic(WRONG)}"
    held = asyncio.Event()

    async def hold(_: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.set()
        await asyncio.sleep(PATIENCE)
        writer.close()

    api.unauthorized.add(f"Bearer {TOKEN}1")
    idp.replies = [Reply(status=400, body=json.dumps({"error": "x", "error_description": SECRET}).encode())]
    answers = []
    text = rules(idp, api.port, tls_api.port, form=form)
    async with mitmdump(text, *options, *more, folder=folder) as proxy:
        async with dial(proxy.port) as line:
            answers += [await line.get(f"http://{here}/wrong", here, wrong)]
            answers += [await line.connect(secure, {"Proxy-Authorization": basic(WRONG)})]
            answers += [await line.get(f"http://{here}/refused", here, login)]
        text = text.replace("name: api", "name: api2").replace(SECRET, SECRET + "2")
        idp.client_secret = SECRET + "2"
        (folder / "rules.yaml").write_text(text)
        await proxy.said("the rules are those of", times=2)
        idp.seen.clear()
        async with dial(proxy.port) as line:
            answers += [await line.get(f"http://{here}/again", here, login)]
            answers += [await line.get("http://localhost:1/closed", "localhost:1", login)]
        async with dial(proxy.port) as line:
            smuggled = ("Content-Length: 1", "Transfer-Encoding: chunked")
            answers += [await line.get(f"http://{here}/bad", here, login, *smuggled)]
        async with dial(proxy.port) as line:
            answers += [await line.connect(secure, {"Proxy-Authorization": basic(PASSWORD)})]
            await line.tls(proxy.ca, "localhost")
            answers += [await line.get("/tls", secure)]
        api.answer = hold
        async with dial(proxy.port) as line:
            line.writer.write(
                f"GET http://{here}/pending HTTP/1.1\r\nHost: {here}\r\n{login}\r\n\r\n".encode()
            )
            await asyncio.wait_for(held.wait(), PATIENCE)
            proxy.process.terminate()
            line.writer.close()
            await asyncio.wait_for(proxy.process.wait(), PATIENCE)

    secrets = (SECRET, TOKEN, PASSWORD, WRONG, API_KEY)
    assert [answer.status for answer in answers] == [407, 407, 502, 200, 502, 400, 200, 200]
    assert "/pending" in flows.read_text(errors="replace")
    assert "clientcreds-placeholder-" in har.read_text()
    assert shown(proxy.output, *secrets) == []
    assert shown(flows.read_text("latin-1"), *secrets) == []
    assert shown(har.read_text(), *secrets) == []
    assert shown("".join(str(answer) for answer in answers), *secrets) == []


async def test_nothing_shows_in_mitmweb_while_a_request_is_pending(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    """C11, D07."""
    port, here = await free_port(), f"localhost:{api.port}"
    options = ("--web-port", str(port), "--no-web-open-browser", "--set", "web_password=w")
    held, go = asyncio.Event(), asyncio.Event()

    async def hold(_: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.set()
        await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    api.answer = hold
    login = {"Authorization": "Bearer w"}
    url = f"http://127.0.0.1:{port}"
    async with (
        mitmdump(rules(idp, api.port), *options, folder=folder, program="mitmweb") as proxy,
        proxy.client() as client,
        httpx.AsyncClient(base_url=url, headers=login, trust_env=False) as web,
    ):
        web.headers.update({"X-XSRFToken": "0" * 32, "Cookie": f"_mitmproxy_xsrf={'0' * 32}"})
        updates = await websocket_connect(HTTPRequest(f"ws://127.0.0.1:{port}/updates", headers=login))
        asked = asyncio.ensure_future(client.post(f"http://{here}/a?b=c", content=b"body"))
        await asyncio.wait_for(held.wait(), PATIENCE)
        pending = await everything(web, folder)
        go.set()
        answer = await asked
        await proxy.logged(1)
        over = await everything(web, folder)
        updates.close()
        pushed = []
        while (message := await asyncio.wait_for(updates.read_message(), PATIENCE)) is not None:
            pushed.append(str(message))

    assert answer.status_code == 200
    assert api.tokens == [f"Bearer {TOKEN}1"]
    assert api.seen[0].one("x-key") == API_KEY
    assert any("clientcreds-placeholder-" in text for text in pushed)
    assert shown("".join(pushed), SECRET, TOKEN, API_KEY) == []
    for view in (pending, over):
        (flow,) = json.loads(view["flows"])
        assert flow["comment"] == "clientcreds rule=api token_source=idp token=fetched"
        assert all("clientcreds-placeholder-" in view[name] for name in ("flows", "dump", "curl", "raw"))
        assert {name: shown(text, SECRET, TOKEN, API_KEY) for name, text in view.items()} == {
            name: [] for name in view
        }


async def everything(web: httpx.AsyncClient, folder: Path) -> dict[str, str]:
    """All that mitmweb tells about flows."""
    view = {
        "flows": (await web.get("/flows")).text,
        "dump": (await web.get("/flows/dump")).content.decode("latin-1"),
        "events": (await web.get("/events")).text,
        "options": (await web.get("/options")).text,
        "state": (await web.get("/state")).text,
    }
    (flow,) = json.loads(view["flows"])
    view["body"] = (await web.get(f"/flows/{flow['id']}/request/content.data")).text
    for form in ("curl", "httpie", "raw", "raw_request"):
        path = folder / form
        await web.post("/commands/export.file", json={"arguments": [form, "@all", str(path)]})
        view[form] = path.read_text()
    return view


async def test_nothing_shows_in_what_an_object_says_of_itself(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    """C11."""
    async with inside(rules(idp, api.port), folder=folder) as proxy, proxy.client() as client:
        await client.get(f"http://localhost:{api.port}/a")
        house, addon = proxy.addon.house, proxy.addon
        source = house.policy.sources["idp"]
        told: list[object] = [house.policy, house.policy.config, source, source.spec, source.cached()]
        told += [
            house._supply._cache,
            house._supply._cache._slots,
            addon._wire,
            addon._wire._sealed,
            addon._passages,
        ]
        there = Destination(scheme="https", host="api.test", port=443)
        sealed = Sealed(value=Secret(TOKEN), header="Authorization", destination=there)
        told.append(sealed)
        text = "".join(f"{thing!r}{thing}" for thing in told)

    assert api.tokens == [f"Bearer {TOKEN}1"]
    assert "idp" in text
    assert shown(text, SECRET, TOKEN) == []


async def test_nothing_shows_in_the_traceback_of_a_bug(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    """C11."""
    written: list[str] = []

    async def breaks(spec: SourceSpec, attempts: object) -> Granted:
        body = spec.client_secrets[0].reveal()
        raise RuntimeError(f"{attempts} {spec} {len(body)}")

    async with inside(rules(idp, api.port), folder=folder) as proxy, proxy.client() as client:
        proxy.addon.house.log = Log(lambda line, _: written.append(line))
        proxy.addon.house.policy.sources["idp"]._fetch = breaks
        answer = await client.get(f"http://localhost:{api.port}/a")

    assert answer.json()["reason"] == "internal_error"
    assert "RuntimeError" in "".join(written)
    assert shown("".join(written) + answer.text, SECRET) == []
