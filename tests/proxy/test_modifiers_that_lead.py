"""Section 7: where `url.Modifier` and `port.Modifier` lead a request, and what does not go with it."""

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from tests.proxy.harness import Proxy, mitmdump
from tests.proxy.lines import dial
from tests.simulators.api import Api, Request
from tests.simulators.authorization_server import AuthorizationServer
from tests.simulators.http2_api import Http2Api
from tests.simulators.parent_proxy import ParentProxy

pytestmark = pytest.mark.anyio

# Without a token the host is 127.0.0.1, with one it is localhost. Nobody listens on port 9.
RULES = """
version: 1
log: {{format: json}}
token_sources:
  one: {{token_url: "{idp}", client_id: app, client_secret: s3cr3t}}
rules:
  - name: everywhere
    match: {{host: 127.0.0.1, port: [9, {a}, {s}, {h}], path: /url/**}}
    modifiers:
      url.Modifier: {{scope: [request], scheme: http, host: "localhost:{b}", path: "/p q", query: flag=true}}
  - name: secured
    match: {{host: 127.0.0.1, port: 9, path: /secured/**}}
    modifiers: {{url.Modifier: {{scheme: https, host: "localhost:{s}"}}}}
  - name: port
    match: {{host: 127.0.0.1, port: 9, path: /port/**}}
    modifiers:
      - port.Modifier: {{port: {b}}}
      - stash.Modifier: {{headerName: X-Url}}
      - port.Filter: {{port: {b}, modifier: {{header.Modifier: {{name: X-Port, value: "yes"}}}}}}
  - name: path
    match: {{host: 127.0.0.1, port: {a}, path: /path/**}}
    modifiers:
      - url.Modifier: {{path: /other}}
      - querystring.Modifier: {{name: amount, value: "75"}}
      - header.Blacklist: {{names: [Host]}}
  - name: token
    match: {{host: localhost, port: [{a}, {b}, {s}]}}
    token_source: one
    modifiers:
      - header.Filter:
          scope: [request]
          name: X-To
          value: b
          modifier: {{port.Modifier: {{port: {b}}}}}
      - header.Filter:
          scope: [request]
          name: X-To
          value: s
          modifier: {{url.Modifier: {{scheme: https, host: "LOCALHOST:{s}"}}}}
"""


@dataclass(slots=True, kw_only=True)
class Stage:
    """A proxy, two APIs over plain http, one over TLS, and one that speaks HTTP/2."""

    proxy: Proxy
    a: Api
    b: Api
    s: Api
    h: Http2Api
    idp: AuthorizationServer = field(default_factory=AuthorizationServer)

    def forget(self) -> None:
        """Begin anew."""
        for api in (self.a, self.b, self.s):
            api.seen.clear()

    @property
    def seen(self) -> list[tuple[str, Request]]:
        """All requests, and where they came."""
        return [(name, request) for name in "abs" for request in getattr(self, name).seen]


@pytest.fixture(scope="module")
async def running(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("lead")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    contexts = [ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(2)]
    for context in contexts:
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    async with AsyncExitStack() as stack:
        idp = await stack.enter_async_context(AuthorizationServer().running())
        a, b = [await stack.enter_async_context(Api().running()) for _ in "ab"]
        s = await stack.enter_async_context(Api().running(contexts[0]))
        h = await stack.enter_async_context(Http2Api().running(contexts[1]))
        text = RULES.format(idp=idp.token_url, a=a.port, b=b.port, s=s.port, h=h.port)
        trust = ("--set", f"ssl_verify_upstream_trusted_ca={folder / 'ca.pem'}")
        proxy = await stack.enter_async_context(mitmdump(text, *trust, folder=folder))
        yield Stage(proxy=proxy, a=a, b=b, s=s, h=h, idp=idp)
        assert "Traceback" not in proxy.output


@pytest.fixture
def stage(running: Stage) -> Stage:
    """Nothing was sent yet."""
    running.forget()
    return running


@pytest.mark.parametrize("way", ["s", "h"])
async def test_url_is_replaced_and_host_stays(stage: Stage, way: str) -> None:
    """Case url-modifier-doc, from https to http."""
    port = getattr(stage, way).port

    async with stage.proxy.client(http2=way == "h") as client:
        answer = await client.get(f"https://127.0.0.1:{port}/url/a?x=1")

    ((where, request),) = stage.seen
    assert (where, answer.status_code) == ("b", 200)
    assert request.target == "/p%20q?flag=true"
    assert request.one("host") == f"127.0.0.1:{port}"


async def test_request_led_to_a_ruled_host_picks_up_no_token(stage: Stage) -> None:
    async with stage.proxy.client() as client:
        await client.get("http://127.0.0.1:9/url/a")
        await client.get("http://127.0.0.1:9/secured/a", headers={"Authorization": "Basic own"})

    assert [(where, request.one("authorization")) for where, request in stage.seen] == [
        ("b", None),
        ("s", "Basic own"),
    ]
    assert stage.seen[1][1].target == "/secured/a"


async def test_request_led_to_tls_is_verified(stage: Stage) -> None:
    async with stage.proxy.client() as client:
        answer = await client.get("http://127.0.0.1:9/secured/a?x=1")

    assert answer.status_code == 200
    assert [where for where, _ in stage.seen] == ["s"]


async def test_port_is_replaced_and_host_stays(stage: Stage) -> None:
    """Case port-modifier-doc."""
    async with stage.proxy.client() as client:
        answer = await client.get("http://127.0.0.1:9/port/a")

    ((where, request),) = stage.seen
    url = f"http://127.0.0.1:{stage.b.port}/port/a"
    assert (where, request.one("host"), request.one("x-url")) == ("b", "127.0.0.1:9", url)
    assert (request.one("x-port"), answer.headers["x-port"], answer.headers["x-url"]) == ("yes", "yes", url)


async def test_path_and_query_are_replaced_where_they_stand(stage: Stage) -> None:
    async with stage.proxy.client() as client:
        await client.get(f"http://127.0.0.1:{stage.a.port}/path/a?z=%20&amount=1&amount=2")

    ((where, request),) = stage.seen
    assert (where, request.target) == ("a", "/other?amount=75&z=+")
    assert request.one("host") == f"127.0.0.1:{stage.a.port}"


@pytest.mark.parametrize(("to", "where"), [("b", "b"), ("s", "s"), ("-", "a")])
async def test_token_goes_where_the_rule_itself_goes(stage: Stage, to: str, where: str) -> None:
    async with stage.proxy.client() as client:
        answer = await client.get(f"http://localhost:{stage.a.port}/x", headers={"X-To": to})

    assert answer.status_code == 200
    assert [(place, request.one("authorization")) for place, request in stage.seen] == [
        (where, f"Bearer t{len(stage.idp.seen)}")
    ]


async def test_led_request_is_sent_again_after_a_401(stage: Stage) -> None:
    stage.b.unauthorized.add("Bearer t1")

    async with stage.proxy.client() as client:
        answer = await client.post(
            f"http://localhost:{stage.a.port}/x", headers={"X-To": "b"}, content=b"own"
        )
    stage.b.unauthorized.clear()

    assert answer.status_code == 200
    assert [(where, request.body) for where, request in stage.seen] == [("b", b"own")] * 2
    assert stage.b.tokens[1] != "Bearer t1"


async def test_led_connection_serves_the_next_request(stage: Stage) -> None:
    """Two requests on one connection of a client, to one server and to another."""
    async with dial(stage.proxy.port) as line:
        host = f"127.0.0.1:{stage.a.port}"
        first = await line.get(f"http://{host}/url/a", host)
        second = await line.get(f"http://{host}/path/a", host)

    assert (first.status, second.status) == (200, 200)
    assert [where for where, _ in stage.seen] == ["a", "b"]


async def test_parent_proxy_is_asked_for_the_new_server(folder: Path) -> None:
    text = RULES.format(idp="http://127.0.0.1:9/token", a=1, b=2, s=3, h=4)

    async with ParentProxy().running() as parent:
        mode = ("--mode", f"upstream:http://127.0.0.1:{parent.port}")
        async with mitmdump(text, *mode, folder=folder) as proxy, proxy.client() as client:
            await client.get("http://127.0.0.1:9/url/a")
            await client.get("http://127.0.0.1:9/secured/a")

    plain, tunnel = parent.seen
    assert (plain.method, plain.target) == ("GET", "http://localhost:2/p%20q?flag=true")
    assert plain.one("host") == "127.0.0.1:9"
    assert (tunnel.method, tunnel.target) == ("CONNECT", "localhost:3")


async def test_socks_client_is_led_where_the_rule_says_under_block(stage: Stage, folder: Path) -> None:
    """`unmatched: block` is about requests that no rule wins; this one has a rule."""
    text = f"""
version: 1
unmatched: block
rules:
  - name: led
    match: {{host: localhost, port: {stage.a.port}}}
    modifiers: {{port.Modifier: {{port: {stage.b.port}}}}}
"""

    async with mitmdump(text, "--mode", "socks5", folder=folder) as proxy:
        async with dial(proxy.port) as line:
            reply = await line.socks("localhost", stage.a.port)
            led = await line.get("/x", f"localhost:{stage.a.port}")
        async with dial(proxy.port) as line:
            elsewhere = await line.socks("localhost", stage.b.port)

    assert (reply, led.status) == (0, 200)
    assert elsewhere != 0
    assert [where for where, _ in stage.seen] == ["b"]
