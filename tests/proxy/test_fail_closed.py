"""Section 3.5: whatever breaks inside us, no request leaves without the token it should have.

mitmproxy logs an exception in a hook and forwards the request as it stands.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.proxy.context import Context
from mitmproxy.test import tflow
from mitmproxy.tls import TlsData

from clientcreds_proxy.errors import InternalError
from clientcreds_proxy.martian.message import Request as Message
from clientcreds_proxy.martian.message import Response
from clientcreds_proxy.observe.log import Log
from clientcreds_proxy.proxy.addon import ClientCreds
from tests.proxy.inside import Inside, inside
from tests.proxy.lines import dial
from tests.simulators.api import Api, Request
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio


class Broken:
    """Stands for a part: has what the part has, but for names that raise and `others` put in their place."""

    def __init__(self, part: object, *names: str, **others: object) -> None:
        self._part, self._names, self._others = part, names, others

    def __getattr__(self, name: str) -> Any:
        if name in self._names:
            raise RuntimeError("broken on purpose")
        return self._others[name] if name in self._others else getattr(self._part, name)


class BrokenModifier:
    """Raises where it is asked to modify one of the two messages."""

    def __init__(self, message: str) -> None:
        self._message = message

    def modify_request(self, request: Message) -> Message:
        """The request, unless it is the one that breaks."""
        if self._message == "request":
            raise RuntimeError("broken on purpose")
        return request

    def modify_response(self, response: Response, _: Message) -> Response:
        """The response, unless it is the one that breaks."""
        if self._message == "response":
            raise RuntimeError("broken on purpose")
        return response


def gate(*names: str, **others: object) -> Callable[[Any], Any]:
    """A policy whose gate is broken."""
    return lambda policy: Broken(policy, gate=Broken(policy.gate, *names, **others))


def source(*names: str) -> Callable[[Any], Any]:
    """A policy whose token source is broken."""
    return lambda policy: Broken(policy, sources={"idp": Broken(policy.sources["idp"], *names)})


def modifier(message: str) -> Callable[[Any], Any]:
    """A policy whose rules have a broken modifier."""

    def spoil(policy: Any) -> Any:
        def admit(*arguments: Any) -> Any:
            decision = policy.gate.admit(*arguments)
            return replace(decision, rule=replace(decision.rule, modifiers=(BrokenModifier(message),)))

        return Broken(policy, gate=Broken(policy.gate, admit=admit))

    return spoil


def rules(idp: AuthorizationServer, port: int, head: str = "") -> str:
    """`localhost` is ruled on this port; nothing passes without a token."""
    return f"""
version: 1
{head}
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - name: api
    match: {{host: localhost, port: {port}}}
    token_source: idp
"""


def spoil(proxy: Inside, how: Callable[[Any], Any]) -> None:
    """Break the policy in force."""
    proxy.addon.house.policy = how(proxy.addon.house.policy)


def left_over(addon: ClientCreds) -> int:
    """Requests and placeholders that the addon still knows."""
    return len(addon._passages._by_flow) + len(addon._wire._sealed)


PARTS = {
    "the gate": lambda policy: Broken(policy, "gate"),
    "finding a rule": gate("find"),
    "admitting": gate("admit"),
    "the cache": source("cached"),
    "the fetch": lambda policy: Broken(
        policy, sources={"idp": Broken(policy.sources["idp"], "token", cached=lambda: None)}
    ),
    "a request modifier": modifier("request"),
    "the source's settings": source("spec"),
}


@pytest.mark.parametrize("part", PARTS)
async def test_request_is_refused_when_a_part_breaks(
    idp: AuthorizationServer, api: Api, folder: Path, part: str
) -> None:
    async with inside(rules(idp, api.port), folder=folder) as proxy, proxy.client() as client:
        good = proxy.addon.house.policy
        spoil(proxy, PARTS[part])
        own = {"Authorization": "Bearer own"}
        refused = await client.post(f"http://localhost:{api.port}/a", content=b"body", headers=own)
        proxy.addon.house.policy = good
        after = await client.get(f"http://localhost:{api.port}/b")
        kept = left_over(proxy.addon)

    assert refused.status_code == 500
    assert refused.json()["reason"] == "internal_error"
    assert "on purpose" not in refused.text
    assert after.status_code == 200
    assert [(request.target, request.one("authorization")) for request in api.seen] == [("/b", "Bearer t1")]
    assert kept == 0


async def test_request_is_refused_when_the_wire_breaks(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    async with inside(rules(idp, api.port), folder=folder) as proxy, proxy.client() as client:
        wire: Any = Broken(proxy.addon._wire, "seal")
        proxy.addon._wire = wire
        refused = await client.get(f"http://localhost:{api.port}/a")

    assert refused.json()["reason"] == "internal_error"
    assert api.seen == []


async def test_request_is_refused_when_the_last_look_breaks(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    async with inside(rules(idp, api.port), folder=folder) as proxy, proxy.client() as client:
        passages: Any = Broken(proxy.addon._passages, "of")
        proxy.addon._guard._passages = passages
        refused = await client.post(f"http://localhost:{api.port}/a", content=b"body")

    assert refused.json()["reason"] == "internal_error"
    assert api.seen == []


async def test_request_is_refused_when_the_log_breaks_too(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    def closed(*_: object) -> None:
        raise BrokenPipeError

    async with inside(rules(idp, api.port), folder=folder) as proxy:
        proxy.addon.house.log = Log(closed)
        async with proxy.client() as client:
            served = await client.get(f"http://localhost:{api.port}/a")
            spoil(proxy, gate("find", "admit_connection"))
            refused = await client.get(f"http://localhost:{api.port}/b")
        async with dial(proxy.port) as line:
            tunnel = await line.connect(f"localhost:{api.port}")
        kept = left_over(proxy.addon)

    assert served.status_code == 200
    assert refused.json()["reason"] == "internal_error"
    assert tunnel.status == 500
    assert api.tokens == ["Bearer t1"]
    assert kept == 0


@pytest.mark.parametrize("strategy", ["eager", "lazy"])
async def test_tunnel_is_refused_when_a_part_breaks(
    idp: AuthorizationServer, api: Api, folder: Path, strategy: str
) -> None:
    async with inside(rules(idp, api.port), folder=folder, connection_strategy=strategy) as proxy:
        spoil(proxy, gate("admit_connection"))
        async with dial(proxy.port) as line:
            ruled = await line.connect(f"localhost:{api.port}")
            elsewhere = await line.connect(f"127.0.0.1:{api.port}")

    assert (ruled.status, ruled.phrase) == (500, "clientcreds: internal_error")
    assert elsewhere.status == 500
    assert api.connections == 0


@pytest.mark.parametrize("strategy", ["eager", "lazy"])
async def test_socks_connection_is_refused_when_a_part_breaks(
    idp: AuthorizationServer, api: Api, folder: Path, strategy: str
) -> None:
    settings: dict[str, Any] = {"mode": "socks5", "connection_strategy": strategy}

    async with inside(rules(idp, api.port), folder=folder, **settings) as proxy:
        spoil(proxy, gate("admit_connection"))
        async with dial(proxy.port) as line:
            if await line.socks("localhost", api.port) == 0:
                answer = await line.get("/a", f"localhost:{api.port}")
                assert answer.status == 502

    assert api.connections == 0


async def test_tls_is_decrypted_and_the_request_decided_upon_when_the_tunnel_breaks(
    idp: AuthorizationServer, tls_api: Api, trusted: Path, folder: Path
) -> None:
    settings: dict[str, Any] = {"ssl_verify_upstream_trusted_ca": str(trusted)}

    async with inside(rules(idp, tls_api.port), folder=folder, **settings) as proxy:
        spoil(proxy, lambda policy: Broken(policy, "intercepts_ruled_only"))
        async with proxy.client(verify=False) as client:
            ruled = await client.get(f"https://localhost:{tls_api.port}/ruled")
            elsewhere = await client.get(f"https://127.0.0.1:{tls_api.port}/elsewhere")

    assert (ruled.status_code, elsewhere.status_code) == (200, 200)
    assert [(request.target, request.one("authorization")) for request in tls_api.seen] == [
        ("/ruled", "Bearer t1"),
        ("/elsewhere", None),
    ]


async def test_server_is_one_that_no_certificate_is_good_for_when_its_name_can_not_be_pinned(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    server = tflow.tserver_conn()

    async with inside(rules(idp, api.port), folder=folder) as proxy:
        spoil(proxy, lambda policy: Broken(policy, "covers"))
        context = Context(tflow.tclient_conn(), proxy.master.options)
        proxy.addon.tls_start_server(TlsData(conn=server, context=context))

    assert server.sni == "clientcreds.invalid"


async def test_connection_is_dropped_when_its_address_can_not_be_read(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    client = tflow.tclient_conn()
    client.sockname = ("no address", 1)

    async with inside(rules(idp, api.port), folder=folder) as proxy:
        proxy.master.options.listen_host = ""  # as while the proxy has not moved to loopback yet
        proxy.addon.client_connected(client)

    assert client.error == "clientcreds: internal_error"


async def with_a_body(_: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with a body that has a length."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000)


async def in_chunks(_: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer in chunks."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nxxxxx\r\n0\r\n\r\n")


async def without_end(_: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with a body that does not end."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nxxxxx\r\n")


async def without_a_body(_: Request, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with a head alone."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("answerer", [with_a_body, in_chunks, without_end, without_a_body])
async def test_answer_is_withheld_when_a_response_modifier_breaks(
    idp: AuthorizationServer, api: Api, folder: Path, answerer: Any
) -> None:
    api.answer = answerer

    async with inside(rules(idp, api.port), folder=folder) as proxy:
        spoil(proxy, modifier("response"))
        async with dial(proxy.port) as line:
            answer = await line.get(f"http://localhost:{api.port}/a", f"localhost:{api.port}")
            if answerer is not without_end:
                again = await line.get(f"http://localhost:{api.port}/a", f"localhost:{api.port}")
                assert again.reason == "internal_error"  # the line is still good

    assert (answer.status, answer.reason) == (500, "internal_error")
    assert b"xxx" not in answer.body


@pytest.mark.parametrize("part", ["reject", "token"])
async def test_401_is_met_with_a_refusal_when_asking_again_breaks(
    idp: AuthorizationServer, api: Api, folder: Path, part: str
) -> None:
    api.unauthorized.add("Bearer t1")

    async with inside(rules(idp, api.port), folder=folder) as proxy, proxy.client() as client:
        await proxy.addon.house.policy.sources["idp"].token()
        spoil(proxy, source(part))
        answer = await client.get(f"http://localhost:{api.port}/a")
        kept = left_over(proxy.addon)

    assert answer.json()["reason"] == "internal_error"
    assert api.tokens == ["Bearer t1"]
    assert kept == 0


async def test_proxy_goes_on_when_the_end_of_a_request_breaks(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    async with inside(rules(idp, api.port), folder=folder) as proxy, proxy.client() as client:
        log: Any = Broken(proxy.addon.house.log, "access")
        good, proxy.addon.house.log = proxy.addon.house.log, log
        served = await client.get(f"http://localhost:{api.port}/a")
        proxy.addon.house.log = good
        after = await client.get(f"http://localhost:{api.port}/b")
        kept = left_over(proxy.addon)

    assert (served.status_code, after.status_code) == (200, 200)
    assert api.tokens == ["Bearer t1"] * 2
    assert kept == 0


async def test_request_is_refused_when_there_is_no_configuration(folder: Path) -> None:
    flow = tflow.tflow()
    flow.live = True

    await ClientCreds().requestheaders(flow)

    assert isinstance(flow.response, http.Response)
    assert flow.response.status_code == InternalError.status
