"""Requests through a bare mitmdump, one with the addon, and `clientcreds serve`, in turns and side by side.

Each round sends the same requests through each of them, over a few connections that stay open. What counts is
the proxy's own CPU time (read from /proc, so Linux only): it bears a busy machine better than the clock does.
"""

import argparse
import asyncio
import os
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.proxy.harness import SCRIPT, Proxy, mitmdump  # noqa: E402 - the checkout is on the path only now
from tests.proxy.lines import dial  # noqa: E402
from tests.simulators.authorization_server import AuthorizationServer  # noqa: E402

WARM_UP = 200  # requests before the first round: for the token and the caches
RULES = """
version: 1
token_sources:
  bench: {{token_url: "{token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - name: bench
    match: {{host: localhost, port: {port}, path: /v1/**}}
    token_source: bench
    modifiers: [{{header.Modifier: {{scope: [request], name: Accept, value: application/json}}}}]
"""


@dataclass(slots=True, kw_only=True)
class Kind:
    """A proxy, and how it fared."""

    name: str
    script: Path | None = None
    command: str | None = None
    answer: bytes = b"with a token"  # that its requests must get
    per_cpu_second: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)


def kinds() -> list[Kind]:
    """The first is what the others are compared with."""
    return [
        Kind(name="mitmdump -q", answer=b"without one!"),
        Kind(name="mitmdump -q -s addon/clientcreds.py", script=SCRIPT),
        Kind(name="clientcreds serve -q", command="serve"),
    ]


async def serve_api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request, and say whether it brought a token."""
    while not reader.at_eof():
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            break
        body = b"with a token" if b"\r\nauthorization: bearer " in head.lower() else b"without one!"
        writer.write(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 12\r\n\r\n" + body)
        await writer.drain()
    writer.close()


async def send(proxy: Proxy, port: int, *, requests: int, answer: bytes, tls: ssl.SSLContext | None) -> None:
    """So many requests, one after the other on one connection."""
    here = f"localhost:{port}"
    async with dial(proxy.port) as line:
        if tls is not None:
            await line.connect(here)
            await line.tls(tls, "localhost")
        target = "/v1/orders" if tls else f"http://{here}/v1/orders"
        head = f"GET {target} HTTP/1.1\r\nHost: {here}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n".encode()
        for _ in range(requests):
            line.writer.write(head)
            status = await line.reader.readuntil(b"\r\n\r\n")
            body = await line.reader.readexactly(len(answer))
            if not status.startswith(b"HTTP/1.1 200 ") or body != answer:
                raise SystemExit(f"bench: a request failed: {status.decode()}{body.decode()}")


def cpu_seconds(process: int) -> float:
    """That it has used so far, in user and in system mode."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def until_open(proxy: Proxy) -> None:
    """Come back when it listens; with `-q` it does not say so."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        except OSError:
            if proxy.process.returncode is not None:
                raise SystemExit(f"bench: the proxy did not start:\n{proxy.output}") from None
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


@asynccontextmanager
async def proxies(compared: list[Kind], *, tls: bool) -> AsyncIterator[tuple[list[Proxy], int]]:
    """One of each kind, open, and the port of the API behind them."""
    authority = trustme.CA()
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(own)
    async with AsyncExitStack() as things:
        folder = Path(things.enter_context(tempfile.TemporaryDirectory()))
        trusted = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(trusted))
        api = await asyncio.start_server(serve_api, "localhost", 0, ssl=own if tls else None)
        things.callback(api.close)
        port = api.sockets[0].getsockname()[1]
        idp = await things.enter_async_context(AuthorizationServer().running())
        rules = RULES.format(token_url=idp.token_url, port=port)
        options = ("--listen-host", "127.0.0.1", "--set", f"ssl_verify_upstream_trusted_ca={trusted}")
        running = []
        for number, kind in enumerate(compared):
            place = folder / str(number) / "proxy"
            place.mkdir(parents=True)
            start = mitmdump(
                *(rules, "-q", *options),
                folder=place,
                script=kind.script,
                command=kind.command,
                listens_at=None,
            )
            running.append(await things.enter_async_context(start))
            await until_open(running[-1])
        yield running, port


async def bench(*, rounds: int, requests: int, connections: int, tls: bool) -> list[Kind]:
    """Every kind with a figure for each round."""
    compared = kinds()

    async def load(proxy: Proxy, kind: Kind, requests: int) -> None:
        each = {"requests": requests // connections, "answer": kind.answer, "tls": proxy.ca if tls else None}
        await asyncio.gather(*(send(proxy, port, **each) for _ in range(connections)))

    async with proxies(compared, tls=tls) as (running, port):
        for proxy, kind in zip(running, compared, strict=True):
            await load(proxy, kind, WARM_UP)
        for _ in range(rounds):
            for proxy, kind in zip(running, compared, strict=True):
                used, began = cpu_seconds(proxy.process.pid), time.perf_counter()
                await load(proxy, kind, requests)
                kind.per_cpu_second.append(requests / (cpu_seconds(proxy.process.pid) - used))
                kind.per_second.append(requests / (time.perf_counter() - began))
    return compared


def ratios(figures: list[float], others: list[float]) -> str:
    """The median of the rounds' ratios, and their range."""
    each = sorted(one / other for one, other in zip(figures, others, strict=True))
    return f"{statistics.median(each):5.2f}  ({each[0]:.2f} to {each[-1]:.2f})"


def main() -> None:
    """Run it with what the command line says."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="how often each proxy has its turn (20)")
    parser.add_argument("--requests", type=int, default=500, help="in each turn (500)")
    parser.add_argument("--connections", type=int, default=4, help="at a time (4)")
    parser.add_argument("--tls", action="store_true", help="https through CONNECT instead of plain http")
    given = parser.parse_args()
    compared = asyncio.run(
        bench(rounds=given.rounds, requests=given.requests, connections=given.connections, tls=given.tls)
    )
    first = compared[0]
    print(f"{given.rounds} rounds of {given.requests} requests, as ratios to {first.name}: median (range)")
    print(f"{'':38}{'requests per CPU second':28}requests per second")
    for kind in compared:
        by_cpu = ratios(kind.per_cpu_second, first.per_cpu_second)
        print(f"{kind.name:38}{by_cpu:28}{ratios(kind.per_second, first.per_second)}")


if __name__ == "__main__":
    main()
