import pytest
from joserfc.jwk import ECKey

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.proof import dpop
from clientcreds_proxy.tokens.proof.prover import ORIGINS_MAX, Nonces, Prover
from tests.simulators.dpop import check, read
from tests.unit.tokens.making import START, FakeClock

KEY = ECKey.generate_key("P-256")
API = "https://api.example.com/orders"


def a_proof(url: str = API, *, nonce: str | None = None, token: Secret | None = None) -> str:
    call = dpop.Call(method="GET", url=url, token=token)
    return dpop.proof(KEY, call, wall=START.wall + 0.9, randomness=bytes(16), nonce=nonce).reveal()


def test_proof_holds_for_its_request() -> None:
    proof = check(a_proof(token=Secret("t1")), method="GET", url=API, used=set(), token="t1", now=START.wall)

    assert proof.thumbprint == KEY.thumbprint()


def test_proof_says_no_more_than_it_must() -> None:
    proof = read(a_proof())

    assert proof.claims == {"jti": "00" * 16, "htm": "GET", "htu": API, "iat": int(START.wall)}
    assert proof.header.keys() == {"typ", "alg", "jwk"}
    assert proof.header["jwk"].keys() == {"kty", "crv", "x", "y"}


def test_proof_holds_the_nonce_it_was_given() -> None:
    assert read(a_proof(nonce="n-1")).claims["nonce"] == "n-1"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.example.com/a/b?c=d#e", "https://api.example.com/a/b"),
        ("HTTPS://API.Example.COM:443/A", "https://api.example.com/A"),
        ("http://api.example.com:80/a", "http://api.example.com/a"),
        ("https://api.example.com:8443/a", "https://api.example.com:8443/a"),
        ("https://api.example.com:80/a", "https://api.example.com:80/a"),
        ("https://api.example.com", "https://api.example.com/"),
        ("https://[::1]:8443/a", "https://[::1]:8443/a"),
        ("https://api.example.com/a%2fb%7E/", "https://api.example.com/a%2fb%7E/"),
        ("https://api.example.com/gr\u00fcn", "https://api.example.com/gr%C3%BCn"),
        ("https://api.example.com/\udcff", "https://api.example.com/%FF"),
    ],
)
def test_target_is_the_url_as_the_server_sees_it(url: str, expected: str) -> None:
    assert dpop.target(url) == expected


@pytest.mark.parametrize(
    ("challenge", "asks"),
    [
        ('DPoP error="use_dpop_nonce", error_description="now"', True),
        ('Bearer realm="x", DPoP realm="y", error="use_dpop_nonce"', True),
        ("dpop error=use_dpop_nonce", True),
        ('DPoP error="invalid_token"', False),
        ('DPoP error="use_dpop_nonces"', False),
        ('Bearer error="use_dpop_nonce"', False),
        ("", False),
    ],
)
def test_challenge_asks_for_a_nonce(challenge: str, asks: bool) -> None:  # noqa: FBT001 - a table's column
    assert dpop.asks_for_nonce(challenge) is asks


@pytest.mark.parametrize("value", [None, "", 'a"b', "a b", "a\\b", "\u00e9", "x" * 1025, "a, b"])
def test_nonce_that_no_proof_could_hold_is_none(value: str | None) -> None:
    nonces = Nonces()
    nonces.keep(API, "n-1")
    nonces.keep(API, value)

    assert nonces.of(API) == "n-1"


def test_nonces_are_kept_for_each_origin() -> None:
    nonces = Nonces()
    nonces.keep("https://api.example.com/a", "n-1")
    nonces.keep("https://api.example.com:443/b", "n-2")
    nonces.keep("https://api.example.com:8443/", "n-3")

    assert nonces.of("https://API.example.com/c") == "n-2"
    assert nonces.of("http://api.example.com/") is None


def test_nonces_of_servers_long_not_seen_are_forgotten() -> None:
    nonces = Nonces()
    for number in range(ORIGINS_MAX):
        nonces.keep(f"https://{number}.example.com/", "n")
    nonces.keep("https://0.example.com/", "again")
    nonces.keep("https://one-more.example.com/", "n")

    assert nonces.of("https://0.example.com/") == "again"
    assert nonces.of("https://1.example.com/") is None


def test_prover_proves_anew_each_time() -> None:
    prover, used = Prover(clock=FakeClock()), set[str]()
    prover.server_nonces.keep(API, "of-the-server")
    prover.api_nonces.keep(API, "of-the-api")

    asked = [check(prover.for_token_request(API).reveal(), method="POST", url=API, used=used, now=START.wall)]
    asked += [
        check(
            prover.for_api_request("GET", API, Secret("t")).reveal(),
            method="GET",
            url=API,
            used=used,
            token="t",
            now=START.wall,
        )
        for _ in range(2)
    ]

    assert [proof.claims["nonce"] for proof in asked] == ["of-the-server", "of-the-api", "of-the-api"]
    assert {proof.thumbprint for proof in asked} == {prover.thumbprint}


def test_prover_has_a_key_of_its_own() -> None:
    assert Prover(clock=FakeClock()).thumbprint != Prover(clock=FakeClock()).thumbprint
