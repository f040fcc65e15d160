import asyncio
import logging
from pathlib import Path

import pytest
from mitmproxy import exceptions, http
from mitmproxy.log import LogEntry

from tests.proxy.harness import PATIENCE, mitmdump
from tests.proxy.inside import inside
from tests.proxy.test_first_request import rules
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio
FAST = "clientcreds_fast_dispatch=true"


class Chatty:
    """An addon that notes its hooks, and raises where it is told to."""

    def __init__(self, name: str, notes: list[str], raises: Exception | None = None) -> None:
        self.name = name
        self._notes = notes
        self._raises = raises

    async def request(self, flow: http.HTTPFlow) -> None:
        self._notes.append(f"{self.name} {flow.request.path}")
        if self._raises is not None:
            raise self._raises


async def test_fast_dispatch_attaches_tokens(idp: AuthorizationServer, api: Api, folder: Path) -> None:
    async with (
        mitmdump(rules(idp, api.port), "--set", FAST, folder=folder) as proxy,
        proxy.client() as client,
    ):
        answers = [await client.get(f"http://localhost:{api.port}/") for _ in range(3)]
        lines = await proxy.logged(3)

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert api.tokens == ["Bearer t1"] * 3
    assert [line["token"] for line in lines] == ["fetched", "cached", "cached"]
    assert "Streaming" not in proxy.output


async def test_fast_dispatch_goes_on_after_an_exception_and_ends_at_a_halt(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    notes: list[str] = []
    others = (
        Chatty("first", notes, ValueError("made up")),
        Chatty("second", notes, exceptions.AddonHalt()),
        Chatty("third", notes),
    )

    async with inside(
        rules(idp, api.port), *others, folder=folder, clientcreds_fast_dispatch="true"
    ) as proxy:
        async with proxy.client() as client:
            answer = await client.get(f"http://localhost:{api.port}/a")
        proxy.master.addons.remove(others[1])
        async with proxy.client() as client:
            await client.get(f"http://localhost:{api.port}/b")

    assert answer.status_code == 200
    assert notes == ["first /a", "second /a", "first /b", "third /b"]


async def test_fast_dispatch_wakes_an_addon_whose_option_is_set(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    async with (
        inside(rules(idp, api.port), folder=folder, clientcreds_fast_dispatch="true") as proxy,
        proxy.client() as client,
    ):
        for header in ([], ["/X-Added/yes"], []):
            proxy.master.options.update(modify_headers=header)
            await client.get(f"http://localhost:{api.port}/")

    assert [request.one("x-added") for request in api.seen] == [None, "yes", None]


async def test_addons_read_the_log_without_what_says_nothing(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    lines: asyncio.Queue[str] = asyncio.Queue()

    class Reader:
        def add_log(self, entry: LogEntry) -> None:
            if "Streaming" in entry.msg:
                lines.put_nowait(entry.msg)

    log = logging.getLogger("mitmproxy.proxy.server")
    async with inside(rules(idp, api.port), folder=folder, clientcreds_fast_dispatch="true") as proxy:
        proxy.master.addons.add(Reader())
        log.warning("Streaming response from here.")
        proxy.master.options.update(stream_large_bodies="1m")
        log.warning("Streaming response from there.")
        first = await asyncio.wait_for(lines.get(), PATIENCE)

    assert first.endswith("Streaming response from there.")


async def test_fast_dispatch_takes_true_or_false_only(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    with pytest.raises(AssertionError, match="clientcreds_fast_dispatch=maybe: expected true or false"):
        async with mitmdump(rules(idp, api.port), "--set", "clientcreds_fast_dispatch=maybe", folder=folder):
            pass
