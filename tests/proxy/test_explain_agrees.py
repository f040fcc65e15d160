"""What `explain` says of a request is what becomes of it: generated rules and requests, one real proxy."""

import json
import random
import ssl
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from mitmproxy import http

from clientcreds_proxy.proxy.explaining.explain import Explanation, explain
from clientcreds_proxy.proxy.explaining.imagined import Imagined
from tests.proxy.corpus import HOSTS, PORTS, Corpus
from tests.proxy.inside import Inside, inside
from tests.proxy.lines import Answer, Line, dial
from tests.simulators.api import Api, Request
from tests.simulators.authorization_server import AuthorizationServer, Reply, Seen
from tests.simulators.parent_proxy import ParentProxy

pytestmark = pytest.mark.anyio

FILES, REQUESTS = 40, 12
CLAIMS = {"grp": "staff"}  # of every token
FORWARDED = {"(claim grp)": "staff", "(claim gone)": ""}
HIDDEN = {"authorization", "cookie", "proxy-authorization", "x-token"}
NAMES = tuple(host.encode("idna").decode() for host in HOSTS)


@dataclass(slots=True)
class Comments:
    """An addon that reads what ours writes beside each flow."""

    last: str | None = None

    def response(self, flow: http.HTTPFlow) -> None:
        """The flow has its answer."""
        self.last = flow.comment


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The proxy, and behind a parent proxy one API that has the names of all hosts."""

    inside: Inside
    api: Api
    parent: ParentProxy
    certificate: bytes
    comments: Comments

    async def send(self, imagined: Imagined) -> "Happened":
        """Do what `imagined` only says."""
        self.api.seen.clear()
        self.parent.seen.clear()
        self.comments.last = None
        url = imagined.url
        tls = url.destination.scheme == "https"
        headers = list(sent_headers(imagined))
        async with dial(self.inside.port, source=imagined.client_address) as line:
            if tls:
                refused, tunnelled = await self._open(line, imagined)
                if refused is not None or tunnelled:
                    return Happened(answer=refused, at_connect=not tunnelled, tunnelled=tunnelled)
                headers = [each for each in headers if each[0] != "Proxy-Authorization"]
            lines = [
                f"{imagined.method} {url.target if tls else url} HTTP/1.1",
                *(f"{name}: {value}" for name, value in headers),
            ]
            answer = await line.ask("\r\n".join(lines) + "\r\n\r\n")
        return Happened(answer=answer, comment=self.comments.last, arrived=self._arrived())

    async def _open(self, line: Line, imagined: Imagined) -> tuple[Answer | None, bool]:
        """The refusal of the CONNECT, if there is one; and whether TLS is the API's own."""
        opened = await line.connect(imagined.url.authority)
        if opened.status != 200:
            return opened, False
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        tls = await line.tls(context, imagined.url.server_name or imagined.url.destination.host)
        return None, tls.getpeercert(binary_form=True) == self.certificate

    def _arrived(self) -> "Arrived | None":
        if self.api.seen:  # TLS, in the tunnel of the parent's latest CONNECT
            where = f"https://{self.parent.seen[-1].target}"
            return Arrived(where=where, target=self.api.seen[-1].target, request=self.api.seen[-1])
        plain = [request for request in self.parent.seen if request.method != "CONNECT"]
        if not plain:
            return None
        scheme, _, rest = plain[-1].target.partition("://")
        authority, _, path = rest.partition("/")
        where = f"{scheme}://{authority}" + ("" if ":" in authority else ":80")
        return Arrived(where=where, target=f"/{path}", request=plain[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A request where it arrived."""

    where: str  # scheme, host and port
    target: str
    request: Request

    @property
    def headers(self) -> Counter[tuple[str, str]]:
        """Names in small letters, with their values."""
        return Counter((name.lower(), value) for name, value in self.request.headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """What became of a request."""

    answer: Answer | None
    at_connect: bool = False
    tunnelled: bool = False
    comment: str | None = None
    arrived: Arrived | None = field(default=None, repr=False)


TOKEN = ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode() for part in ({"alg": "x"}, CLAIMS))


def giving_jwt(_: Seen) -> Reply:
    answer = {"access_token": f"{TOKEN}.x", "token_type": "Bearer", "expires_in": 3600}
    return Reply(body=json.dumps(answer).encode(), headers={"Content-Type": "application/json"})


def sent_headers(imagined: Imagined) -> Iterator[tuple[str, str]]:
    if all(name != "Host" for name, _ in imagined.headers):
        yield "Host", imagined.url.host_header
    yield from imagined.headers


def expected_headers(imagined: Imagined, said: Explanation) -> Counter[tuple[str, str]]:
    """What the API sees, by the explanation's word; `***` for what that does not show."""
    tls = imagined.url.destination.scheme == "https"
    headers = Counter(
        (name.lower(), masked(name, value))
        for name, value in sent_headers(imagined)
        if not (tls and name == "Proxy-Authorization")
    )
    for change in said.changes:
        if change.before is not None:
            headers[change.what.lower(), change.before] -= 1
        if change.after is not None:
            headers[change.what.lower(), FORWARDED.get(change.after, change.after)] += 1
    headers.update((each.header.lower(), "***") for each in said.attached)
    return +Counter(
        {name: count for name, count in headers.items() if name[0] not in ("destination", "target")}
    )


def masked(name: str, value: str) -> str:
    return "***" if name.lower() in {*HIDDEN, "x-api-key"} else value


def check(imagined: Imagined, said: Explanation, happened: Happened) -> None:
    """Raise where the explanation is not what happened."""
    if said.refusal is not None:
        assert happened.at_connect == said.at_connect
        assert happened.arrived is None
        assert happened.answer is not None
        problem = happened.answer.problem if happened.answer.body else {}
        assert happened.answer.status == said.refusal.status
        assert said.refusal.reason == problem.get("reason") or said.refusal.reason in happened.answer.phrase
        if not said.at_connect:
            assert problem.get("rule") == (said.rule.name if said.rule else None)
            assert problem["detail"] == said.refusal.detail
        return
    assert happened.tunnelled == (said.outcome == "tunnelled")
    if happened.tunnelled:
        return
    assert happened.answer is not None
    assert (happened.answer.status, happened.answer.reason) == (200, None)
    _check_arrived(imagined, said, happened)


def _check_arrived(imagined: Imagined, said: Explanation, happened: Happened) -> None:
    rule = said.rule.name if said.rule else None
    assert (happened.comment or "").startswith(
        f"clientcreds rule={rule} " if said.outcome == "passes" else ""
    )
    assert bool(happened.comment) == (said.outcome == "passes")
    arrived = happened.arrived
    assert arrived is not None
    to = said.destination
    assert arrived.where == f"{to.scheme}://{to.authority}"
    assert arrived.request.method == imagined.method
    targets = [change.after for change in said.changes if change.what == "target"]
    assert arrived.target == (targets or [imagined.url.target])[0]
    seen = Counter((name, masked(name, value)) for name, value in arrived.headers.elements())
    assert seen == expected_headers(imagined, said)
    for each in said.attached:
        value = arrived.request.one(each.header)
        assert value is not None
        assert value.startswith(each.shown.removesuffix("***"))
        assert value.removeprefix(each.shown.removesuffix("***")).startswith((TOKEN, "k3y"))


async def test_explain_says_what_the_proxy_does(authority: trustme.CA, trusted: Path, folder: Path) -> None:
    """Contract section 8: the same code that decides in the proxy."""
    corpus = Corpus(chance=random.Random(20))  # noqa: S311 - the same corpus every time
    leaf = authority.issue_cert(*NAMES)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    certificate = ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())
    outcomes: Counter[str] = Counter()
    comments = Comments()
    async with (
        AuthorizationServer(answers=giving_jwt).running() as idp,
        Api().running(context) as api,
        ParentProxy().running() as parent,
        inside(
            corpus.configuration(idp.token_url),
            comments,
            folder=folder,
            mode=f"upstream:http://127.0.0.1:{parent.port}",
            ssl_verify_upstream_trusted_ca=str(trusted),
            connection_strategy="lazy",
        ) as proxy,
    ):
        parent.routes |= {f"{name}:{port}": api.port for name in NAMES for port in PORTS}
        world = World(inside=proxy, api=api, parent=parent, certificate=certificate, comments=comments)
        for _ in range(FILES):
            (folder / "rules.yaml").write_text(text := corpus.configuration(idp.token_url))
            assert await proxy.addon.house.reload(), text
            for _ in range(REQUESTS):
                imagined = corpus.request()
                said = explain(proxy.addon.house.policy, imagined)
                happened = await world.send(imagined)
                try:
                    check(imagined, said, happened)
                except (AssertionError, KeyError) as error:
                    raise AssertionError(f"{imagined}\n{said}\n{happened}\n{text}") from error
                outcomes[said.refusal.reason if said.refusal else said.outcome] += 1

    assert sum(outcomes.values()) == FILES * REQUESTS
    assert set(outcomes) >= ALL_OUTCOMES, outcomes


ALL_OUTCOMES = {
    *("passes", "unchanged", "tunnelled", "no_rule", "client_denied", "plaintext_refused", "cross_site"),
    *("header_present", "ambiguous_path", "method_refused", "destination_mismatch"),
}
