"""Tokens that are verified before they are used (RFC 9068, 7517, 7662), by a server on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from clientcreds_proxy.errors import TokenFailure, TokenInvalid
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.model import Client, SourceSpec, SourceWarning, Token, Verify
from clientcreds_proxy.tokens.server.session import Sessions
from clientcreds_proxy.tokens.verify.jwks import SignatureHeader
from clientcreds_proxy.tokens.verify.keys import AGAIN_SECONDS, FoundKeys, Keys
from clientcreds_proxy.tokens.verify.look import HttpLookForKeys
from tests.conformance.discovering import issuer_of, publish
from tests.simulators.authorization_server import AuthorizationServer, Reply, Seen
from tests.unit.tokens.jwts import jwks, jwt, public_jwk
from tests.unit.tokens.making import FakeClock, a_spec
from tests.unit.tokens.signing import P256, RSA

pytestmark = pytest.mark.anyio

JWKS = "/jwks"
INTROSPECTION = "/introspect"


@dataclass(slots=True, kw_only=True)
class Server:
    """An authorization server that signs its tokens, and can be asked about them."""

    server: AuthorizationServer
    clock: FakeClock = field(default_factory=FakeClock)
    claims: dict[str, Any] = field(default_factory=dict)
    token: str | None = None  # instead of a JWT with these claims
    key_id: str = "k1"
    introspected: Reply = field(default_factory=lambda: Reply(body=b'{"active": true}'))
    warnings: list[SourceWarning] = field(default_factory=list)
    _keys: Keys | None = None

    def publish_keys(self, *keys: dict[str, Any], **headers: str) -> None:
        """Put these keys where they are looked for."""
        self.server.documents[JWKS] = Reply(body=jwks(*keys), headers=headers)

    def answer(self, request: Seen) -> Reply:
        """To a POST."""
        if request.target == INTROSPECTION:
            return self.introspected
        token = self.token or jwt(self.claims, kid=self.key_id)
        return Reply(body=json.dumps({"access_token": token, "token_type": "Bearer"}).encode())

    def asked(self, target: str) -> list[Seen]:
        """The requests for this path."""
        return [seen for seen in self.server.seen if seen.target == target]

    def spec(self, verify: Verify | None = None, **changes: Any) -> SourceSpec:
        """A source with the keys' address, unless other keys are given."""
        verify = verify or Verify(jwks_url=self.url(JWKS))
        return a_spec(**({"token_url": self.server.token_url, "verify": verify} | changes))

    def url(self, path: str) -> str:
        """Of something here."""
        return issuer_of(self.server, path)

    async def fetch(self, spec: SourceSpec | None = None) -> Token:
        """A token of the source; its keys are kept from one fetch to the next."""
        if self._keys is None:
            sessions = Sessions(clock=self.clock, chance=lambda: 0)
            look = HttpLookForKeys(sessions)
            self._keys = Keys(clock=self.clock, look=look, warn=self.warnings.append)
        fetch = HttpFetch(clock=self.clock, keys=self._keys, chance=lambda: 0)
        return (await fetch(spec or self.spec())).token

    async def failure(self, spec: SourceSpec | None = None) -> TokenFailure:
        """What came instead of a token."""
        with pytest.raises(TokenFailure) as caught:
            await self.fetch(spec)
        return caught.value


@pytest.fixture
async def idp() -> AsyncIterator[Server]:
    async with AuthorizationServer().running() as server:
        own = Server(server=server)
        server.answers = own.answer
        own.claims = {"iss": issuer_of(server), "sub": "app", "exp": own.clock.wall + 600}
        own.publish_keys(public_jwk(RSA, kid="k1"))
        yield own


async def test_token_that_its_issuer_signed_is_used_with_its_claims(idp: Server) -> None:
    token = await idp.fetch()

    assert token.claims == idp.claims
    assert len(idp.asked(JWKS)) == 1


async def test_keys_are_kept(idp: Server) -> None:
    await idp.fetch()
    await idp.fetch()

    assert len(idp.asked(JWKS)) == 1


async def test_keys_are_fetched_again_when_they_are_old(idp: Server) -> None:
    idp.publish_keys(public_jwk(RSA, kid="k1"), **{"Cache-Control": "max-age=600"})
    await idp.fetch()
    idp.clock.advance(599)
    idp.claims["exp"] += 6000
    await idp.fetch()
    assert len(idp.asked(JWKS)) == 1

    idp.clock.advance(1)
    await idp.fetch()

    assert len(idp.asked(JWKS)) == 2


async def test_new_key_is_found_at_once_when_a_token_names_it(idp: Server) -> None:
    await idp.fetch()
    idp.key_id = "k2"
    idp.publish_keys(public_jwk(RSA, kid="k2"))

    token = await idp.fetch()

    assert token.claims == idp.claims
    assert len(idp.asked(JWKS)) == 2


@pytest.mark.parametrize("kid", ["k1", None])
async def test_new_key_is_found_at_once_when_no_new_id_tells_of_it(idp: Server, kid: str | None) -> None:
    await idp.fetch()
    new = RSAKey.generate_key(2048)
    idp.token = jwt(idp.claims, key=new, kid=kid)
    idp.publish_keys({**new.as_dict(private=False), "kid": "k1"})

    token = await idp.fetch()

    assert token.claims == idp.claims


async def test_made_up_key_ids_do_not_make_us_ask_again_and_again(idp: Server) -> None:
    await idp.fetch()
    for number in range(5):
        idp.key_id = f"made-up-{number}"
        failure = await idp.failure()

        assert isinstance(failure, TokenInvalid)
        assert "a key that its issuer does not publish" in failure.detail

    assert len(idp.asked(JWKS)) == 2
    idp.clock.advance(AGAIN_SECONDS)
    await idp.failure()
    assert len(idp.asked(JWKS)) == 3


async def test_known_keys_serve_on_while_they_can_not_be_fetched(idp: Server) -> None:
    await idp.fetch()
    idp.clock.advance(4000)
    idp.claims["exp"] += 6000
    idp.server.documents[JWKS] = Reply(status=404)

    await idp.fetch()
    idp.clock.advance(AGAIN_SECONDS)
    await idp.fetch()

    assert len(idp.asked(JWKS)) == 3
    (warning,) = idp.warnings
    assert "serve on" in warning.message


@pytest.mark.parametrize(
    "reply",
    [Reply(status=404), Reply(status=500), Reply(status=302), Reply(body=b"<html>"), Reply(cut=True)],
)
async def test_token_is_invalid_where_no_key_is_to_be_had(idp: Server, reply: Reply) -> None:
    idp.server.documents[JWKS] = reply

    failure = await idp.failure(idp.spec(client=Client(max_retries=0)))

    assert isinstance(failure, TokenInvalid)
    assert "can't be checked" in failure.detail


async def test_keys_are_asked_for_at_once_after_none_could_be_had(idp: Server) -> None:
    idp.server.documents[JWKS] = Reply(status=404)
    await idp.failure()
    idp.publish_keys(public_jwk(RSA, kid="k1"))

    assert (await idp.fetch()).claims == idp.claims


async def test_one_fetch_of_keys_serves_all_who_wait(idp: Server) -> None:
    await asyncio.gather(*(idp.fetch() for _ in range(10)))

    assert len(idp.asked(JWKS)) == 1


async def test_wait_for_keys_ends_with_the_source_s_time(idp: Server) -> None:
    idp.server.documents[JWKS] = Reply(body=b" " * 1000, drip_seconds=0.05)

    failure = await idp.failure(idp.spec(client=Client(timeout_seconds=0.3)))

    assert failure.reason in {"token_timeout", "token_invalid"}


async def test_signature_of_another_key_is_refused(idp: Server) -> None:
    idp.publish_keys(public_jwk(P256, kid="k1"))

    assert isinstance(await idp.failure(), TokenInvalid)


async def test_claims_are_looked_at(idp: Server) -> None:
    verify = Verify(jwks_url=idp.url(JWKS), audience=("https://api.example.com",))

    failure = await idp.failure(idp.spec(verify))

    assert failure.detail == "the token names no audience"


async def test_keys_are_where_the_issuer_says(idp: Server) -> None:
    publish(idp.server, jwks_uri=idp.url(JWKS))

    token = await idp.fetch(idp.spec(Verify(issuer=idp.url("")), issuer=idp.url("")))

    assert token.claims == idp.claims


async def test_token_is_invalid_where_its_issuer_names_no_keys(
    idp: Server,
) -> None:
    publish(idp.server)

    failure = await idp.failure(idp.spec(Verify(), issuer=idp.url("")))

    assert isinstance(failure, TokenInvalid)
    assert "jwks_url" in (failure.hint or "")


async def test_signature_may_be_left_unchecked(idp: Server) -> None:
    token = await idp.fetch(idp.spec(Verify(signature=False, issuer=idp.url(""))))

    assert token.claims == idp.claims
    assert idp.asked(JWKS) == []


async def test_opaque_token_is_no_error(idp: Server) -> None:
    idp.token = "opaque"

    assert (await idp.fetch()).claims is None


async def test_opaque_token_is_asked_about(idp: Server) -> None:
    """RFC 7662 §2.1, §2.2."""
    idp.token = "opaque"
    idp.introspected = Reply(body=b'{"active": true, "grp": "admin"}')

    token = await idp.fetch(idp.spec(Verify(introspection_url=idp.url(INTROSPECTION))))

    assert token.claims == {"active": True, "grp": "admin"}
    (asked,) = idp.asked(INTROSPECTION)
    assert asked.form == {"token": "opaque", "token_type_hint": "access_token"}
    assert asked.headers["authorization"] == "Basic YXBwOnMzY3IzdA=="


async def test_server_is_asked_in_the_way_that_gave_the_token(idp: Server) -> None:
    idp.token = "opaque"
    verify = Verify(introspection_url=idp.url(INTROSPECTION))

    await idp.fetch(idp.spec(verify, client_auth="client_secret_post"))

    (asked,) = idp.asked(INTROSPECTION)
    assert (asked.form["client_id"], asked.form["client_secret"]) == ("app", "s3cr3t")
    assert "authorization" not in asked.headers


async def test_client_of_its_own_asks_about_callers_tokens(idp: Server) -> None:
    idp.token = "opaque"
    inspector = ("inspector", (Secret("old"), Secret("new")))
    verify = Verify(introspection_url=idp.url(INTROSPECTION), inspector=inspector)
    idp.server.answers = lambda seen: (
        Reply(status=401)
        if seen.target == INTROSPECTION and "aW5zcGVjdG9yOm9sZA==" in seen.headers["authorization"]
        else idp.answer(seen)
    )

    await idp.fetch(idp.spec(verify))

    assert [seen.headers["authorization"] for seen in idp.asked(INTROSPECTION)] == [
        "Basic aW5zcGVjdG9yOm9sZA==",
        "Basic aW5zcGVjdG9yOm5ldw==",
    ]


async def test_client_that_may_not_ask_makes_the_token_invalid(idp: Server) -> None:
    idp.token = "opaque"
    idp.introspected = Reply(status=401)
    inspector = ("inspector", (Secret("old"), Secret("new")))

    failure = await idp.failure(
        idp.spec(Verify(introspection_url=idp.url(INTROSPECTION), inspector=inspector))
    )

    assert isinstance(failure, TokenInvalid)
    assert "answered 401" in failure.detail
    assert failure.hint == "let this client introspect tokens"
    assert len(idp.asked(INTROSPECTION)) == 2


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(body=b'{"active": false}'), "not active"),
        (Reply(status=401), "answered 401"),
        (Reply(status=404), "expected 200 and JSON"),
        (Reply(body=b"<html>"), "expected 200 and JSON"),
        (Reply(body=b"[]"), "expected 200 and JSON"),
        (Reply(status=503), "can't be verified"),
        (Reply(cut=True), "can't be verified"),
    ],
)
async def test_token_is_invalid_unless_the_server_vouches_for_it(
    idp: Server, reply: Reply, words: str
) -> None:
    idp.token = "opaque"
    idp.introspected = reply
    verify = Verify(introspection_url=idp.url(INTROSPECTION))

    failure = await idp.failure(idp.spec(verify, client=Client(max_retries=0)))

    assert isinstance(failure, TokenInvalid)
    assert words in failure.detail
    assert "opaque" not in failure.detail


async def test_jwt_is_asked_about_where_no_keys_are_known(idp: Server) -> None:
    idp.introspected = Reply(body=b'{"active": true, "sub": "app"}')
    publish(idp.server, introspection_endpoint=idp.url(INTROSPECTION))

    token = await idp.fetch(idp.spec(Verify(), issuer=idp.url("")))

    assert token.claims == {"active": True, "sub": "app"}


async def test_what_is_not_configured_is_discovered(idp: Server) -> None:
    """Each of the two by itself."""
    idp.introspected = Reply(body=b'{"active": true, "sub": "asked"}')
    publish(idp.server, jwks_uri=idp.url(JWKS), introspection_endpoint=idp.url(INTROSPECTION))
    by_keys = idp.spec(Verify(jwks_url=idp.url(JWKS)), issuer=idp.url(""))
    by_asking = idp.spec(Verify(introspection_url=idp.url(INTROSPECTION)), issuer=idp.url(""))

    signed = [(await idp.fetch(spec)).claims for spec in (by_keys, by_asking)]
    idp.token = "opaque"
    asked = [(await idp.fetch(spec)).claims for spec in (by_keys, by_asking)]

    assert signed == [idp.claims] * 2
    assert asked == [{"active": True, "sub": "asked"}] * 2


async def test_nothing_is_discovered_where_all_that_a_token_needs_is_configured(idp: Server) -> None:
    for verify in (Verify(jwks_url=idp.url(JWKS)), Verify(signature=False)):
        assert (await idp.fetch(idp.spec(verify, issuer=idp.url("")))).claims == idp.claims
    assert all(not seen.target.startswith("/.well-known/") for seen in idp.server.seen)


async def test_jwt_is_asked_about_where_its_issuer_can_not_be(idp: Server) -> None:
    idp.introspected = Reply(body=b'{"active": true, "sub": "asked"}')
    verify = Verify(introspection_url=idp.url(INTROSPECTION))

    token = await idp.fetch(idp.spec(verify, issuer=idp.url("")))

    assert token.claims == {"active": True, "sub": "asked"}


async def test_opaque_token_is_invalid_where_nobody_says_who_to_ask(idp: Server) -> None:
    idp.token = "opaque"

    failure = await idp.failure(idp.spec(Verify(jwks_url=idp.url(JWKS)), issuer=idp.url("")))

    assert isinstance(failure, TokenInvalid)
    assert "the token can't be verified: " in failure.detail


async def test_source_without_verify_asks_nobody(idp: Server) -> None:
    token = await idp.fetch(replace(idp.spec(), verify=None))

    assert token.claims == idp.claims
    assert [seen.method for seen in idp.server.seen] == ["POST"]


async def test_keys_are_given_up_at_the_end(idp: Server) -> None:
    began = asyncio.Event()

    async def never(url: str, client: Client) -> FoundKeys:
        began.set()
        await asyncio.get_running_loop().create_future()
        raise AssertionError(url)

    keys = Keys(clock=idp.clock, look=never)
    header = SignatureHeader(algorithm="RS256", key_id=None)
    waiting = asyncio.ensure_future(keys.candidates(idp.spec(), idp.url(JWKS), header))
    await began.wait()

    await keys.aclose()

    with pytest.raises(TokenInvalid):
        await waiting


async def test_end_without_a_fetch_waits_for_nothing(idp: Server) -> None:
    await idp.fetch()
    assert idp._keys is not None

    await idp._keys.aclose()
