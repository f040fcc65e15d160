"""Section 3.7: the token is in the bytes alone, in its own header, for its own destination."""

import asyncio
import os
import shutil
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from mitmproxy import http
from mitmproxy.net.http import http1
from mitmproxy.proxy.layers.http import _http2, _http3

from clientcreds_proxy.proxy.inside.wire import PREFIX, Sealed, Wire, WireError
from clientcreds_proxy.rules.model import Destination
from clientcreds_proxy.secret import Secret
from tests.proxy.harness import PATIENCE, ROOT, mitmdump
from tests.proxy.lines import dial
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer
from tests.simulators.http2_api import Http2Api

pytestmark = pytest.mark.anyio

HERE = Destination(scheme="https", host="api.test", port=443)


@pytest.fixture
def wire() -> Iterator[Wire]:
    """An installed wire."""
    wire = Wire()
    wire.install()
    yield wire
    wire.uninstall()


def a_request(url: str = "https://api.test/", **headers: str) -> http.Request:
    """A GET of this URL."""
    fields = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return http.Request.make("GET", url, b"", fields)


def head_of(request: http.Request) -> bytes:
    """The request as HTTP/1 has it."""
    return bytes(http1.assemble_request_head(request))


def fields_of(request: http.Request, module: Any = _http2) -> list[tuple[bytes, bytes]]:
    """The request as HTTP/2 or HTTP/3 has it."""

    class Event:
        """As much of one as listing takes."""

        def __init__(self) -> None:
            self.request = request

    listing = module.format_h2_request_headers(None, Event())
    try:
        next(listing)
    except StopIteration as done:
        fields: list[tuple[bytes, bytes]] = done.value
        return fields
    raise AssertionError("it wants more than the request")


def seal(wire: Wire, destination: Destination = HERE) -> str:
    """A placeholder for `the-token`."""
    return wire.seal(Sealed(value=Secret("the-token"), header="Authorization", destination=destination))


@pytest.mark.parametrize("write", [head_of, fields_of, lambda request: fields_of(request, _http3)])
def test_wire_writes_the_token_in_its_header(wire: Wire, write: Callable[[http.Request], Any]) -> None:
    request = a_request(authorization=f"Bearer {seal(wire)}")

    written = str(write(request))

    assert "Bearer the-token" in written
    assert PREFIX not in written
    assert "the-token" not in repr(request.headers)


@pytest.mark.parametrize("write", [head_of, fields_of])
@pytest.mark.parametrize(
    "request_of",
    [
        lambda mark: a_request("https://other.test/", authorization=f"Bearer {mark}"),
        lambda mark: a_request("http://api.test:443/", authorization=f"Bearer {mark}"),
        lambda mark: a_request("https://api.test:8443/", authorization=f"Bearer {mark}"),
        lambda mark: a_request(x_copy=f"Bearer {mark}"),
        lambda _: a_request(authorization=f"Bearer {PREFIX}{'0' * 32}"),
        lambda mark: a_request(authorization=f"Bearer {mark[:-1]}"),
        lambda _: a_request(authorization=f"Bearer {PREFIX}"),
    ],
)
def test_wire_takes_a_header_out(
    wire: Wire,
    write: Callable[[http.Request], Any],
    request_of: Callable[[str], http.Request],
) -> None:
    request = request_of(seal(wire))

    written = str(write(request))

    assert "the-token" not in written
    assert PREFIX not in written


@pytest.mark.parametrize("write", [head_of, fields_of])
def test_wire_writes_no_token_into_the_path(wire: Wire, write: Callable[[http.Request], Any]) -> None:
    mark = seal(wire)

    written = str(write(a_request(f"https://api.test/{mark}")))

    assert mark in written
    assert "the-token" not in written


def test_wire_takes_out_what_is_over(wire: Wire) -> None:
    mark = seal(wire)
    wire.forget(mark)

    assert b"authorization" not in head_of(a_request(authorization=f"Bearer {mark}"))


def test_wire_leaves_mitmproxy_as_it_was() -> None:
    before = mitmproxys_own()

    wire = Wire()
    wire.install()
    wire.uninstall()

    assert mitmproxys_own() == before


def mitmproxys_own() -> list[Any]:
    """What the wire wraps."""
    return [
        http1.assemble_request_head,
        _http2.format_h2_request_headers,
        _http3.format_h2_request_headers,
    ]


@contextmanager
def another_mitmproxy(module: Any, name: str, function: Any) -> Iterator[None]:
    """A mitmproxy that writes requests in another way."""
    usual = getattr(module, name)
    setattr(module, name, function)
    try:
        yield
    finally:
        setattr(module, name, usual)


def other_fields(*_: Any) -> Iterator[None]:
    """Wants something first."""
    yield


def no_fields(_: Any, event: Any) -> Any:
    """Lists the fields, but is no generator any more."""
    return event.request.headers.fields


@pytest.mark.parametrize(
    ("module", "name", "function"),
    [
        (http1, "assemble_request_head", lambda _: b"GET / HTTP/1.1\r\n\r\n"),
        (http1, "assemble_request_head", lambda _, __: b""),
        (http1, "assemble_request_head", None),
        (_http2, "format_h2_request_headers", other_fields),
        (_http2, "format_h2_request_headers", no_fields),
    ],
)
def test_wire_refuses_a_mitmproxy_that_writes_in_another_way(module: Any, name: str, function: Any) -> None:
    with another_mitmproxy(module, name, function):
        before = mitmproxys_own()
        with pytest.raises(WireError, match="writes requests in another way"):
            Wire().install()
        assert mitmproxys_own() == before


CHANGED = f"""
import sys
sys.path.insert(0, {str(ROOT / "addon")!r})
from mitmproxy.net.http import http1
http1.assemble_request_head = lambda request: b"GET / HTTP/1.1\\r\\n\\r\\n"
from clientcreds_proxy.proxy.addon import ClientCreds
addons = [ClientCreds()]
"""


async def test_proxy_does_not_start_on_a_mitmproxy_that_writes_in_another_way(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    changed = folder / "changed.py"
    changed.write_text(CHANGED)

    with pytest.raises(AssertionError, match=r"(?s)ended with 1:.*writes requests in another way") as failure:
        async with mitmdump(rules(idp, api.port), script=changed, folder=folder):
            pass

    assert "Traceback" not in str(failure.value)


def rules(idp: AuthorizationServer, *ports: int) -> str:
    """`localhost` is ruled on these ports."""
    return f"""
version: 1
log: {{format: json}}
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - name: api
    match: {{host: localhost, port: {list(ports)}}}
    token_source: idp
"""


async def test_placeholder_of_a_client_reaches_no_server_as_a_token(
    idp: AuthorizationServer, api: Api, authority: trustme.CA, trusted: Path, *, folder: Path
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    mark = PREFIX + "0" * 32
    body = f"{mark}".encode()
    trust = f"ssl_verify_upstream_trusted_ca={trusted}"

    async with (
        Http2Api().running(tls) as http2,
        mitmdump(rules(idp, api.port, http2.port), "--set", trust, folder=folder) as proxy,
        proxy.client(http2=True) as client,
    ):
        own = {"X-Mark": mark}
        plain = await client.post(f"http://localhost:{api.port}/{mark}", content=body, headers=own)
        secure = await client.post(f"https://localhost:{http2.port}/{mark}", content=body, headers=own)

    assert (plain.status_code, secure.status_code) == (200, 200)
    assert (api.seen[0].target, api.seen[0].body) == (f"/{mark}", body)
    assert api.tokens == ["Bearer t1"]
    assert api.seen[0].one("x-mark") is None
    assert http2.all(":path") == [f"/{mark}"]
    assert http2.all("authorization") == ["Bearer t1"]
    assert http2.all("x-mark") == []


async def test_token_is_written_for_an_http2_client_and_an_http1_api(
    idp: AuthorizationServer, tls_api: Api, trusted: Path, folder: Path
) -> None:
    options = ("--set", f"ssl_verify_upstream_trusted_ca={trusted}", "--set", "connection_strategy=lazy")

    async with (
        mitmdump(rules(idp, tls_api.port), *options, folder=folder) as proxy,
        dial(proxy.port) as line,
    ):
        await line.connect(f"localhost:{tls_api.port}")
        await line.tls(proxy.ca, "localhost", protocols=("h2",))
        here = f"localhost:{tls_api.port}"
        answer = await line.ask_http2(
            (":method", "GET"), (":scheme", "https"), (":authority", here), (":path", "/a")
        )

    assert answer.status == 200
    assert tls_api.tokens == ["Bearer t1"]


@pytest.fixture
def checkout(folder: Path) -> Path:
    """A copy of the addon, in a folder of its own with a blank in its name."""
    copy = folder / "a checkout"
    shutil.copytree(ROOT / "addon", copy / "addon", ignore=shutil.ignore_patterns("__pycache__"))
    return copy / "addon" / "clientcreds.py"


def touch(script: Path, text: str | None = None) -> None:
    """Change the script, visibly later than before."""
    later = script.stat().st_mtime_ns + 2_000_000_000
    if text is not None:
        script.write_text(text)
    os.utime(script, ns=(later, later))


async def test_token_is_attached_after_the_script_was_touched(
    idp: AuthorizationServer, api: Api, folder: Path, checkout: Path
) -> None:
    async with (
        mitmdump(rules(idp, api.port), script=checkout, folder=folder) as proxy,
        proxy.client() as client,
    ):
        for times in (2, 3):
            await client.get(f"http://localhost:{api.port}/a")
            touch(checkout)
            await proxy.said("the rules are those of", times=times)
        answer = await client.get(f"http://localhost:{api.port}/a")
        lines = await proxy.logged(3)

    assert answer.status_code == 200
    assert api.tokens == ["Bearer t1", "Bearer t2", "Bearer t3"]  # each time a new cache
    assert len(lines) == 3
    assert "Traceback" not in proxy.output


async def test_code_is_loaded_again_when_the_script_was_touched(
    idp: AuthorizationServer, api: Api, folder: Path, checkout: Path
) -> None:
    errors = checkout.parent / "clientcreds_proxy" / "errors.py"

    async with (
        mitmdump(rules(idp, api.port), script=checkout, folder=folder) as proxy,
        proxy.client() as client,
    ):
        before = await client.request("TRACE", f"http://localhost:{api.port}/a")
        text = errors.read_text()
        errors.write_text(text.replace("This method is not forwarded", "Changed while running"))
        touch(checkout)
        await proxy.said("the rules are those of", times=2)
        after = await client.request("TRACE", f"http://localhost:{api.port}/a")

    assert before.json()["title"] == "This method is not forwarded"
    assert after.json()["title"] == "Changed while running"


def break_the_script(script: Path) -> None:
    """Leave a syntax error in it."""
    touch(script, "addons = [")


def break_the_package(script: Path) -> None:
    """Leave a syntax error in a module."""
    (script.parent / "clientcreds_proxy" / "errors.py").write_text("def")
    touch(script)


def break_the_configuration(script: Path) -> None:
    """Leave a bad configuration beside a good script."""
    (script.parents[2] / "rules.yaml").write_text("version: 7")
    touch(script)


@pytest.mark.parametrize("spoil", [break_the_script, break_the_package, break_the_configuration])
async def test_nothing_passes_after_the_script_could_not_be_loaded_again(
    idp: AuthorizationServer, api: Api, folder: Path, *, checkout: Path, spoil: Callable[[Path], None]
) -> None:
    here = f"localhost:{api.port}"
    elsewhere = f"127.0.0.1:{api.port}"
    good = {
        path: path.read_text() for path in (checkout, checkout.parent / "clientcreds_proxy" / "errors.py")
    }

    async with mitmdump(rules(idp, api.port), script=checkout, folder=folder) as proxy:
        good[folder / "rules.yaml"] = (folder / "rules.yaml").read_text()
        async with dial(proxy.port) as line, dial(proxy.port) as tunnel:
            await tunnel.connect(here)
            await tunnel.get("/before", here)
            spoil(checkout)
            await proxy.said("error in script")
            refused = [
                await line.get(f"http://{here}/refused", here),
                await line.get(f"http://{elsewhere}/refused", elsewhere),
                await line.connect(here),
                await tunnel.get("/refused", here),
            ]
            for path, text in good.items():
                path.write_text(text)
            touch(checkout)
            await proxy.said("Loading script", times=3)
            again = await line.get(f"http://{here}/again", here)

    assert [(answer.status, answer.reason) for answer in refused] == [(500, "internal_error")] * 4
    assert again.status == 200
    assert [request.target for request in api.seen] == ["/before", "/again"]
    assert api.tokens == ["Bearer t1", "Bearer t2"]


@pytest.mark.parametrize("when_present", ["replace", "keep", "refuse"])
async def test_flow_that_is_played_again_gets_a_token_of_its_own(
    idp: AuthorizationServer, api: Api, folder: Path, *, when_present: str
) -> None:
    """Section 3.6: the placeholder in a stored flow is no header of the client's."""
    text = rules(idp, api.port) + f"    attach: {{when_present: {when_present}}}\n"
    flows = folder / "flows"

    async with mitmdump(text, "-w", str(flows), folder=folder) as proxy, proxy.client() as client:
        await client.get(f"http://localhost:{api.port}/a")
    async with mitmdump(text, "-C", str(flows), folder=folder, listens_at=None) as again:
        await asyncio.wait_for(again.process.wait(), PATIENCE)

    assert PREFIX.encode() in flows.read_bytes()
    assert api.tokens == ["Bearer t1", "Bearer t2"]
