"""Section 6: a token's claims decide, go on in headers, and name the user in the log."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.proxy.harness import Proxy, mitmdump
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer, Reply, Seen
from tests.unit.tokens.test_expression import ADA, DO_NOT_HOLD, HOLD, NO_EXPRESSIONS

pytestmark = pytest.mark.anyio

FORWARD = {"X-Group": "grp", "X-Areas": "areas", "X-User": "user", "X-Name": "user.name", "X-Exp": "exp"} | {
    "X-Odd": "odd",
    "X-Missing": "gone.away",
}
OPAQUE = "opaque"


def jwt(claims: dict[str, Any]) -> str:
    """A token with these claims; its signature is nothing."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'RS256', 'typ': 'at+jwt'})}.{part(claims)}.c2lnbmF0dXJl"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The proxy with a rule for each case, and the servers around it."""

    proxy: Proxy
    api: Api
    idp: AuthorizationServer
    claims: dict[str, dict[str, Any]]  # by client id; a client without any gets an opaque token

    def url(self, rule: str) -> str:
        """A request that this rule wins."""
        return f"http://localhost:{self.api.port}/{rule}"


RULES: dict[str, dict[str, Any]] = {
    **{f"hold-{number}": {"claims": text} for number, text in enumerate(HOLD)},
    **{f"not-{number}": {"claims": text} for number, text in enumerate(DO_NOT_HOLD)},
    OPAQUE: {"claims": "!Equals(`grp`, `x`)"},
    "forward": {"forward_headers": FORWARD, "username_claim": "user.name"},
    "forward-opaque": {"forward_headers": FORWARD, "username_claim": "grp"},
    "forward-keep": {"forward_headers": {"X-Group": "grp"}, "attach": {"when_present": "keep"}},
    "again": {"claims": "Equals(`grp`, `admin`)"},
    "preflight": {"claims": "Equals(`grp`, `x`)", "allow_cross_site": True},
}


def config(idp: AuthorizationServer) -> str:
    sources = {
        name: {"token_url": idp.token_url, "client_id": name, "client_secret": "made-up"} for name in RULES
    }
    rules = [
        {
            "name": name,
            "match": {"host": "localhost", "port": "any", "path": f"/{name}"},
            "token_source": name,
        }
        | keys
        for name, keys in RULES.items()
    ]
    log = {"format": "json"}
    return json.dumps({"version": 1, "log": log, "token_sources": sources, "rules": rules})


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    claims: dict[str, dict[str, Any]] = {name: ADA for name in RULES if OPAQUE not in name}
    claims["forward"] = ADA | {"odd": "a\r\nX-Evil: 1"}

    def answer(request: Seen) -> Reply:
        user = base64.b64decode(request.headers["authorization"][6:]).decode().partition(":")[0]
        own = claims.get(unquote(user))
        token = "no.jwt" if own is None else jwt(own)
        body = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
        return Reply(body=json.dumps(body).encode())

    folder = tmp_path_factory.mktemp("claims") / "proxy"
    folder.mkdir()
    async with (
        AuthorizationServer(answers=answer).running() as idp,
        Api().running() as api,
        mitmdump(config(idp), folder=folder) as proxy,
    ):
        yield World(proxy=proxy, api=api, idp=idp, claims=claims)
        assert "Traceback" not in proxy.output


async def test_claims_that_hold_let_requests_pass(world: World) -> None:
    async with world.proxy.client() as client:
        for number, text in enumerate(HOLD):
            answer = await client.get(world.url(f"hold-{number}"))

            assert answer.status_code == 200, text


async def test_claims_that_do_not_hold_refuse_requests(world: World) -> None:
    before = len(world.api.seen)

    async with world.proxy.client() as client:
        for number, text in enumerate(DO_NOT_HOLD):
            answer = await client.get(world.url(f"not-{number}"))

            assert (answer.status_code, answer.json()["reason"]) == (403, "claims_denied"), text
            assert answer.json()["rule"] == f"not-{number}"
            assert "admin" not in answer.text
    assert len(world.api.seen) == before


async def test_opaque_token_is_denied_where_a_rule_asks_for_claims(world: World) -> None:
    async with world.proxy.client() as client:
        answer = await client.get(world.url(OPAQUE))

    assert (answer.status_code, answer.json()["reason"]) == (403, "claims_denied")
    assert "opaque" in answer.json()["detail"]


async def test_denied_requests_share_one_token(world: World) -> None:
    async with world.proxy.client() as client:
        for _ in range(3):
            await client.get(world.url("not-0"))

    assert sum("bm90LTA6" in seen.headers["authorization"] for seen in world.idp.seen) == 1


async def test_claims_go_on_in_headers_and_never_the_clients_own(world: World) -> None:
    own = dict.fromkeys(FORWARD, "faked") | {"x-exp": "faked", "X_Group": "faked", "x_other": "own"}

    async with world.proxy.client() as client:
        await client.get(world.url("forward"), headers=own)

    request = world.api.seen[-1]
    assert {name: request.all(name) for name in FORWARD} == {
        "X-Group": ["admin"],
        "X-Areas": ["office,home"],
        "X-User": ['{"name":"Ada Lovelace"}'],
        "X-Name": ["Ada Lovelace"],
        "X-Exp": ["9007199254740993"],
        "X-Odd": [""],
        "X-Missing": [""],
    }
    assert request.all("x-evil") == request.all("x_group") == []
    assert request.all("x_other") == ["own"]


@pytest.mark.parametrize("rule", ["forward-opaque", "forward-keep"])
async def test_headers_stay_empty_where_no_claim_is_known(world: World, rule: str) -> None:
    own = {"X-Group": "faked", "Authorization": "Bearer own"}

    async with world.proxy.client() as client:
        await client.get(world.url(rule), headers=own)

    assert world.api.seen[-1].all("x-group") == [""]


async def test_claim_is_the_user_in_the_log(world: World) -> None:
    async with world.proxy.client() as client:
        await client.get(world.url("forward"))
        await client.get(world.url("forward-opaque"))

    (*_, known) = await world.proxy.logged(1, rule="forward")
    (*_, unknown) = await world.proxy.logged(1, rule="forward-opaque")
    assert known["client_username"] == "Ada Lovelace"
    assert unknown["client_username"] == "-"


async def test_second_token_must_fulfil_the_claims_too(world: World) -> None:
    async with world.proxy.client() as client:
        first = await client.get(world.url("again"))
        world.api.unauthorized = {f"Bearer {jwt(ADA)}"}
        world.claims["again"] = ADA | {"grp": "guest"}
        second = await client.get(world.url("again"))
        world.api.unauthorized = set()

    assert first.status_code == 200
    assert (second.status_code, second.json()["reason"]) == (403, "claims_denied")


async def test_preflight_passes_without_claims(world: World) -> None:
    asking = {"Origin": "https://page.example", "Access-Control-Request-Method": "GET"}

    async with world.proxy.client() as client:
        answer = await client.options(world.url("preflight"), headers=asking)

    assert answer.status_code == 200


async def test_expressions_that_are_none_are_refused_at_start_with_their_places(folder: Path) -> None:
    rules = [
        {"name": f"r{number}", "match": {"host": "a.example"}, "token_source": "s", "claims": text}
        for number, (text, _, _) in enumerate(NO_EXPRESSIONS)
    ]
    source = {"token_url": "https://idp.example/token", "client_id": "c", "client_secret": "made-up"}
    text = json.dumps({"version": 1, "token_sources": {"s": source}, "rules": rules})

    async with mitmdump(text, folder=folder, listens_at=None) as proxy:
        assert await proxy.process.wait() == 1
        await proxy.said(".claims: at ", times=len(rules))

    for number, (_, offset, message) in enumerate(NO_EXPRESSIONS):
        line = next(line for line in proxy.lines if f"rules[{number}].claims" in line)
        assert f"character {offset + 1}: " in line
        assert message in line
