"""Section 10: one line for every ruled request and every refusal, one for every change of a token source."""

import asyncio
import json
from pathlib import Path

import pytest

from clientcreds_proxy.observe.log import Log
from tests.proxy.harness import PATIENCE, mitmdump
from tests.proxy.inside import inside
from tests.proxy.lines import dial
from tests.simulators.api import Api, Request
from tests.simulators.authorization_server import AuthorizationServer, Reply

pytestmark = pytest.mark.anyio

FIELDS = ["time", "level", "rule", "token_source", "client", "client_username", "method"]
FIELDS += ["host", "path", "status", "reason", "duration_ms", "token"]


def rules(idp: AuthorizationServer, *ports: int, log: str = "format: json", head: str = "") -> str:
    """`localhost` is ruled; its port 1 is closed."""
    return f"""
version: 1
log: {{{log}}}
{head}
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t, client: {{max_retries: 0}}}}
rules:
  - name: keeps
    match: {{host: localhost, port: {[*ports, 1]}, path: /keeps}}
    token_source: idp
    attach: {{when_present: keep}}
  - name: goes without
    match: {{host: localhost, port: {[*ports, 1]}, path: /without}}
    token_source: idp
    on_token_failure: pass_without_token
  - name: modifies
    match: {{host: localhost, port: {[*ports, 1]}, path: /modifies}}
    modifiers: [{{header.Modifier: {{scope: [request], name: X-A, value: b}}}}]
  - name: api
    match: {{host: localhost, port: {[*ports, 1]}}}
    token_source: idp
"""


async def test_log_has_a_line_with_these_fields_for_each_request(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    api.unauthorized.add("Bearer t1")
    own = {"Authorization": "Bearer own"}
    at = f"http://localhost:{api.port}"

    async with mitmdump(rules(idp, api.port), folder=folder) as proxy, proxy.client() as client:
        await client.get(f"{at}/keeps?secret=x", headers=own)
        await client.get(f"{at}/modifies")
        await client.get(f"{at}/first")
        await client.post(f"{at}/second")
        await client.request("TRACE", f"{at}/third?a=b")
        await client.get("http://localhost:1/closed")
        lines = await proxy.logged(6)

    assert all(list(line) == FIELDS for line in lines)
    assert [
        (line["rule"], line["method"], line["path"], line["status"], line["token"]) for line in lines
    ] == [
        ("keeps", "GET", "/keeps", 200, "kept"),
        ("modifies", "GET", "/modifies", 200, "none"),
        ("api", "GET", "/first", 200, "retried"),
        ("api", "POST", "/second", 200, "cached"),
        ("api", "TRACE", "/third", 405, "none"),
        ("api", "GET", "/closed", 502, "cached"),
    ]
    assert [line["token_source"] for line in lines] == ["idp", "-", "idp", "idp", "idp", "idp"]
    assert [line["reason"] for line in lines[:5]] == ["-", "-", "-", "-", "method_refused"]
    assert lines[5]["reason"] not in ("-", "")
    assert all((line["client"], line["client_username"]) == ("127.0.0.1", "-") for line in lines)
    assert all(line["host"] == "localhost" and isinstance(line["duration_ms"], int) for line in lines)
    assert [line["level"] for line in lines] == ["info"] * 5 + ["warning"]
    assert "secret=x" not in "".join(text for text in proxy.lines if text.startswith("{"))


async def test_log_is_the_same_as_text(idp: AuthorizationServer, api: Api, folder: Path) -> None:
    log = rules(idp, api.port, log="format: text")

    async with mitmdump(log, folder=folder) as proxy, proxy.client() as client:
        await client.get(f"http://localhost:{api.port}/a?b=c")
        await proxy.said("rule=api")

    (line,) = [line for line in proxy.lines if "rule=api" in line]
    assert [field.partition("=")[0] for field in line.split(" ")] == FIELDS
    assert " path=/a status=200 reason=- " in line
    assert line.endswith(" token=fetched")


async def test_log_tells_of_refused_tunnels_and_broken_exchanges(
    idp: AuthorizationServer, api: Api, tls_api: Api, folder: Path
) -> None:
    text = rules(idp, api.port, tls_api.port, head="unmatched: block")
    secure, here = f"localhost:{tls_api.port}", f"localhost:{api.port}"
    asked = asyncio.Event()

    async def hold(_: Request, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()

    api.answer = hold
    async with mitmdump(text, "--set", "connection_strategy=lazy", folder=folder) as proxy:
        async with dial(proxy.port) as line:
            await line.connect("elsewhere.test:443")
        await proxy.logged(1)
        async with dial(proxy.port) as line:
            await line.connect(secure)
            await line.tls(proxy.ca, "localhost")
            unverified = await line.get("/tls", secure)
        await proxy.logged(2)
        async with dial(proxy.port) as line:
            line.writer.write(f"GET http://{here}/left HTTP/1.1\r\nHost: {here}\r\n\r\n".encode())
            await asyncio.wait_for(asked.wait(), PATIENCE)
        tunnel, tls, left = await proxy.logged(3)

    assert unverified.status == 502
    assert (tunnel["method"], tunnel["host"], tunnel["path"]) == ("CONNECT", "elsewhere.test:443", "-")
    assert (tunnel["status"], tunnel["reason"], tunnel["rule"], tunnel["token"]) == (
        403,
        "no_rule",
        "-",
        "none",
    )
    assert (tls["path"], tls["status"], tls["token"]) == ("/tls", 502, "fetched")
    assert "ertificate verify failed" in str(tls["reason"])
    assert (left["path"], left["status"]) == ("/left", "-")
    assert "disconnected" in str(left["reason"])


async def test_log_tells_of_a_client_that_leaves_while_it_waits_for_a_token(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    here = f"localhost:{api.port}"
    idp.silent = True
    written: list[str] = []

    async with inside(rules(idp, api.port), folder=folder) as proxy:
        proxy.addon.house.log = Log(lambda line, _: written.append(line), form="json")
        async with dial(proxy.port) as client:
            client.writer.write(f"GET http://{here}/left HTTP/1.1\r\nHost: {here}\r\n\r\n".encode())
            async with asyncio.timeout(PATIENCE):
                while not idp.seen:  # noqa: ASYNC110 - a server in this loop
                    await asyncio.sleep(0.01)
        known = proxy.addon._passages
        async with asyncio.timeout(PATIENCE):
            while known._by_flow:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
        sealed = proxy.addon._wire._sealed

    (line,) = [json.loads(text) for text in written if "/left" in text]
    assert (line["status"], line["reason"], line["token"]) == (504, "token_timeout", "none")
    assert api.connections == 0
    assert sealed == {}


async def test_log_tells_of_changes_of_a_token_source(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    description = "not today\x07 " + "x" * 300
    body = json.dumps({"error": "invalid_scope", "error_description": description}).encode()
    idp.replies = [Reply(status=400, body=body)]

    async with mitmdump(rules(idp, api.port), folder=folder) as proxy, proxy.client() as client:
        at = f"http://localhost:{api.port}"
        without = await client.get(f"{at}/without")
        refused = [await client.get(f"{at}/a") for _ in range(3)]
        lines = await proxy.logged(4)

    told = [json.loads(line) for line in proxy.lines if "invalid_scope" in line]
    (change,) = [line for line in told if "status" not in line]
    assert change["level"] == "warning"
    assert (change["token_source"], change["reason"]) == ("idp", "token_rejected")
    assert change["error"] == "invalid_scope"
    assert change["error_description"].startswith("not today")
    assert len(change["error_description"]) <= 200
    assert change["error_description"].isprintable()
    assert without.status_code == 200
    assert [(line["reason"], line["status"]) for line in lines] == [("token_rejected", 200)] + [
        ("token_backoff", 503)
    ] * 3
    assert all("not today" not in answer.text for answer in refused)
    assert api.tokens == [None]


@pytest.mark.parametrize(
    ("log", "options", "shown"),
    [
        ("format: json, level: warning", (), ["/refused"]),
        ("format: json, level: error", (), []),
        ("format: json", ("-q",), []),
    ],
)
async def test_log_shows_what_its_level_lets_through(
    idp: AuthorizationServer, api: Api, folder: Path, *, log: str, options: tuple[str, ...], shown: list[str]
) -> None:
    at = None if "-q" in options else "127.0.0.1"

    async with mitmdump(rules(idp, api.port, log=log), *options, folder=folder, listens_at=at) as proxy:
        if at is None:
            await reachable(proxy.port)
        async with proxy.client() as client:
            await client.get(f"http://localhost:{api.port}/served")
            await client.get("http://localhost:1/refused")

    assert [line["path"] for line in proxy.access()] == shown
    if at is None:
        assert proxy.lines == []


async def reachable(port: int) -> None:
    """Wait until somebody listens."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


@pytest.mark.parametrize(
    ("options", "printed"), [((), {"ruled"}), (("--set", "dumper_filter=~u else"), {"elsewhere"})]
)
async def test_mitmdump_prints_ruled_flows_unless_the_user_chose_others(
    idp: AuthorizationServer, api: Api, folder: Path, *, options: tuple[str, ...], printed: set[str]
) -> None:
    async with mitmdump(rules(idp, api.port), *options, folder=folder) as proxy, proxy.client() as client:
        await client.get(f"http://localhost:{api.port}/ruled")
        await client.get(f"http://127.0.0.1:{api.port}/elsewhere")
        await proxy.said(f"/{next(iter(printed))}", times=1)

    dumped = [line for line in proxy.lines if f":{api.port}/" in line and not line.startswith("{")]
    assert {name for name in ("ruled", "elsewhere") for line in dumped if f"/{name}" in line} == printed


async def test_nothing_is_left_of_requests_that_are_over(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    async def answer(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match request.target:
            case "/cut":
                writer.close()
            case "/hold":
                held.set()
                await reader.read()
            case "/upgrade":
                writer.write(
                    b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
                )
            case _:
                status = 401 if request.target == "/401" else 200
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())

    api.answer = answer
    here = f"localhost:{api.port}"
    async with inside(rules(idp, api.port), folder=folder) as proxy, proxy.client() as client:
        for _ in range(20):
            held = asyncio.Event()
            for path in ("/a", "/a", "/a", "/401", "/keeps", "/cut", "/a//b"):
                await client.get(f"http://{here}{path}")
            await client.request("TRACE", f"http://{here}/a")
            async with dial(proxy.port) as line:
                upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                upgrade += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                await line.ask(f"GET http://{here}/upgrade HTTP/1.1\r\nHost: {here}\r\n{upgrade}\r\n")
            async with dial(proxy.port) as line:
                line.writer.write(f"GET http://{here}/hold HTTP/1.1\r\nHost: {here}\r\n\r\n".encode())
                await asyncio.wait_for(held.wait(), PATIENCE)
        addon = proxy.addon
        async with asyncio.timeout(PATIENCE):
            while addon._passages._by_flow:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
        left = (dict(addon._wire._sealed), set(addon._wire._written), dict(addon._guard._expected))

    assert len(api.seen) >= 20 * 8
    assert left == ({}, set(), {})
