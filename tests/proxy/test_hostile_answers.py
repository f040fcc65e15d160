"""Authorization servers that mean harm: a clear refusal within the deadline, and no memory for them."""

import asyncio
import base64
import gzip
import json
import re
from pathlib import Path

import pytest

from tests.proxy.harness import Proxy
from tests.proxy.sources import sources
from tests.simulators.authorization_server import Reply

pytestmark = pytest.mark.anyio

MEBIBYTE = 1 << 20
NESTED = b'{"access_token": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def token(value: object = "t", expires_in: bytes = b"3600") -> Reply:
    return Reply(
        body=b'{"access_token": ' + json.dumps(value).encode() + b', "expires_in": ' + expires_in + b"}"
    )


def bomb(size: int) -> Reply:
    body = gzip.compress(b'{"access_token": "' + bytes([120]) * size + b'"}')
    return Reply(body=body, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})


REFUSED = {
    "bomb": (bomb(200 * MEBIBYTE), "token_malformed"),
    "endless": (Reply(body=b"x" * (64 * MEBIBYTE)), "token_malformed"),
    "nested": (Reply(body=NESTED), "token_malformed"),
    "digits": (token(expires_in=b"9" * 10_000), "token_malformed"),
    "crlf": (token("t\r\nX-Injected: yes"), "token_malformed"),
    "unicode": (token("t\u2028\u0000"), "token_malformed"),
    "list": (token(["t"]), "token_malformed"),
    "headers": (Reply(headers={f"X-{number}": "x" * 1000 for number in range(1000)}), "token_unavailable"),
    "drip": (Reply(body=token().body, drip_seconds=1), "token_timeout"),
}
TAKEN = {
    "infinity": token(expires_in=b"1e400"),
    "not-a-number": token(expires_in=b"NaN"),
    "nested-jwt": token(f"e30.{base64.urlsafe_b64encode(b'[' * 100_000).decode().rstrip('=')}.x"[:60_000]),
}


async def test_hostile_answer_is_refused_within_the_deadline_or_taken_for_what_it_is(folder: Path) -> None:
    """Checklist A26, A27, B08, B09, B19, B24."""
    replies = {name: reply for name, (reply, _) in REFUSED.items()} | TAKEN
    more = "client: {timeout_seconds: 3, max_retries: 1}"
    async with sources(replies, folder, more) as on:
        async with asyncio.timeout(15):
            refused = dict(zip(REFUSED, await asyncio.gather(*map(on.get, REFUSED)), strict=True))
        taken = [await on.get(name) for name in TAKEN]

    reasons = {name: answer.json()["reason"] for name, answer in refused.items()}
    assert reasons == {name: reason for name, (_, reason) in REFUSED.items()}
    assert [answer.status_code for answer in taken] == [200] * len(TAKEN)
    assert [request.target for request in on.api.seen] == [f"/{name}" for name in TAKEN]
    assert "Traceback" not in on.proxy.output


@pytest.mark.parametrize("kind", ["bomb", "endless", "nested"])
async def test_hostile_answers_cost_no_memory(kind: str, folder: Path) -> None:
    """Checklist A26: one bomb of 200 MB cost 390 MB where it was unpacked."""
    reply, reason = REFUSED[kind]
    first, then = ([f"{kind}{number}" for number in numbers] for numbers in (range(20), range(20, 60)))
    async with sources(dict.fromkeys([*first, *then], reply), folder) as on:
        answers = [await on.get(name) for name in first]
        before, _ = memory(on.proxy)
        answers += [await on.get(name) for name in then]
        after, peak = memory(on.proxy)

    assert {answer.json()["reason"] for answer in answers} == {reason}
    assert after - before < 16
    assert peak - before < 32


def memory(proxy: Proxy) -> tuple[int, int]:
    """What the proxy occupies, and did at most, in MiB."""
    status = Path(f"/proc/{proxy.process.pid}/status").read_text()
    sizes = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", status))
    return int(sizes["VmRSS"]) // 1024, int(sizes["VmHWM"]) // 1024
