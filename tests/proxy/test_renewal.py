"""Section 4: a source in use never makes a request wait; many first requests ask for one token."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.proxy.harness import ROOT, mitmdump
from tests.proxy.load import steady
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer, Reply

pytestmark = [pytest.mark.anyio, pytest.mark.alone]


def rules(idp: AuthorizationServer, api: Api, extra: str = "") -> str:
    return f"""
version: 1
log: {{format: json}}
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t{extra}}}
rules:
  - {{name: api, match: {{host: localhost, port: {api.port}}}, token_source: idp}}
"""


async def test_no_request_waits_when_a_short_token_is_in_steady_use(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    idp.expires_in = 3
    idp.wait_seconds = 0.8

    async with mitmdump(rules(idp, api), folder=folder) as proxy:
        load = await steady(proxy, f"http://localhost:{api.port}/a", seconds=10, per_second=50)

    assert load.failed == 0
    assert load.waited == 0
    assert 6 <= len(idp.seen) <= 11  # one every 1.2 to 1.5 s
    assert len(set(api.tokens)) in {len(idp.seen), len(idp.seen) - 1}  # the last may be on its way


async def test_requests_go_on_with_a_valid_token_when_its_renewal_fails(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    idp.expires_in = 5

    async with mitmdump(rules(idp, api, ", client: {max_retries: 0}"), folder=folder) as proxy:
        async with proxy.client() as client:
            await client.get(f"http://localhost:{api.port}/a")
        idp.replies = [Reply(status=500)]  # to the first renewal, half-way; the next try is a second later
        load = await steady(proxy, f"http://localhost:{api.port}/a", seconds=4, per_second=20)

    assert load.failed == 0
    assert load.waited == 0
    assert idp.replies == []
    assert set(api.tokens) == {"Bearer t1", "Bearer t3"}


async def test_two_hundred_first_requests_ask_for_one_token(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    idp.wait_seconds = 0.5
    url = f"http://localhost:{api.port}/a"

    async with mitmdump(rules(idp, api), folder=folder) as proxy, proxy.client() as client:
        client.timeout = 30
        answers = await asyncio.gather(*(client.get(url) for _ in range(200)))
        lines = await proxy.logged(200)

    assert {answer.status_code for answer in answers} == {200}
    assert api.tokens == ["Bearer t1"] * 200
    assert len(idp.seen) == 1
    assert {line["token"] for line in lines} <= {"fetched", "cached"}


async def test_client_that_leaves_does_not_end_the_token_request(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    idp.wait_seconds = 0.5
    url = f"http://localhost:{api.port}/a"

    async with mitmdump(rules(idp, api), folder=folder) as proxy, proxy.client() as client:
        leaving = asyncio.ensure_future(client.get(url))
        while not idp.seen:  # noqa: ASYNC110 - the simulator tells nobody
            await asyncio.sleep(0.01)
        staying = asyncio.ensure_future(client.get(url))
        leaving.cancel()
        answer = await staying
        lines = await proxy.logged(2)

    assert answer.status_code == 200
    assert api.tokens == ["Bearer t1"]
    assert len(idp.seen) == 1
    assert sorted(str(line["status"]) for line in lines) == ["-", "200"]


async def test_soak_says_how_the_requests_fared() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        ROOT / "scripts" / "soak.py",
        *("--seconds", "1", "--lifetime", "1"),
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()

    assert process.returncode == 0, printed.decode()
    assert b"0 requests waited for a token" in printed
    assert b"slowest request: " in printed
