"""Section 7: modifiers see and change the API request and response; the token is attached last."""

from collections.abc import AsyncIterator

import pytest
import trustme

from tests.proxy.lines import dial
from tests.proxy.stage import Kind, Lane, Stage, staged
from tests.simulators.api import Api

pytestmark = pytest.mark.anyio

AUTH0 = "modifiers: [{header.Modifier: {scope: [request], name: Accept, value: application/json}}]"
FAMILY = """modifiers: [
    {header.Modifier: {scope: [request, response], name: X-Set, value: set}},
    {header.Append: {scope: [request, response], name: X-More, value: more}},
    {header.Blacklist: {scope: [request, response], names: [X-Gone]}},
    {header.Copy: {scope: [request, response], from: X-From, to: X-To}},
    {fifo.Group: {scope: [request], modifiers: [
        {header.Filter: {scope: [request], name: X-Case, value: a,
            modifier: {header.Modifier: {scope: [request], name: X-Found, value: then}},
            else: {header.Modifier: {scope: [request], name: X-Found, value: else}}}},
        {header.RegexFilter: {scope: [request], header: X-Case, regex: '^a+$',
            modifier: {header.Append: {scope: [request], name: X-Found, value: regex}}}}]}}]"""
CURIOUS = """modifiers: [
    {header.Copy: {scope: [response], from: Authorization, to: X-Answered}},
    {header.Modifier: {scope: [request], name: Authorization, value: Basic mine}},
    {header.Copy: {scope: [request], from: Authorization, to: X-Copy}},
    {header.Append: {scope: [request, response], name: Authorization, value: more}},
    {header.Copy: {scope: [response], from: X-Echo, to: X-Echo-Copy}}]"""
CACHING = "modifiers: [{header.Modifier: {scope: [response], name: Cache-Control, value: max-age=5}}]"
HOST = "modifiers: [{header.Modifier: {scope: [request], name: Host, value: 'LOCALHOST:PORT'}}]"
KINDS = {
    "auth0": Kind(rule=AUTH0, lanes=3),
    "family": Kind(rule=FAMILY, lanes=4),
    "curious": Kind(rule=CURIOUS, source="api_headers: {X-Key: k}"),
    "refuse": Kind(rule="attach: {when_present: refuse}, " + CURIOUS),
    "keep": Kind(rule="attach: {when_present: keep}, " + AUTH0),
    "caching": Kind(rule=CACHING),
    "host": Kind(rule=HOST),
    "named": Kind(rule="attach: {header: X-Api-Token, scheme: Token}"),
    "bare": Kind(rule="attach: {header: X-Api-Token, scheme: ''}"),
    "extra": Kind(source="api_headers: {X-Api-Key: billing-app, X-Tenant: acme}"),
}


@pytest.fixture(scope="module")
async def stage(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with staged(KINDS, folder=tmp_path_factory.mktemp("stage"), authority=authority) as stage:
        yield stage


@pytest.mark.parametrize("way", ["plain", "secure", "http2"])
async def test_auth0_recipe_replaces_what_the_client_accepts(stage: Stage, way: str) -> None:
    lane = stage.lane("auth0")

    async with stage.proxy.client(http2=way == "http2") as client:
        await client.get(getattr(lane, way), headers={"Accept": "text/html"})

    if way == "http2":
        assert lane.http2_api.all("accept") == ["application/json"]
        assert lane.http2_api.all("authorization") == ["Bearer t1"]
        assert lane.http2_api.all(":authority") == [f"localhost:{lane.http2_api.port}"]
        assert lane.http2_api.all("host") == []
    else:
        assert api_of(lane, way).seen[0].all("accept") == ["application/json"]
        assert api_of(lane, way).tokens == ["Bearer t1"]


@pytest.mark.parametrize(
    ("case", "found"), [("a", ["then", "regex"]), ("aa", ["else", "regex"]), ("b", ["else"])]
)
async def test_header_family_runs_on_the_request(stage: Stage, case: str, found: list[str]) -> None:
    lane = stage.lane("family")

    async with dial(stage.proxy.port) as line:
        await line.get(
            f"{lane.plain}/a",
            f"localhost:{lane.api.port}",
            f"X-Case: {case}",
            *("X-Set: one", "X-Set: two", "X-More: one", "X-Gone: one", "x-gone: two", "X-From: there"),
        )

    request = lane.api.seen[0]
    assert request.all("x-found") == found
    assert request.all("x-set") == ["set"]
    assert request.all("x-more") == ["one", "more"]
    assert request.all("x-gone") == []
    assert (request.one("x-from"), request.one("x-to")) == ("there", "there")
    assert request.headers[-1] == ("Authorization", "Bearer t1")


async def test_header_family_runs_on_the_response(stage: Stage) -> None:
    lane = stage.lane("family")
    lane.api.response_headers = [("X-Set", "a"), ("X-More", "a"), ("X-Gone", "a"), ("X-From", "there")]

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain)

    headers = [(name.lower(), value) for name, value in answer.headers.multi_items()]
    assert [value for name, value in headers if name == "x-set"] == ["set"]
    assert [value for name, value in headers if name == "x-more"] == ["a", "more"]
    assert "x-gone" not in answer.headers
    assert answer.headers["x-to"] == "there"
    assert answer.json() == {"target": "/"}


async def test_token_is_seen_and_changed_by_no_modifier(stage: Stage) -> None:
    lane = stage.lane("curious")
    lane.api.response_headers = [("X-Echo", "e"), ("Authorization", "Bearer t1")]

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain, headers={"Authorization": "Bearer own"})

    request = lane.api.seen[0]
    assert request.all("authorization") == ["Bearer t1"]
    assert request.one("x-copy") == "Basic mine"
    assert request.one("x-key") == "k"
    assert (answer.headers["x-echo-copy"], answer.headers["x-answered"]) == ("e", "")
    assert "t1" not in str(answer.headers)


async def test_header_that_a_modifier_sets_is_not_the_clients_own(stage: Stage) -> None:
    lane = stage.lane("refuse")

    async with stage.proxy.client() as client:
        own = await client.get(lane.plain, headers={"Authorization": "Bearer own"})
        none = await client.get(lane.plain)

    assert (own.status_code, own.json()["reason"]) == (403, "header_present")
    assert none.status_code == 200
    assert lane.api.tokens == ["Bearer t1"]


async def test_modifiers_run_where_the_clients_own_header_is_kept(stage: Stage) -> None:
    lane = stage.lane("keep")

    async with stage.proxy.client() as client:
        await client.get(lane.plain, headers={"Authorization": "Bearer own"})
        await client.get(lane.plain)

    assert lane.api.tokens == ["Bearer own", "Bearer t1"]
    assert [request.one("accept") for request in lane.api.seen] == ["application/json"] * 2


async def test_what_a_modifier_says_about_caching_stays(stage: Stage) -> None:
    lane = stage.lane("caching")

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain)

    assert answer.headers["cache-control"] == "max-age=5"


async def test_modifier_sets_a_host_that_the_rule_covers(stage: Stage) -> None:
    lane = stage.lane("host")

    async with stage.proxy.client() as client:
        answer = await client.get(lane.plain)

    assert answer.status_code == 200
    assert lane.api.seen[0].one("host") == f"LOCALHOST:{lane.api.port}"
    assert lane.api.tokens == ["Bearer t1"]


@pytest.mark.parametrize(("kind", "value"), [("named", "Token t1"), ("bare", "t1")])
async def test_token_goes_into_the_header_that_the_rule_names(stage: Stage, kind: str, value: str) -> None:
    lane = stage.lane(kind)

    async with stage.proxy.client() as client:
        own = {"X-Api-Token": "own", "X_Api_Token": "own", "Authorization": "Basic other"}
        await client.get(lane.plain, headers=own)

    assert lane.api.seen[0].all("x-api-token") == [value]
    assert lane.api.seen[0].all("x_api_token") == []
    assert lane.api.tokens == ["Basic other"]


async def test_headers_of_the_source_go_with_its_token(stage: Stage) -> None:
    lane = stage.lane("extra")

    async with stage.proxy.client() as client:
        await client.get(lane.plain, headers={"x-api-key": "own", "X_Api_Key": "own"})

    assert lane.api.seen[0].all("x-api-key") == ["billing-app"]
    assert lane.api.seen[0].all("x_api_key") == []
    assert lane.api.seen[0].all("x-tenant") == ["acme"]
    assert all("x-api-key" not in request.headers for request in lane.idp.seen)


def api_of(lane: Lane, way: str) -> Api:
    """The API behind `lane.plain` or `lane.secure`."""
    return lane.api if way == "plain" else lane.tls_api
