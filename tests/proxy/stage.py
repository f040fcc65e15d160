"""One proxy for all tests of a module. Each test takes a lane: servers, a rule and a token of its own."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from tests.proxy.harness import Proxy, mitmdump
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer
from tests.simulators.http2_api import Http2Api


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """An authorization server and its APIs, which no other test talks to."""

    name: str  # of the rule and of its token source
    idp: AuthorizationServer = field(default_factory=AuthorizationServer)
    api: Api = field(default_factory=Api)
    tls_api: Api = field(default_factory=Api)
    http2_api: Http2Api = field(default_factory=Http2Api)

    @property
    def plain(self) -> str:
        """Where `api` is."""
        return f"http://localhost:{self.api.port}"

    @property
    def secure(self) -> str:
        """Where `tls_api` is."""
        return f"https://localhost:{self.tls_api.port}"

    @property
    def http2(self) -> str:
        """Where `http2_api` is."""
        return f"https://localhost:{self.http2_api.port}"

    def source(self, extra: str) -> str:
        """A token source of this name; `extra` is more of it, in YAML's flow style."""
        own = f'token_url: "{self.idp.token_url}", client_id: app, client_secret: s3cr3t'
        return f"  {self.name}: {{{', '.join(filter(None, (own, extra)))}}}\n"

    def rule(self, extra: str) -> str:
        """A rule of this name; `extra` is more of it, in YAML's flow style; PORT there is that of `api`."""
        ports = [self.api.port, self.tls_api.port, self.http2_api.port]
        own = f"name: {self.name}, match: {{host: localhost, port: {ports}}}, token_source: {self.name}"
        return f"  - {{{', '.join(filter(None, (own, extra.replace('PORT', str(self.api.port)))))}}}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What the lanes of one kind say in the configuration besides what all say, and how many there are."""

    rule: str = ""
    source: str = ""
    lanes: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The proxy and the lanes that no test has taken yet."""

    proxy: Proxy
    free: dict[str, list[Lane]]

    def lane(self, kind: str = "usual") -> Lane:
        """One of this kind, for the caller alone."""
        return self.free[kind].pop()

    async def logged(self, lane: Lane, count: int) -> list[dict[str, object]]:
        """Wait for this many lines about requests in a lane."""
        return await self.proxy.logged(count, rule=lane.name)


@asynccontextmanager
async def staged(
    kinds: Mapping[str, Kind], *options: str, folder: Path, authority: trustme.CA
) -> AsyncIterator[Stage]:
    """A proxy that has a rule for each lane of each kind."""
    trusted = folder / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context2 = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.configure_cert(context)
    certificate.configure_cert(context2)
    free = {
        name: [Lane(name=f"{name}-{number}") for number in range(kind.lanes)] for name, kind in kinds.items()
    }
    async with AsyncExitStack() as stack:
        sources, rules = "token_sources:\n", "rules:\n"
        for name, lanes in free.items():
            for lane in lanes:
                await stack.enter_async_context(lane.idp.running())
                await stack.enter_async_context(lane.api.running())
                await stack.enter_async_context(lane.tls_api.running(context))
                await stack.enter_async_context(lane.http2_api.running(context2))
                sources += lane.source(kinds[name].source)
                rules += lane.rule(kinds[name].rule)
        text = f"version: 1\nlog: {{format: json, level: debug}}\n{sources}{rules}"
        trust = f"ssl_verify_upstream_trusted_ca={trusted}"
        proxy = await stack.enter_async_context(mitmdump(text, "--set", trust, *options, folder=folder))
        yield Stage(proxy=proxy, free=free)
        assert "has crashed" not in proxy.output
        assert "Traceback" not in proxy.output
