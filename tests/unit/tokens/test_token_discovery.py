import asyncio
import gc
from dataclasses import dataclass, field
from typing import Any

import pytest

from clientcreds_proxy.errors import TokenFailure, TokenMalformed, TokenUnavailable
from clientcreds_proxy.tokens.model import Client, ClientTls, SourceSpec, SourceWarning, TokenRequest
from clientcreds_proxy.tokens.server.discovery import Discovery
from clientcreds_proxy.tokens.server.metadata import Found, Metadata
from tests.unit.tokens.making import FakeClock, a_spec, settle

pytestmark = pytest.mark.anyio

ISSUER = "https://idp.example.com"
METADATA = Metadata(issuer=ISSUER, token_endpoint="https://idp.example.com/token")


def a_source(**changes: Any) -> SourceSpec:
    return a_spec(**({"token_url": "", "issuer": ISSUER} | changes))


@dataclass
class Server:
    """An authorization server behind the look port, and who listens to the discovery."""

    clock: FakeClock = field(default_factory=FakeClock)
    metadata: Metadata = METADATA
    failure: Exception | None = None
    open: asyncio.Event | None = None  # no answer before it is set
    looks: list[str] = field(default_factory=list)
    warnings: list[SourceWarning] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.discovery = Discovery(clock=self.clock, look=self.look, warn=self.warnings.append)

    async def look(self, issuer: str, _: Client) -> Found:
        self.looks.append(issuer)
        if self.open is not None:
            await self.open.wait()
        if self.failure is not None:
            raise self.failure
        return Found(metadata=self.metadata, kept_seconds=3600)

    async def endpoint(self, spec: SourceSpec | None = None) -> str:
        located, _ = await self.discovery.locate(spec or a_source())
        return located.token_url

    async def refusal(self) -> TokenFailure:
        try:
            await self.endpoint()
        except TokenFailure as failure:
            return failure
        raise AssertionError("metadata came")

    @property
    def said(self) -> list[str]:
        return [warning.message for warning in self.warnings]


async def test_discovery_is_not_asked_where_the_endpoint_is_given() -> None:
    server, spec = Server(), a_spec(issuer=ISSUER)

    assert await server.discovery.locate(spec) == (spec, None)
    assert server.looks == []


async def test_discovery_gives_the_source_its_endpoint_and_the_metadata() -> None:
    server = Server()

    located, metadata = await server.discovery.locate(a_source())

    assert located == a_spec(issuer=ISSUER, token_url="https://idp.example.com/token")
    assert metadata == server.metadata


@pytest.mark.parametrize(
    ("client_auth", "endpoint"),
    [
        ("tls_client_auth", "https://mtls.example.com/token"),
        ("self_signed_tls_client_auth", "https://mtls.example.com/token"),
        ("auto", "https://idp.example.com/token"),
    ],
)
async def test_discovery_follows_the_alias_of_those_with_a_certificate(
    client_auth: str, endpoint: str
) -> None:
    """F02."""
    server = Server(
        metadata=Metadata(
            issuer=ISSUER,
            token_endpoint="https://idp.example.com/token",
            mtls_token_endpoint="https://mtls.example.com/token",
        )
    )

    assert await server.endpoint(a_source(client_auth=client_auth)) == endpoint


async def test_discovery_uses_the_plain_endpoint_where_there_is_no_alias() -> None:
    spec = a_source(client_auth="tls_client_auth")

    assert await Server().endpoint(spec) == "https://idp.example.com/token"


async def test_discovery_looks_once_for_all_who_wait() -> None:
    """H07."""
    server = Server(open=asyncio.Event())

    waiting = [asyncio.ensure_future(server.endpoint(a_source(name=f"s{n}"))) for n in range(50)]
    await settle()
    waiting[0].cancel()
    await settle()
    assert server.open is not None
    server.open.set()
    rest = await asyncio.gather(*waiting[1:])

    assert rest == ["https://idp.example.com/token"] * 49
    assert server.looks == [ISSUER]


async def test_discovery_finishes_though_nobody_waits_any_more() -> None:
    server = Server(open=asyncio.Event())

    waiting = asyncio.ensure_future(server.endpoint())
    await settle()
    waiting.cancel()
    await settle()
    assert server.open is not None
    server.open.set()
    await settle()

    assert await server.endpoint() == "https://idp.example.com/token"
    assert server.looks == [ISSUER]


async def test_discovery_shares_nothing_between_ways_to_reach_a_server() -> None:
    server = Server()

    await server.endpoint(a_source(client=Client(tls=ClientTls(insecure_skip_verify=True))))
    await server.endpoint(a_source())
    await server.endpoint(a_source(client=Client(timeout_seconds=1)))

    assert len(server.looks) == 2


async def test_discovery_looks_again_when_the_metadata_is_past() -> None:
    server = Server()
    await server.endpoint()

    server.clock.advance(3599)
    await server.endpoint()
    assert len(server.looks) == 1

    server.clock.advance(1)
    await server.endpoint()
    assert len(server.looks) == 2


async def test_discovery_that_fails_is_told_to_all_and_tried_again() -> None:
    server = Server(failure=TokenUnavailable("idp.example.com answered 500"))

    failures = await asyncio.gather(server.refusal(), server.refusal())

    assert [failure.detail for failure in failures] == ["idp.example.com answered 500"] * 2
    assert failures[0] is not failures[1]
    assert server.said == []
    server.failure = None
    assert await server.endpoint() == "https://idp.example.com/token"
    assert len(server.looks) == 2


async def test_discovery_keeps_old_metadata_where_a_look_fails() -> None:
    server = Server()
    await server.endpoint()
    server.failure = TokenMalformed("it holds no JSON object")

    for _ in range(3):
        server.clock.advance(3600)
        assert await server.endpoint() == "https://idp.example.com/token"

    assert len(server.looks) == 4
    assert server.said == [f"the metadata known of {ISSUER} serves on: it holds no JSON object"]


async def test_discovery_leaves_a_failing_server_alone_for_a_minute() -> None:
    server = Server()
    await server.endpoint()
    server.failure = TokenUnavailable("down")
    server.clock.advance(3600)

    await server.endpoint()
    server.clock.advance(59)
    await server.endpoint()

    assert len(server.looks) == 2


async def test_discovery_says_again_that_it_fails_after_it_worked() -> None:
    server, failure = Server(), TokenUnavailable("down")
    for outcome in (None, failure, None, failure):
        server.failure = outcome
        await server.endpoint()
        server.clock.advance(3600)

    assert len(server.said) == 2


async def test_discovery_does_not_wait_long_where_old_metadata_serves() -> None:
    server = Server()
    spec = a_source(client=Client(timeout_seconds=0.02))
    await server.endpoint(spec)
    server.clock.advance(3600)
    server.open = asyncio.Event()

    assert await server.endpoint(spec) == "https://idp.example.com/token"

    await server.discovery.aclose()


async def test_discovery_warns_when_the_token_endpoint_moves_to_another_host() -> None:
    """H08."""
    server = Server()
    await server.endpoint()
    server.clock.advance(3600)
    server.metadata = Metadata(issuer=ISSUER, token_endpoint="https://evil.example/token")

    assert await server.endpoint() == "https://evil.example/token"

    assert server.warnings == [
        SourceWarning(
            source="billing",
            message=f"{ISSUER} gives tokens at another host now: evil.example, before idp.example.com",
        )
    ]


async def test_discovery_is_silent_when_the_endpoint_moves_on_its_host() -> None:
    server = Server()
    await server.endpoint()
    server.clock.advance(3600)
    server.metadata = Metadata(issuer=ISSUER, token_endpoint="https://idp.example.com/new")

    assert await server.endpoint() == "https://idp.example.com/new"
    assert server.said == []


async def test_discovery_warns_once_of_a_grant_that_is_not_supported() -> None:
    metadata = Metadata(
        issuer=ISSUER, token_endpoint="https://idp.example.com/token", grant_types=("authorization_code",)
    )
    server = Server(metadata=metadata)

    for _ in range(2):
        await server.endpoint()
        server.clock.advance(3600)

    assert server.said == [f"{ISSUER} does not name client_credentials among its grant_types_supported"]


async def test_discovery_looks_for_the_sources_own_grant() -> None:
    metadata = Metadata(
        issuer=ISSUER, token_endpoint="https://idp.example.com/token", grant_types=("account_credentials",)
    )
    server = Server(metadata=metadata)

    await server.endpoint(a_source(token_request=TokenRequest(grant_type="account_credentials")))

    assert server.said == []


async def test_discovery_ends_its_looks_when_it_is_closed() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    server = Server(open=asyncio.Event())
    waiting = asyncio.ensure_future(server.endpoint())
    await settle()

    await server.discovery.aclose()

    (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(outcome, asyncio.CancelledError)
    gc.collect()
    await settle()
    assert told == []


async def test_discovery_closes_with_nothing_under_way() -> None:
    server = Server()
    await server.endpoint()

    await server.discovery.aclose()


async def test_discovery_passes_a_bug_on() -> None:
    server = Server(failure=ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        await server.endpoint()
