"""Section 2: a good change takes effect for the next request, a bad one leaves the old rules running."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.proxy.harness import Proxy, mitmdump
from tests.proxy.lines import Line, dial
from tests.simulators.api import Api, Request
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio

IN_FORCE = "the rules are those of"
STAYS = "the old rules stay in force"


@dataclass(slots=True, kw_only=True)
class Stage:
    """A proxy, its file, and one connection that is kept all the time."""

    path: Path
    idp: AuthorizationServer
    api: Api
    proxy: Proxy
    line: Line

    async def write(self, text: str, *, said: str = IN_FORCE) -> None:
        """Put this into the file, and wait until the proxy has something to say about it: within 2 s."""
        await self.change(lambda: write(self.path, text), said=said)

    async def change(self, change: Callable[[], None], *, said: str = IN_FORCE) -> None:
        """Change something, and wait until the proxy has something to say about it: within 2 s."""
        before, started = self.proxy.output.count(said), time.monotonic()
        change()
        await self.proxy.said(said, times=before + 1)
        assert time.monotonic() - started < 3  # and a second for a busy machine

    async def get(self, path: str = "/a") -> int:
        """The status of a request on the kept connection."""
        return (
            await self.line.get(f"http://localhost:{self.api.port}{path}", f"localhost:{self.api.port}")
        ).status

    def rules(self, *rules: str, head: str = "", secret: str = "s3cr3t") -> str:
        """A file with these rules; `{port}` in them is the API's."""
        own = f'token_url: "{self.idp.token_url}", client_id: app, client_secret: "{secret}"'
        lines = "".join(f"  - {{{rule.format(port=self.api.port)}}}\n" for rule in rules)
        return (
            f"version: 1\nlog: {{format: json}}\n{head}"
            f"token_sources:\n  idp: {{{own}}}\nrules:\n{lines or '  []'}\n"
        )


ONE = "name: one, match: {{host: localhost, port: {port}}}, token_source: idp"
NAMED = "name: one, match: {{host: localhost, port: {port}}}, token_source: idp, attach: {{header: X-Token}}"


@asynccontextmanager
async def staged(
    path: Path, idp: AuthorizationServer, api: Api, folder: Path, *, head: str = ""
) -> AsyncIterator[Stage]:
    stage = Stage(path=path, idp=idp, api=api, proxy=None, line=None)  # type: ignore[arg-type]
    write(path, stage.rules(ONE, head=head))
    async with mitmdump(path, folder=folder) as stage.proxy, dial(stage.proxy.port) as stage.line:
        yield stage
        assert stage.line.reader.at_eof() is False


@pytest.fixture
async def stage(idp: AuthorizationServer, api: Api, folder: Path) -> AsyncIterator[Stage]:
    async with staged(folder / "rules.yaml", idp, api, folder) as stage:
        yield stage


async def test_changed_rule_holds_for_the_next_request_on_a_kept_connection(stage: Stage) -> None:
    before = await stage.get()
    await stage.write(stage.rules(NAMED))
    after = await stage.get()

    assert (before, after) == (200, 200)
    assert [request.one("authorization") for request in stage.api.seen] == ["Bearer t1", None]
    assert [request.one("x-token") for request in stage.api.seen] == [None, "Bearer t1"]  # the token survives
    assert len(stage.idp.seen) == 1


async def test_request_in_flight_ends_under_the_rules_it_began_with(stage: Stage) -> None:
    reached, let = asyncio.Event(), asyncio.Event()

    async def hold(request: Request, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if request.one("authorization") == "Bearer t1":
            reached.set()
            await let.wait()
            writer.write(b"HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n")

    stage.api.answer = hold
    flying = asyncio.ensure_future(stage.get())
    await reached.wait()
    await stage.write(stage.rules(NAMED))
    let.set()

    assert await flying == 200
    assert stage.api.tokens == ["Bearer t1", "Bearer t2"]


@pytest.mark.parametrize("bad", ["version: 1\nrules: [{nmae: x}]\n", "version: [\n", "", "\x00"])
async def test_bad_change_leaves_the_old_rules_running(stage: Stage, bad: str) -> None:
    await stage.write(bad, said=STAYS)
    during = await stage.get()
    await stage.write(stage.rules(NAMED))
    after = await stage.get()

    assert (during, after) == (200, 200)
    assert stage.api.tokens == ["Bearer t1", None]
    assert f"{stage.path}:" in stage.proxy.output  # where the mistake is


async def test_change_is_seen_that_keeps_size_and_mtime(stage: Stage) -> None:
    before = stage.path.stat()
    text = stage.path.read_text()

    def copy() -> None:
        stage.path.write_text(text.replace("name: one", "name: two"))
        os.utime(stage.path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as `cp -p` and `rsync -t` do

    await stage.change(copy)

    assert stage.path.stat().st_size == before.st_size


async def test_file_that_is_gone_leaves_the_old_rules_running(stage: Stage) -> None:
    await stage.change(stage.path.unlink, said=STAYS)
    during = await stage.get()
    await stage.write(stage.rules(NAMED))

    assert during == 200
    assert await stage.get() == 200
    assert stage.api.tokens == ["Bearer t1", None]


async def test_changed_secret_gets_a_token_of_its_own(stage: Stage) -> None:
    await stage.get()
    stage.idp.client_secret = "another"
    await stage.write(stage.rules(ONE, secret="another"))
    await stage.get()

    assert stage.api.tokens == ["Bearer t1", "Bearer t2"]


async def test_remembered_failure_is_forgotten_when_the_configuration_changes(stage: Stage) -> None:
    stage.idp.client_secret = "another"
    refused = [await stage.get(), await stage.get()]
    await stage.write(stage.rules(ONE, secret="another"))

    assert refused == [502, 503]
    assert await stage.get() == 200


async def test_rule_that_is_gone_attaches_no_more(stage: Stage) -> None:
    await stage.get()
    await stage.write(stage.rules())

    assert await stage.get() == 200
    assert stage.api.tokens == ["Bearer t1", None]


async def test_included_files_come_and_go(idp: AuthorizationServer, api: Api, folder: Path) -> None:
    (folder / "team").mkdir()
    own = folder / "team" / "own.yaml"
    async with staged(folder / "rules.yaml", idp, api, folder, head="include: [team/*.yaml]\n") as stage:
        text = stage.rules(
            "name: one, match: {{host: localhost, port: {port}, path: /a}}, token_source: idp",
            head="include: [team/*.yaml]\n",
        )
        await stage.write(text)
        await stage.get("/own")
        rule = "version: 1\nrules:\n  - name: own\n    token_source: idp\n    match: "
        rule += f"{{host: localhost, port: {api.port}, path: /own}}\n"
        await stage.change(lambda: write(own, rule))
        await stage.get("/own")
        await stage.change(lambda: write(own, rule + "    attach: {scheme: Token}\n"))
        await stage.get("/own")
        await stage.change(own.unlink)
        await stage.get("/own")

    assert api.tokens == [None, "Bearer t1", "Token t1", None]


async def test_kubernetes_swaps_a_link_and_the_new_rules_hold(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    """A mounted ConfigMap: rules.yaml -> ..data/rules.yaml, and ..data -> a folder of the moment."""
    mounted = folder / "mounted"
    for moment in ("..one", "..two"):
        (mounted / moment).mkdir(parents=True)
    (mounted / "..data").symlink_to("..one")
    path = mounted / "rules.yaml"
    path.symlink_to("..data/rules.yaml")

    async with staged(path, idp, api, folder) as stage:
        await stage.get()
        (mounted / "..two" / "rules.yaml").write_text(stage.rules(NAMED))

        def swap() -> None:
            (mounted / "..data_tmp").symlink_to("..two")
            (mounted / "..data_tmp").rename(mounted / "..data")

        await stage.change(swap)
        await stage.get()

    assert api.tokens == ["Bearer t1", None]


async def test_proxy_reloads_many_times_without_losing_a_request(stage: Stage) -> None:
    over = asyncio.Event()
    statuses: list[int] = []

    async def go_on() -> None:
        while not over.is_set():
            statuses.append(await stage.get())

    going = asyncio.ensure_future(go_on())
    for rule in (NAMED, ONE, NAMED):
        await stage.write(stage.rules(rule))
    over.set()
    await going

    assert set(statuses) == {200}
    assert len(stage.idp.seen) == 1


def write(path: Path, text: str) -> None:
    """Another file takes the place of this one at once; a link stays, and what it leads to is exchanged."""
    target = path.resolve()
    fresh = target.with_name(target.name + ".new")
    fresh.write_text(text)
    fresh.rename(target)
