"""`scripts/demo`: what the proxy is for, in four requests that anybody can repeat."""

import argparse
import json
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from clientcreds_proxy.demo import servers as demo
from clientcreds_proxy.demo.ending import run
from clientcreds_proxy.demo.mitmdump import Mitmdump, ProxyStartError, mitmdump
from clientcreds_proxy.demo.page import Page
from clientcreds_proxy.demo.request import Answer, NoAnswerError, Request, send

CALLS = 10


class UnexpectedAnswerError(Exception):
    """An answer was not what the demo promises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The three programs, and where each of them listens."""

    urls: demo.Servers
    proxy: str
    mitmdump: Mitmdump
    config: Path

    @property
    def orders(self) -> str:
        """What every request of the demo asks for."""
        return f"{self.urls.api}/orders"


@asynccontextmanager
async def stage(*, echo: bool) -> AsyncIterator[Stage]:
    """Everything running, on the ports of config/demo.yaml where they are free."""
    with TemporaryDirectory(prefix="clientcreds-demo-") as directory:
        async with demo.servers(
            authorization_server_port=free(demo.AUTHORIZATION_SERVER_PORT), api_port=free(demo.API_PORT)
        ) as urls:
            config = config_for(urls, Path(directory))
            # A folder of mitmproxy's own: the user's settings there don't count, no CA is left.
            async with mitmdump(
                demo.SCRIPT, config, confdir=Path(directory), port=free(demo.PROXY_PORT), echo=echo
            ) as proxy:
                address = f"http://127.0.0.1:{await proxy.port}"
                yield Stage(urls=urls, proxy=address, mitmdump=proxy, config=config)


def free(port: int) -> int:
    """The port, or 0 (any) where somebody has it already."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


def config_for(urls: demo.Servers, directory: Path) -> Path:
    """config/demo.yaml itself; where other ports had to be taken, a copy in `directory` that names them."""
    places = {
        f"127.0.0.1:{demo.AUTHORIZATION_SERVER_PORT}": urls.authorization_server.removeprefix("http://"),
        f"port: {demo.API_PORT}": f"port: {urls.api.rpartition(':')[2]}",
    }
    if all(before == after for before, after in places.items()):
        return demo.CONFIG
    text = demo.CONFIG.read_text()
    for before, after in places.items():
        text = text.replace(before, after)
    shutil.copy(demo.SECRET_FILE, directory)
    config = directory / demo.CONFIG.name
    config.write_text(text)
    return config


async def show(page: Page, on: Stage) -> None:
    """Play the four scenes; the first answer that is not as promised ends it with `UnexpectedAnswerError`."""
    page.scene("Without the proxy: the API wants a token, and curl has none.")
    answer = await ask(page, Request(url=on.orders))
    expect(page, "status", answer.status, 401)

    page.scene("The same request through the proxy, which fetches a token and puts it in.")
    answer = await ask(page, Request(url=on.orders, proxy=on.proxy))
    expect(page, "status", answer.status, 200)
    seen = read(answer)
    expect(page, "the client that the API saw in the token", seen["claims"]["sub"], demo.CLIENT_ID)
    expect(
        page,
        "the Accept header, which curl sent as */* and the rule changed",
        seen["accept"],
        "application/json",
    )

    page.scene(f"{CALLS} calls in all, one token: the proxy keeps it until shortly before it expires.")
    again = Request(url=on.orders, proxy=on.proxy)
    status = "curl -s -o /dev/null -w '%{http_code} '"
    page.command(f"for call in $(seq 2 {CALLS}); do {status} --proxy {on.proxy} {on.orders}; done")
    statuses = [(await send(again)).status for _ in range(2, CALLS + 1)]
    page.text(" ".join(str(status) for status in statuses))
    expect(page, "every status", set(statuses), {200})
    answer = await ask(page, Request(url=f"{on.urls.authorization_server}/stats"))
    expect(page, "token requests that the authorization server counted", read(answer)["token_requests"], 1)

    page.scene("A Host header that names another server than the connection goes to: no token leaves.")
    spoofed = Request(url=on.orders, proxy=on.proxy, headers=(("Host", "elsewhere.example"),))
    answer = await ask(page, spoofed)
    expect(page, "status", answer.status, 421)
    expect(page, "content type", answer.headers.get_content_type(), "application/problem+json")
    expect(page, "reason", read(answer)["reason"], "destination_mismatch")


async def ask(page: Page, request: Request) -> Answer:
    """Send it, with the command before and the answer after."""
    page.command(request.command)
    answer = await send(request)
    page.answer(answer)
    return answer


def read(answer: Answer) -> dict[str, Any]:
    """The JSON object in its body."""
    try:
        content = json.loads(answer.body)
    except ValueError as error:
        raise UnexpectedAnswerError(f"expected JSON, got: {answer.body}") from error
    if not isinstance(content, dict):
        raise UnexpectedAnswerError(f"expected a JSON object, got: {answer.body}")
    return content


def expect(page: Page, what: str, got: object, promised: object) -> None:
    """Say that it is so, or end the demo."""
    if got != promised:
        raise UnexpectedAnswerError(f"{what}: expected {promised}, got {got}")
    shown = ", ".join(str(one) for one in promised) if isinstance(promised, set) else promised
    page.good(f"{what}: {shown}")


async def serve(page: Page, on: Stage) -> int:
    """Print what to try, then the proxy's own log, until Ctrl-C."""
    page.scene("Running until Ctrl-C. Try, from another terminal:")
    page.command(Request(url=on.orders).command)
    page.command(Request(url=on.orders, proxy=on.proxy).command)
    page.command(f"curl {on.urls.authorization_server}/stats")
    if os.environ.get("no_proxy") or os.environ.get("NO_PROXY"):
        page.text("This shell has NO_PROXY set: add --noproxy '' to the command with --proxy.")
    page.scene("What the proxy logs:")
    code = await on.mitmdump.ended()
    page.bad(f"the proxy ended by itself with exit code {code}")
    return 1


async def play(arguments: argparse.Namespace) -> int:
    """The whole demo: 0 where all was as promised."""
    page = Page(colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    page.title(
        "clientcreds: an authorization server, an API that wants its tokens, and the proxy, on this machine"
    )
    try:
        async with stage(echo=arguments.serve) as on:
            page.facts(
                {
                    "authorization server": on.urls.authorization_server,
                    "protected API": on.urls.api,
                    "proxy": on.proxy,
                    "its rules": str(on.config),
                }
            )
            if arguments.serve:
                return await serve(page, on)
            if not shutil.which("curl"):
                page.text("curl is not installed here: Python sends what the commands say.")
            try:
                await show(page, on)
            except (UnexpectedAnswerError, NoAnswerError, KeyError) as error:
                page.bad(str(error))
                page.log(on.mitmdump.lines)
                return 1
            page.title("\nAll as promised. ./scripts/demo --serve keeps it running for you to try.")
            return 0
    except ProxyStartError as error:
        page.bad(f"the proxy did not start; it said:\n{error}")
        return 1


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--serve", action="store_true", help="keep everything running until Ctrl-C")
    return run(play(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
