"""Whatever lies in a store: it opens to the token that was put there, or to none."""

from hypothesis import given
from hypothesis import strategies as st

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import Instant, Token
from clientcreds_proxy.tokens.stores.record import Seal, seconds_left
from tests.unit.tokens.making import START, FakeClock

SEAL = Seal(Secret("made up, 16 or more"), prefix="p")
NAME = SEAL.name("k")
TOKENS = st.builds(
    Token,
    value=st.text(min_size=1).filter(lambda text: text.isprintable()).map(Secret),
    token_type=st.none() | st.text(max_size=10).filter(str.isprintable),
    scope=st.none() | st.lists(st.text(max_size=10).filter(str.isprintable)).map(tuple),
    lifetime=st.none() | st.floats(min_value=1, max_value=1e7),
    requested=st.just(START),
)


@given(TOKENS)
def test_token_comes_back_as_it_was(token: Token) -> None:
    opened = SEAL.open(SEAL.close(token, name=NAME), name=NAME, now=START, seconds_left=1e9)

    assert opened is not None
    assert (opened.value, opened.token_type, opened.scope) == (token.value, token.token_type, token.scope)
    assert opened.lifetime == token.lifetime


@given(TOKENS, st.integers(min_value=0), st.integers(min_value=0, max_value=7))
def test_flipped_bit_opens_nothing(token: Token, place: int, bit: int) -> None:
    record = bytearray(SEAL.close(token, name=NAME))
    record[place % len(record)] ^= 1 << bit

    assert SEAL.open(bytes(record), name=NAME, now=START, seconds_left=1e9) is None


@given(st.binary(max_size=200))
def test_foreign_bytes_open_nothing(record: bytes) -> None:
    assert SEAL.open(record, name=NAME, now=START, seconds_left=1e9) is None
    assert SEAL.open(b"\x01" + record, name=NAME, now=START, seconds_left=1e9) is None


@given(
    lifetime=st.floats(min_value=1, max_value=1e6),
    age=st.floats(min_value=0, max_value=1e6),
    wrong=st.floats(min_value=-1e6, max_value=1e6),
    boot=st.floats(min_value=0, max_value=1e6),
)
def test_no_clock_makes_a_token_last_longer(lifetime: float, age: float, wrong: float, boot: float) -> None:
    """The store's clock runs as the writer's does; the reader's wall clock may say anything."""
    token = Token(value=Secret("t"), lifetime=lifetime, requested=START)
    reader = FakeClock(boot=boot, wall=START.wall + age + wrong)

    record = SEAL.close(token, name=NAME)
    opened = SEAL.open(record, name=NAME, now=reader.now(), seconds_left=lifetime - age)

    assert opened is not None
    left = seconds_left(opened, Instant(boot=reader.boot, wall=reader.wall))
    assert left is not None
    assert left <= lifetime - age + 1e-3
