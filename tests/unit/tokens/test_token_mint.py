import os
from itertools import count
from pathlib import Path

import pytest

from clientcreds_proxy.errors import SecretUnavailable, TokenRejected
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.fetch import HttpFetch
from clientcreds_proxy.tokens.model import Assertion, AssertionFile, SourceSpec
from clientcreds_proxy.tokens.proof.client_auth import Attempt, attempts
from clientcreds_proxy.tokens.proof.mint import Mint
from tests.simulators.authorization_server import AuthorizationServer, Reply
from tests.unit.tokens.making import FakeClock, a_spec
from tests.unit.tokens.signing import P256, P384, pem, read, verify

BY_JWT = Attempt(way="jwt", secret=Secret(""))
READY_MADE = "eyJhbGciOiJub25lIn0.e30.c2ln"


def a_mint() -> Mint:
    numbers = count(1)
    return Mint(clock=FakeClock(), entropy=lambda size: next(numbers).to_bytes(size))


def with_key(token_url: str = "https://idp.example.com/token") -> SourceSpec:
    assertion = Assertion(algorithm="ES256", key=Secret(pem(P256)))
    return a_spec(token_url=token_url, client_auth="private_key_jwt", client_secrets=(), assertion=assertion)


def with_file(path: Path) -> SourceSpec:
    return a_spec(client_auth="private_key_jwt", client_secrets=(), assertion=AssertionFile(path=str(path)))


def minted(mint: Mint, spec: SourceSpec, attempt: Attempt = BY_JWT) -> str:
    assertion = mint(spec, attempt)
    assert assertion is not None
    return assertion.reveal()


def test_every_assertion_is_another_one() -> None:
    """E07."""
    mint, spec = a_mint(), with_key()

    jtis = [read(minted(mint, spec)).claims["jti"] for _ in range(3)]

    assert jtis == [f"{number:032x}" for number in (1, 2, 3)]


def test_assertion_is_signed_with_the_key_of_now() -> None:
    """E11: a source keeps its mint when its secrets are read again."""
    mint = a_mint()
    other = a_spec(assertion=Assertion(algorithm="ES384", key=Secret(pem(P384))))

    verify(minted(mint, with_key()), P256)
    verify(minted(mint, other), P384)


def test_each_secret_signs_its_own() -> None:
    mint, spec = a_mint(), a_spec(assertion=Assertion(algorithm="HS256", key=None))

    for secret in ("1" * 32, "2" * 32):
        verify(minted(mint, spec, Attempt(way="jwt", secret=Secret(secret))), secret.encode())


def test_assertion_can_go_without_its_guessed_key_id() -> None:
    guess = Assertion(algorithm="ES256", key=Secret(pem(P256)), key_id="k1", guesses_key_id=True)
    mint, spec = a_mint(), a_spec(assertion=guess)

    with_kid = verify(minted(mint, spec), P256)
    without = verify(minted(mint, spec, Attempt(way="jwt_without_kid", secret=Secret(""))), P256)

    assert with_kid.header["kid"] == "k1"
    assert "kid" not in without.header


@pytest.mark.parametrize("assertion", [None, AssertionFile(path="/nowhere")])
def test_no_assertion_where_none_is_sent(assertion: AssertionFile | None) -> None:
    assert a_mint()(a_spec(assertion=assertion), attempts(a_spec())[0]) is None


def test_file_is_read_at_every_use(tmp_path: Path) -> None:
    """E15."""
    path, mint = tmp_path / "assertion.jwt", a_mint()

    path.write_text(READY_MADE + "\n")
    first = minted(mint, with_file(path))
    path.write_text("eyJ.second.one")

    assert first == READY_MADE
    assert minted(mint, with_file(path)) == "eyJ.second.one"


@pytest.mark.parametrize("content", [b"", b"not a jwt", b"a.b", b"\xff.a.b", b"a.b.c\n\nd", b"a." * 99_999])
def test_file_without_a_jwt_is_no_assertion(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "assertion.jwt"
    path.write_bytes(content)

    with pytest.raises(SecretUnavailable) as failed:
        a_mint()(with_file(path), BY_JWT)

    assert str(tmp_path) not in failed.value.detail


def test_missing_file_is_no_assertion(tmp_path: Path) -> None:
    """E15; contract section 11: secret_unavailable."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "gone", tmp_path, tmp_path / "pipe", Path("nul\0l")):
        with pytest.raises(SecretUnavailable):
            a_mint()(with_file(path), BY_JWT)


@pytest.mark.anyio
async def test_retries_of_one_fetch_send_new_assertions() -> None:
    """E07, C09: servers refuse a replayed assertion."""
    refused = Reply(status=401, body=b'{"error": "invalid_client"}')
    async with AuthorizationServer(
        replies=[Reply(status=503), Reply(status=500), refused]
    ).running() as server:
        spec = with_key(server.token_url)
        with pytest.raises(TokenRejected):
            await HttpFetch(clock=FakeClock(), chance=lambda: 0.0)(spec)

    jtis = [read(seen.form["client_assertion"]).claims["jti"] for seen in server.seen]
    assert len(jtis) == len(set(jtis)) == 3
    assert all(len(jti) == 32 for jti in jtis)


@pytest.mark.anyio
async def test_assertion_that_the_server_quotes_is_masked() -> None:
    """C11."""
    async with AuthorizationServer().running() as server:
        spec = with_key(server.token_url)
        quoted = b'{"error": "invalid_client", "error_description": "bad: eyJhbGciOiJFUzI1NiJ9.e30.c2ln!"}'
        server.replies = [Reply(status=401, body=quoted)]
        with pytest.raises(TokenRejected) as failed:
            await HttpFetch(clock=FakeClock())(spec)

    assert getattr(failed.value.__cause__, "description", None) == "bad: ***!"


@pytest.mark.anyio
async def test_missing_file_sends_nothing(tmp_path: Path) -> None:
    async with AuthorizationServer().running() as server:
        spec = a_spec(
            token_url=server.token_url,
            client_auth="private_key_jwt",
            assertion=AssertionFile(path=str(tmp_path / "gone")),
        )
        with pytest.raises(SecretUnavailable):
            await HttpFetch(clock=FakeClock())(spec)

    assert server.seen == []
