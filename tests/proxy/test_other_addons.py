"""Section 3.7: what another addon does after us can't lead a token away."""

from asyncio import StreamReader, StreamWriter
from pathlib import Path

import pytest

from tests.proxy.harness import mitmdump
from tests.proxy.lines import dial
from tests.simulators.api import Api, Request
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio

OTHER = ("-s", str(Path(__file__).with_name("other_addon.py")))
LARGE = 2 * 1024 * 1024  # bytes: such a body streams


def rules(idp: AuthorizationServer, port: int) -> str:
    """`localhost` is ruled on this port, `127.0.0.1` is not."""
    return f"""
version: 1
log: {{format: json}}
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - name: api
    match: {{host: localhost, port: {port}}}
    token_source: idp
"""


async def test_request_that_another_addon_leads_away_is_refused(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    here = f"localhost:{api.port}"

    async with Api().running() as evil:
        environ = {"ELSEWHERE": str(evil.port)}
        mapped = ("--set", f"map_remote=|http://{here}/mapped|http://127.0.0.1:{evil.port}/mapped")
        async with (
            mitmdump(rules(idp, api.port), *OTHER, *mapped, folder=folder, environ=environ) as proxy,
            dial(proxy.port) as line,
        ):
            answers = {
                path: await line.get(f"http://{here}/{path}", here)
                for path in ("mapped", "headers-host", "request-host", "host-header", "stream/headers-host")
            }

    assert {path: (answer.status, answer.reason) for path, answer in answers.items()} == dict.fromkeys(
        answers, (421, "destination_mismatch")
    )
    assert "another addon" in str(answers["mapped"].problem["detail"])
    assert evil.seen == []
    assert api.seen == []


async def test_upload_that_streams_goes_where_its_token_belongs(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    here = f"localhost:{api.port}"

    async def take(request: Request, reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readexactly(LARGE)
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n")

    api.answer = take
    async with Api().running() as evil:
        environ = {"ELSEWHERE": str(evil.port)}
        mapped = ("--set", f"map_remote=|http://{here}/mapped|http://127.0.0.1:{evil.port}/mapped")
        async with (
            mitmdump(rules(idp, api.port), *OTHER, *mapped, folder=folder, environ=environ) as proxy,
            dial(proxy.port) as line,
        ):
            for path in ("mapped", "request-host"):
                head = f"PUT http://{here}/{path} HTTP/1.1\r\nHost: {here}\r\nContent-Length: {LARGE}\r\n\r\n"
                await line.ask(head.encode() + bytes(LARGE))

    assert api.tokens == ["Bearer t1"] * 2
    assert evil.seen == []


async def test_token_is_taken_out_at_the_wire_when_nothing_else_can_stop_it(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    here = f"localhost:{api.port}"

    async with Api().running() as evil:
        environ = {"ELSEWHERE": str(evil.port)}
        async with (
            mitmdump(rules(idp, api.port), *OTHER, folder=folder, environ=environ) as proxy,
            dial(proxy.port) as line,
        ):
            head = f"POST http://{here}/late HTTP/1.1\r\nHost: {here}\r\nContent-Length: 4\r\n\r\n"
            line.writer.write(head.encode())
            await proxy.said("token fetched")
            await line.ask("body")

    for request in evil.seen + api.seen:
        assert b"placeholder" not in request.head
    assert not any(request.all("authorization") for request in evil.seen)


async def test_connection_that_another_addon_leads_away_carries_no_token(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    here = f"localhost:{api.port}"

    async with Api().running() as evil:
        environ = {"ELSEWHERE": str(evil.port), "REDIRECT": "yes"}
        async with mitmdump(rules(idp, api.port), *OTHER, folder=folder, environ=environ) as proxy:
            async with dial(proxy.port) as line:
                answer = await line.get(f"http://{here}/a", here)
            async with dial(proxy.port) as line:
                other = await line.get(f"http://127.0.0.1:{api.port}/a", f"127.0.0.1:{api.port}")

    assert answer.status == 502
    assert other.status == 200
    assert [request.all("authorization") for request in evil.seen] == [[]]


async def test_header_that_another_addon_sets_stays_in_its_place(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    here = f"localhost:{api.port}"
    modify = ("--set", "modify_headers=|~u /modified|Authorization|own")

    async with (
        mitmdump(rules(idp, api.port), *OTHER, *modify, folder=folder) as proxy,
        dial(proxy.port) as line,
    ):
        await line.get(f"http://{here}/modified", here)
        await line.get(f"http://{here}/copy", here)
        await line.get(f"http://{here}/raise", here)
        answered = await line.get(f"http://{here}/stream/answer", here)

    modified, copied, raised = api.seen
    assert modified.all("authorization") == ["own"]
    assert copied.all("authorization") == ["Bearer t1"]
    assert copied.all("x-copy") == []
    assert raised.all("authorization") == ["Bearer t1"]
    assert (answered.status, answered.body) == (218, b"mine")
