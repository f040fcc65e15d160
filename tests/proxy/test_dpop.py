"""DPoP through the proxy (RFC 9449 §7 to §9): every request leaves with a new proof, made for it alone."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trustme

from tests.proxy.harness import Proxy, mitmdump
from tests.simulators.authorization_server import Reply
from tests.simulators.bound import BindingServer, BoundApi
from tests.simulators.dpop import check
from tests.simulators.http2_api import Http2Api

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A proxy between a client and an API that takes bound tokens alone."""

    proxy: Proxy
    client: httpx.AsyncClient
    server: BindingServer
    api: BoundApi

    async def get(self, path: str = "/a", **headers: str) -> int:
        """The status of a GET."""
        url = f"{self.api.scheme}://localhost:{self.api.port}{path}"
        return (await self.client.get(url, headers=headers)).status_code

    @property
    def nonces(self) -> list[object]:
        """Which nonce each request to the API proved with."""
        return [proof.claims.get("nonce") for proof in self.api.proofs]


def rules(server: BindingServer, port: int, extra: str = "") -> str:
    """One source of bound tokens, one rule for loopback."""
    return f"""
version: 1
log: {{format: json}}
token_sources:
  idp: {{token_url: "{server.token_url}", client_id: app, client_secret: s3cr3t, dpop: true}}
rules:
  - name: api
    match: {{host: [localhost, 127.0.0.1], port: {port}}}
    token_source: idp
{extra}
"""


@asynccontextmanager
async def stage(
    folder: Path,
    *options: str,
    tls: ssl.SSLContext | None = None,
    extra: str = "",
    nonce: str | None = None,
    api_nonce: str | None = None,
) -> AsyncIterator[Stage]:
    server = BindingServer(nonce=nonce)
    api = BoundApi(key_of=server.bound.get, scheme="https" if tls else "http", nonce=api_nonce)
    async with (
        server.running(),
        api.running(tls),
        mitmdump(rules(server, api.port, extra), *options, folder=folder) as proxy,
        proxy.client() as client,
    ):
        yield Stage(proxy=proxy, client=client, server=server, api=api)


async def test_every_request_leaves_with_a_proof_of_its_own(folder: Path) -> None:
    """J02, J03, J04: the token as DPoP, a new proof each time, the query left out."""
    async with stage(folder) as it:
        statuses = [await it.get(path) for path in ("/a?b=c", "/a?b=c", "/d%2De/")]

        assert statuses == [200, 200, 200], it.api.complaints
        assert it.api.tokens == ["DPoP t1"] * 3
        assert len({proof.claims["jti"] for proof in it.api.proofs}) == 3
        assert it.api.proofs[2].claims["htu"] == f"http://localhost:{it.api.port}/d%2De/"
        assert len(it.server.seen) == 1


async def test_client_can_bring_no_proof_of_its_own(folder: Path) -> None:
    """J04: there is one `DPoP` header, ours, whatever the client sent and `Connection` lists."""
    async with stage(folder) as it:
        status = await it.get(dpop="its own", connection="dpop", authorization="DPoP its-own")

        assert status == 200, it.api.complaints
        assert len(it.api.seen[0].all("dpop")) == 1


async def test_proof_is_for_what_the_server_sees(folder: Path, authority: trustme.CA, trusted: Path) -> None:
    """J10: after the upgrade to https, and with the method of the client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    option = ("--set", f"ssl_verify_upstream_trusted_ca={trusted}")
    async with stage(folder, *option, tls=context, extra="    upgrade_to_https: true") as it:
        answer = await it.client.post(f"http://LOCALHOST:{it.api.port}/a", content=b"body")

        assert answer.status_code == 200, it.api.complaints
        claims = it.api.proofs[0].claims
        assert (claims["htm"], claims["htu"]) == ("POST", f"https://localhost:{it.api.port}/a")


async def test_server_gets_the_nonce_it_wants(folder: Path) -> None:
    """J06: the client notices nothing."""
    async with stage(folder, nonce="of-the-server") as it:
        assert await it.get() == 200
        assert [proof.claims.get("nonce") for proof in it.server.proofs] == [None, "of-the-server"]


async def test_api_gets_the_nonce_it_wants_with_the_same_token(folder: Path) -> None:
    """J07: sent once more; the token is not dropped."""
    async with stage(folder, api_nonce="n-1") as it:
        url = f"http://localhost:{it.api.port}/a"
        statuses = [(await it.client.post(url, content=b"body")).status_code for _ in range(2)]
        lines = await it.proxy.logged(2)

        assert statuses == [200, 200], it.api.complaints
        assert it.nonces == [None, "n-1", "n-1"]
        assert it.api.tokens == ["DPoP t1"] * 3
        assert [request.body for request in it.api.seen] == [b"body"] * 3
        assert [line["token"] for line in lines] == ["fetched", "cached"]


async def test_latest_nonce_of_any_answer_is_used(folder: Path) -> None:
    """J08: a 200 brings the next nonce; the server's own is another one."""
    async with stage(folder, nonce="of-the-server") as it:
        it.api.next_nonce = "n-1"
        statuses = [await it.get()]
        it.api.next_nonce = "n-2"
        statuses += [await it.get(), await it.get()]

        assert statuses == [200, 200, 200], it.api.complaints
        assert it.nonces == [None, "n-1", "n-2"]


async def test_api_that_is_never_content_is_asked_twice(folder: Path) -> None:
    """J07: once more, not for ever; the token stays."""
    async with stage(folder, api_nonce="n-1") as it:
        good, it.api.next_nonce = it.api.answer, None

        async def rotate(*call: object) -> None:
            it.api.nonce = f"n-{len(it.api.seen)}"
            assert good is not None
            await good(*call)  # type: ignore[arg-type]  # as it came

        it.api.answer = rotate
        first = await it.get()
        it.api.answer = good

        assert first == 401
        assert it.api.tokens == ["DPoP t1"] * 2
        assert await it.get() == 200
        assert len(it.server.bound) == 1


async def test_streamed_request_leaves_its_nonce_for_the_next_one(folder: Path) -> None:
    """J07: what can't be sent again gets the 401, and the token is not to blame."""
    async with stage(folder, api_nonce="n-1") as it:
        events = await it.get(accept="text/event-stream")
        after = await it.get(accept="text/event-stream")

        assert (events, after) == (401, 200)
        assert len(it.server.bound) == 1


async def test_rejected_token_is_replaced_with_another_proof(folder: Path) -> None:
    """J03: a 401 to the token itself is met as ever."""
    async with stage(folder) as it:
        assert await it.get() == 200
        it.api.revoked.add("t1")

        assert await it.get() == 200, it.api.complaints
        assert it.api.tokens == ["DPoP t1", "DPoP t1", "DPoP t2"]
        assert it.server.bound["t1"] == it.server.bound["t2"]


async def test_rejected_token_is_dropped_after_a_nonce(folder: Path) -> None:
    """J07: the second 401 is about the token: the next request has another one."""
    async with stage(folder) as it:
        assert await it.get() == 200
        it.api.revoked.add("t1")
        it.api.nonce = "n-1"

        assert await it.get() == 401
        assert await it.get() == 200
        assert it.api.tokens == ["DPoP t1"] * 3 + ["DPoP t2"]


async def test_flow_files_hold_neither_token_nor_proof(folder: Path) -> None:
    """Contract 3.7: nothing stored could be used."""
    flows = folder / "flows"
    async with stage(folder, "-w", str(flows)) as it:
        await it.get()
        header = it.api.seen[0].one("dpop") or ""
        await it.proxy.logged(1)

    stored = flows.read_bytes()
    assert b"DPoP" in stored
    assert b"clientcreds-placeholder-" in stored
    assert header.encode() not in stored
    assert b"eyJ" not in stored
    assert "eyJ" not in it.proxy.output


async def test_key_survives_a_reload_that_does_not_touch_the_source(folder: Path) -> None:
    """J09: the token does, too; a key goes with the process alone."""
    async with stage(folder) as it:
        await it.get()
        path = folder / "rules.yaml"
        path.write_text(path.read_text().replace("- name: api", "- name: renamed"))
        await it.proxy.said("the rules are those of", times=2)

        assert await it.get() == 200, it.api.complaints
        assert len(it.server.bound) == 1


async def test_concurrent_requests_have_proofs_of_their_own(folder: Path) -> None:
    """J03, with one token request for all of them."""
    async with stage(folder, api_nonce="n-1") as it:
        statuses = await asyncio.gather(*(it.get(f"/{number}") for number in range(20)))

        assert set(statuses) == {200}, it.api.complaints
        assert len(it.server.bound) == 1


async def test_downgrade_is_refused(folder: Path) -> None:
    """J05: no request leaves with a token that anybody could use."""
    body = b'{"access_token":"t","token_type":"Bearer","expires_in":60}'
    async with stage(folder) as it:
        it.server.replies.append(Reply(body=body))
        answer = await it.client.get(f"http://localhost:{it.api.port}/a")

        assert answer.status_code == 502
        assert answer.json()["reason"] == "token_malformed"
        assert "Bearer" in answer.json()["detail"]
        assert not it.api.seen


async def test_request_in_http2_has_a_proof(folder: Path, authority: trustme.CA, trusted: Path) -> None:
    """J02, J10: the same where `:authority` names the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server, api = BindingServer(), Http2Api()
    async with (
        server.running(),
        api.running(context),
        mitmdump(
            rules(server, api.port),
            *("--set", f"ssl_verify_upstream_trusted_ca={trusted}"),
            folder=folder,
        ) as proxy,
        proxy.client(http2=True) as client,
    ):
        url = f"https://localhost:{api.port}/a"
        answers = [await client.get(f"{url}?b=c") for _ in range(2)]

    used = set[str]()
    fields = [dict(each) for each in api.seen]
    proofs = [
        check(each["dpop"], method="GET", url=url, used=used, token="t1", now=time.time()) for each in fields
    ]
    assert [answer.http_version for answer in answers] == ["HTTP/2", "HTTP/2"]
    assert [each["authorization"] for each in fields] == ["DPoP t1"] * 2
    assert {proof.thumbprint for proof in proofs} == {server.bound["t1"]}
