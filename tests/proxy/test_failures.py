"""Sections 4 and 11: the authorization server fails, and what the client gets instead of the API's answer."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import trustme

from tests.proxy.stage import Kind, Lane, Stage, staged
from tests.simulators.authorization_server import Reply

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}
KINDS = {
    "usual": Kind(source="client: {timeout_seconds: 1, max_retries: 1}", lanes=30),
    "once": Kind(source="client: {max_retries: 0}", lanes=3),
    "pass": Kind(rule="on_token_failure: pass_without_token", lanes=2),
    "named": Kind(
        rule="on_token_failure: pass_without_token, attach: {header: X-Api-Token, scheme: ''}",
        source="api_headers: {X-Key: k}",
    ),
}


@pytest.fixture(scope="module")
async def stage(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with staged(KINDS, folder=tmp_path_factory.mktemp("stage"), authority=authority) as stage:
        yield stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How an authorization server behaves, and what comes of it."""

    reply: Reply
    status: int
    reason: str
    error: str | None = None
    retry_after: int | None = None
    requests: int = 1
    remembered: bool = True  # the next request is refused without a token request


CASES = {
    "cut": Case(reply=Reply(cut=True), status=502, reason="token_unavailable", requests=2, remembered=False),
    "500": Case(
        reply=Reply(status=500, body=b"oops"),
        status=502,
        reason="token_unavailable",
        requests=2,
        remembered=False,
    ),
    "408": Case(
        reply=Reply(status=408), status=502, reason="token_unavailable", requests=2, remembered=False
    ),
    "503 with a time": Case(
        reply=Reply(status=503, headers={"Retry-After": "120"}),
        status=503,
        reason="token_backoff",
        retry_after=120,
    ),
    "503 with a long time": Case(
        reply=Reply(status=503, headers={"Retry-After": "86400"}),
        status=503,
        reason="token_backoff",
        retry_after=300,
    ),
    "429": Case(reply=Reply(status=429), status=503, reason="token_backoff", retry_after=30),
    "429 with a time": Case(
        reply=Reply(status=429, headers={"Retry-After": "7"}),
        status=503,
        reason="token_backoff",
        retry_after=7,
    ),
    "html": Case(
        reply=Reply(body=b"<html>log in</html>", headers={"Content-Type": "text/html"}),
        status=502,
        reason="token_malformed",
    ),
    "nothing": Case(reply=Reply(), status=502, reason="token_malformed"),
    "no token": Case(
        reply=Reply(body=b'{"token_type": "Bearer", "expires_in": 60}', headers=JSON),
        status=502,
        reason="token_malformed",
    ),
    "another type": Case(
        reply=Reply(body=b'{"access_token": "x", "token_type": "mac"}', headers=JSON),
        status=502,
        reason="token_malformed",
    ),
    "too much": Case(reply=Reply(body=b" " * 2**21, headers=JSON), status=502, reason="token_malformed"),
    "redirect": Case(
        reply=Reply(status=302, headers={"Location": "/token"}), status=502, reason="token_malformed"
    ),
    "invalid_scope": Case(
        reply=Reply(status=400, body=b'{"error": "invalid_scope"}', headers=JSON),
        status=502,
        reason="token_rejected",
        error="invalid_scope",
    ),
    "403": Case(
        reply=Reply(status=403, body=b'{"error": "access_denied"}', headers=JSON),
        status=502,
        reason="token_rejected",
        error="access_denied",
    ),
    "error in a 200": Case(
        reply=Reply(body=b'{"error": "unauthorized_client", "access_token": "x"}', headers=JSON),
        status=502,
        reason="token_rejected",
        error="unauthorized_client",
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_failure_of_the_authorization_server_refuses_the_request(stage: Stage, name: str) -> None:
    lane, case = stage.lane(), CASES[name]
    lane.idp.replies = [case.reply] * 10

    async with stage.proxy.client() as client:
        first = await client.get(lane.plain + "/a", headers={"Authorization": "Bearer own"})
        asked = len(lane.idp.seen)
        second = await client.get(lane.plain + "/a")
    lines = await stage.logged(lane, 2)

    is_problem(first, lane, status=case.status, reason=case.reason, error=case.error)
    waits(first, case.retry_after)
    assert asked == case.requests
    if case.remembered:
        is_problem(second, lane, status=503, reason="token_backoff", error=case.error)
        assert second.json()["detail"] == first.json()["detail"]
        assert len(lane.idp.seen) == asked
    else:
        is_problem(second, lane, status=case.status, reason=case.reason, error=case.error)
    assert lane.api.seen == []
    assert [line["reason"] for line in lines] == [first.json()["reason"], second.json()["reason"]]
    assert {line["token"] for line in lines} == {"none"}


@pytest.mark.parametrize("how", ["silent", "drip"])
async def test_slow_authorization_server_is_waited_for_until_the_deadline(stage: Stage, how: str) -> None:
    lane = stage.lane()
    lane.idp.silent = how == "silent"
    lane.idp.replies = [Reply(body=b"{" + b" " * 100, headers=JSON, drip_seconds=0.1)] * 10
    started = time.monotonic()

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain)

    assert 0.9 < time.monotonic() - started < 2
    is_problem(answer, lane, status=504, reason="token_timeout")
    assert lane.api.seen == []


async def test_deadline_bounds_all_retries_together(stage: Stage) -> None:
    lane = stage.lane()
    lane.idp.wait_seconds = 0.7
    lane.idp.replies = [Reply(status=500)] * 10
    started = time.monotonic()

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain)

    assert time.monotonic() - started < 2
    assert answer.json()["reason"] in {"token_timeout", "token_unavailable"}


async def test_authorization_server_that_is_down_makes_the_token_unavailable(stage: Stage) -> None:
    lane = stage.lane()
    lane.idp.stop()

    async with stage.proxy.client() as client:
        plain = await client.get(lane.plain)
        secure = await client.get(lane.secure)
        head = await client.head(lane.secure)

    is_problem(plain, lane, status=502, reason="token_unavailable")
    is_problem(secure, lane, status=502, reason="token_unavailable")
    assert (head.status_code, head.content) == (502, b"")
    assert lane.api.seen == lane.tls_api.seen == []


async def test_refused_client_is_named_by_its_error_and_not_by_its_description(stage: Stage) -> None:
    lane = stage.lane()
    lane.idp.client_secret = "another"

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain)

    is_problem(answer, lane, status=502, reason="token_rejected", error="invalid_client")
    assert "who are you?" not in answer.text
    await stage.proxy.said("who are you?")
    assert [request.headers.get("authorization") is not None for request in lane.idp.seen] == [True, False]


async def test_circuit_opens_after_five_failures(stage: Stage) -> None:
    lane = stage.lane("once")
    lane.idp.replies = [Reply(status=500)] * 10

    async with stage.proxy.client() as client:
        answers = [await client.get(lane.plain) for _ in range(6)]

    assert [answer.json()["reason"] for answer in answers] == ["token_unavailable"] * 5 + ["token_backoff"]
    waits(answers[-1], 30)
    assert len(lane.idp.seen) == 5
    assert lane.api.seen == []


async def test_source_recovers_with_the_next_request(stage: Stage) -> None:
    lane = stage.lane("once")
    lane.idp.replies = [Reply(status=500)]

    async with stage.proxy.client() as client:
        statuses = [(await client.get(lane.plain)).status_code for _ in range(2)]

    assert statuses == [502, 200]


async def test_waiting_requests_share_one_failure(stage: Stage) -> None:
    lane = stage.lane("once")
    lane.idp.wait_seconds = 0.3
    lane.idp.replies = [Reply(status=400, body=b'{"error": "invalid_scope"}', headers=JSON)]

    async with stage.proxy.client() as client:
        answers = await asyncio.gather(*(client.get(lane.plain) for _ in range(20)))

    assert {answer.json()["reason"] for answer in answers} == {"token_rejected"}
    assert len(lane.idp.seen) == 1


@pytest.mark.parametrize("how", ["rejected", "down"])
async def test_request_passes_without_token_when_the_rule_says_so(stage: Stage, how: str) -> None:
    lane = stage.lane("pass")
    lane.idp.client_secret = "another"
    if how == "down":
        lane.idp.stop()

    async with stage.proxy.client() as client:
        answer = await client.post(lane.plain, headers={"Authorization": "Bearer own"}, content=b"body")
    lines = await stage.logged(lane, 1)

    assert answer.status_code == 200
    assert lane.api.tokens == [None]
    assert lane.api.seen[0].body == b"body"
    assert "cache-control" not in answer.headers
    reason = "token_rejected" if how == "rejected" else "token_unavailable"
    assert [(line["token"], line["status"], line["reason"]) for line in lines] == [("none", 200, reason)]


async def test_request_without_token_brings_no_header_of_the_source(stage: Stage) -> None:
    lane = stage.lane("named")
    lane.idp.client_secret = "another"

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain, headers={"X-Api-Token": "own", "Authorization": "Basic other"})

    assert answer.status_code == 200
    assert lane.api.seen[0].one("x-api-token") is None
    assert lane.api.seen[0].one("x-key") is None
    assert lane.api.tokens == ["Basic other"]


def is_problem(
    answer: httpx.Response, lane: Lane, *, status: int, reason: str, error: str | None = None
) -> None:
    """All that section 11 says of an answer."""
    problem = answer.json()
    assert (problem["reason"], answer.status_code) == (reason, status)
    assert problem["status"] == status
    assert problem["type"] == f"urn:clientcreds:{reason}"
    assert (problem["rule"], problem["token_source"]) == (lane.name, lane.name)
    assert problem.get("error") == error
    assert problem["title"]
    assert problem["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["proxy-status"] == (
        f'clientcreds; error=proxy_internal_response; details="{reason}"'
    )
    assert answer.headers["cache-control"] == "no-store"
    assert ("retry-after" in answer.headers) == (status == 503)
    assert answer.headers.get("retry-after") == (
        str(problem["retry_after"]) if "retry_after" in problem else None
    )


def waits(answer: httpx.Response, seconds: int | None) -> None:
    """Whether the client is told to come again after about so long."""
    told = answer.json().get("retry_after")
    assert told == seconds or (seconds is not None and seconds - 2 <= told <= seconds)
