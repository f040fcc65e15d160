"""Sections 5 and 10: no secret of a caller shows in what is printed, stored or answered."""

import base64
from pathlib import Path
from urllib.parse import quote

import pytest

from clientcreds_proxy.proxy.request.callers import LARGEST_FORM
from tests.proxy.harness import mitmdump
from tests.proxy.lines import Answer, Line, dial
from tests.proxy.test_canary import shown
from tests.proxy.test_other_addons import OTHER
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio

SECRET = "canary+Secret/of&alice="
WRONG = "canaryWrongSecret"
FORM = "Content-Type: application/x-www-form-urlencoded"


def rules(idp: AuthorizationServer, port: int, tls_port: int, form: str) -> str:
    here = f"host: localhost, port: {port}"
    source = f'token_url: "{idp.token_url}", caller: {{from: [proxy_authorization, header, body, query]'
    return f"""
version: 1
log: {{format: {form}, level: debug}}
status: null
token_sources:
  sso: {{{source}}}}}
  open: {{{source}, hide_credentials: false}}}}
rules:
  - {{name: open, match: {{{here}, path: /open}}, token_source: open, attach: {{header: X-Token}}}}
  - {{name: denied, match: {{{here}, path: /denied}}, token_source: sso, allowed_clients: []}}
  - {{name: sso, match: {{host: localhost, port: [{port}, {tls_port}, 1]}}, token_source: sso}}
"""


def places(secret: str) -> list[tuple[str, tuple[str, ...], str]]:
    """The query, headers and body of requests that say these credentials in each place."""
    basic = "Basic " + base64.b64encode(f"alice:{secret}".encode()).decode()
    form = f"client_id=alice&client_secret={quote(secret, safe='')}"
    return [
        ("", (f"Authorization: {basic}",), ""),
        ("", (f"Proxy-Authorization: {basic}",), ""),
        (f"?{form}", (), ""),
        ("", (FORM,), form),
    ]


async def ask(line: Line, here: str, path: str, *headers: str, body: str = "") -> Answer:
    length = [f"Content-Length: {len(body)}"] if body else []
    head = [f"POST http://{here}{path} HTTP/1.1", f"Host: {here}", *headers, *length]
    return await line.ask("\r\n".join(head) + "\r\n\r\n" + body)


@pytest.mark.parametrize("form", ["text", "json"])
async def test_no_secret_of_a_caller_shows(
    api: Api, tls_api: Api, *, trusted: Path, folder: Path, form: str
) -> None:
    flows, har = folder / "flows", folder / "flows.har"
    options = ("-v", "-w", str(flows), "--set", f"hardump={har}", "--set", "flow_detail=4")
    more = ("--set", f"ssl_verify_upstream_trusted_ca={trusted}")
    here, secure = f"localhost:{api.port}", f"localhost:{tls_api.port}"
    answers: list[Answer] = []
    async with AuthorizationServer(clients={"alice": SECRET}).running() as idp:
        text = rules(idp, api.port, tls_api.port, form)
        async with mitmdump(text, *options, *more, folder=folder) as proxy:
            for query, headers, body in places(WRONG) + places(SECRET):
                async with dial(proxy.port) as line:
                    for path, extra in [
                        ("/a", ()),
                        ("/denied", ()),
                        ("/a//b", ()),
                        ("/a", ("Sec-Fetch-Site: cross-site",)),
                        ("/a", ("Content-Length: 1", "Transfer-Encoding: chunked")),  # mitmproxy's own 400
                    ]:
                        whole = "" if extra[1:] else body
                        answers.append(await ask(line, here, path + query, *headers, *extra, body=whole))
                async with dial(proxy.port) as line:
                    answers.append(await ask(line, "localhost:1", "/closed" + query, *headers, body=body))
                async with dial(proxy.port) as line:
                    proxied = dict(each.split(": ") for each in headers if each.startswith("Proxy"))
                    answers.append(await line.connect(secure, proxied))
                    await line.tls(proxy.ca, "localhost")
                    length = (f"Content-Length: {len(body)}",) if body else ()
                    head = "\r\n".join((f"POST /tls{query} HTTP/1.1", f"Host: {secure}", *headers, *length))
                    answers.append(await line.ask(f"{head}\r\n\r\n{body}"))
            async with dial(proxy.port) as line:  # the header that goes on
                query, headers, body = places(SECRET)[0]
                answers.append(await ask(line, here, "/open", *headers))

    good = [200, 403, 400, 403, 400, 502, 200, 200]
    bad = [401, 403, 400, 403, 400, 401, 200, 401]
    assert [answer.status for answer in answers] == bad * 4 + good * 4 + [200]
    assert "Basic" in api.seen[-1].head.decode()
    assert "caller_unauthorized" in har.read_text()
    assert shown(proxy.output, SECRET, WRONG) == []
    assert shown(flows.read_text("latin-1"), SECRET, WRONG) == []
    assert shown(har.read_text(), SECRET, WRONG) == []
    assert shown("".join(str(answer) for answer in answers), SECRET, WRONG) == []
    for seen in (*api.seen[:-1], *tls_api.seen):
        assert shown(seen.head.decode() + seen.body.decode(), SECRET, WRONG, "client_id") == []


async def test_no_secret_shows_in_what_counts_as_none(api: Api, folder: Path) -> None:
    """Credentials that come twice, stand in too large a form, or behind others that are refused."""
    flows, here = folder / "flows", f"localhost:{api.port}"
    by_header, _, by_query, by_form = places(SECRET)
    basic, form = by_header[1][0], by_form[2]
    refused = places(WRONG)[1][1]
    async with AuthorizationServer(clients={"alice": SECRET}).running() as idp:
        text = rules(idp, api.port, 2, "text")
        async with mitmdump(text, "-w", str(flows), folder=folder) as proxy, dial(proxy.port) as line:
            answers = [
                await ask(line, here, "/a", basic, basic),
                await ask(line, here, "/a", *refused, basic),
                await ask(line, here, f"/a{by_query[0]}&client_id=x&kept=1", "Authorization: Bearer kept"),
                await ask(line, here, "/a", FORM, body=f"{form}&client_id=x&kept=2"),
                await ask(line, here, "/a", FORM, body=f"{form}&kept={'3' * LARGEST_FORM}"),
            ]

    assert [(answer.status, answer.reason) for answer in answers] == [(401, "caller_unauthorized")] * 5
    stored = flows.read_text("latin-1")
    assert shown(stored, SECRET, WRONG) == []
    assert all(word in stored for word in ("/a?kept=1", "Bearer kept", "kept=2", "kept=333"))


async def test_no_secret_shows_in_what_is_refused_for_another_reason(api: Api, folder: Path) -> None:
    """Credentials that were not looked at, for those in another place counted."""
    flows, here = folder / "flows", f"localhost:{api.port}"
    by_header, by_proxy, by_query, by_form = places(SECRET)
    headers, form = (*by_header[1], *by_proxy[1], FORM), by_form[2]
    async with AuthorizationServer(clients={"alice": SECRET}).running() as idp:
        text = rules(idp, api.port, 2, "text")
        async with mitmdump(text, "-w", str(flows), folder=folder) as proxy, dial(proxy.port) as line:
            answers = [
                await ask(line, here, path + by_query[0], *headers, body=form)
                for path in ("/denied", "/a//b")
            ]

    assert [answer.reason for answer in answers] == ["client_denied", "ambiguous_path"]
    assert shown(flows.read_text("latin-1"), SECRET) == []


async def test_no_secret_shows_in_what_others_answer(api: Api, folder: Path) -> None:
    """Those of proxyauth come before the form does, another addon's while it is waited for."""
    flows, here = folder / "flows", f"localhost:{api.port}"
    login = f"Proxy-Authorization: Basic {base64.b64encode(b'user:pass').decode()}"
    async with AuthorizationServer(clients={"alice": SECRET}).running() as idp:
        text = rules(idp, api.port, 2, "text").replace("proxy_authorization, ", "")
        options = ("-w", str(flows), "--set", "proxyauth=user:pass", *OTHER)
        async with mitmdump(text, *options, folder=folder) as proxy:
            answers = []
            for path, logged_in in (("/a", ()), ("/answer", (login,))):
                for query, headers, body in places(SECRET):
                    kept = [header for header in headers if not header.startswith("Proxy")]
                    async with dial(proxy.port) as line:
                        given = await ask(line, here, path + query, *kept, *logged_in, body=body)
                        answers.append(given.status)

    assert answers == [407] * 4 + [218] * 4
    assert "client_id" not in flows.read_text("latin-1")
    assert shown(flows.read_text("latin-1"), SECRET) == []
