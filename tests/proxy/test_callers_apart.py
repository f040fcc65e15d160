"""Section 5: whatever two callers do at once, each gets its own token; and a reload takes nobody's."""

import asyncio
import base64
import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.proxy.harness import PATIENCE, mitmdump
from tests.proxy.lines import Line, dial
from tests.simulators.api import Api, Request
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio

CALLERS = {"alice": "a+s%", "bob": "b:c"}
REQUESTS = 2_000  # 10,000 take 30 s; those are interleaved without a proxy in tests/unit/tokens
LINES = 8  # connections at a time


def basic(client_id: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{CALLERS[client_id]}".encode()).decode()


async def echo(request: Request, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with whose request it is, and whose token came with it."""
    said = f"{request.one('x-caller')} {request.one('authorization')}".encode()
    writer.write(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))


def ask(here: str, caller: str, place: str) -> str:
    lines = [
        f"GET http://{here}/ HTTP/1.1",
        f"Host: {here}",
        f"X-Caller: {caller}",
        f"{place}: {basic(caller)}",
    ]
    return "\r\n".join(lines) + "\r\n\r\n"


async def alternate(line: Line, here: str, count: int) -> list[str]:
    """What was said to so many requests of one connection, which belong to both callers in turn."""
    said = []
    for number in range(count):
        caller = ("alice", "bob")[number % 2]
        place = ("Authorization", "Proxy-Authorization")[number // 2 % 2]
        said.append((await line.ask(ask(here, caller, place))).body.decode())
    return said


async def test_two_callers_never_see_each_other_s_token(folder: Path) -> None:
    """Requests that interleave, on connections that both share, while tokens end all the time."""
    async with (
        AuthorizationServer(clients=CALLERS, expires_in=1).running() as idp,
        Api(answer=echo).running() as api,
    ):
        config = f"""
version: 1
log: {{level: error}}
status: null
token_sources:
  sso: {{token_url: "{idp.token_url}", caller: {{from: [proxy_authorization, header]}}}}
rules:
  - {{name: one, match: {{host: localhost, port: {api.port}}}, token_source: sso}}
"""
        here = f"localhost:{api.port}"
        async with (
            mitmdump(config, "--set", "flow_detail=0", folder=folder, command="serve") as proxy,
            AsyncExitStack() as lines,
        ):
            dialled = [await lines.enter_async_context(dial(proxy.port)) for _ in range(LINES)]
            said = await asyncio.gather(*(alternate(line, here, REQUESTS // LINES) for line in dialled))

    for of_line in said:
        own = [re.fullmatch(r"(alice|bob) Bearer \1-\d+", each) for each in of_line]
        assert all(own), next(each for each, is_own in zip(of_line, own, strict=True) if not is_own)
    assert sum(map(len, said)) == REQUESTS
    assert len(idp.seen) > 3  # the tokens lived for a second


async def test_reload_keeps_the_tokens_of_callers_whose_source_stays(folder: Path) -> None:
    """Section 2. A change also pardons callers that were refused."""

    def config(*, expiry: str, rule: str) -> str:
        return f"""
version: 1
log: {{format: json}}
status: null
token_sources:
  stays: {{token_url: "{idp.token_url}", caller: {{}}}}
  changes: {{token_url: "{idp.token_url}", caller: {{}}, expiry: {{skew_seconds: {expiry}}}}}
rules:
  - {{name: {rule}, match: {{host: localhost, port: {api.port}, path: /stays}}, token_source: stays}}
  - {{name: two, match: {{host: localhost, port: {api.port}, path: /changes}}, token_source: changes}}
"""

    async with AuthorizationServer(clients=CALLERS).running() as idp, Api(answer=echo).running() as api:
        path = folder / "rules.yaml"
        path.write_text(config(expiry="1", rule="one"))
        here = f"localhost:{api.port}"

        async def statuses(line: Line) -> list[int]:
            wrong = "Basic " + base64.b64encode(b"alice:wrong").decode()
            return [
                (await line.get(f"http://{here}{path}", here, "X-Caller: x", f"Authorization: {who}")).status
                for path in ("/stays", "/changes")
                for who in (basic("alice"), basic("bob"), wrong)
            ]

        async with mitmdump(path, folder=folder) as proxy, dial(proxy.port) as line:
            before, asked = await statuses(line), len(idp.seen)
            path.write_text(config(expiry="2", rule="other"))
            await proxy.said("the rules are those of", times=2)
            after, lines = await statuses(line), await proxy.logged(12)

    assert before == after == [200, 200, 401] * 2
    # two callers of two sources, and a wrong one by two ways at each; then all but those that are kept
    assert (asked, len(idp.seen) - asked) == (8, 6)
    assert [line["token"] for line in lines[6:9]] == ["cached", "cached", "none"]


async def test_proxyauth_and_proxy_credentials_exclude_each_other(folder: Path) -> None:
    """Section 5: at start, and where a change brings the two together."""
    config = """
version: 1
status: null
token_sources:
  sso: {token_url: "https://idp.example.com/token", caller: {from: [header%s]}}
rules: []
"""
    login = ("--set", "proxyauth=alice:secret")
    path = folder / "rules.yaml"
    path.write_text(config % ", proxy_authorization")
    async with mitmdump(path, *login, folder=folder, listens_at=None) as refused:
        code = await asyncio.wait_for(refused.process.wait(), PATIENCE)
        await refused.said(
            "proxyauth can't be used beside token_sources.sso.caller.from: proxy_authorization"
        )
    path.write_text(config % "")
    async with mitmdump(path, *login, folder=folder) as proxy:
        path.write_text(config % ", proxy_authorization")
        await proxy.said("proxyauth can't be used beside token_sources.sso.caller.from")
        await proxy.said("the old rules stay in force")

    assert code == 1
    assert "secret" not in refused.output
