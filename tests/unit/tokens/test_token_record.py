"""What a record gives away, and to whom it opens."""

import dataclasses

import pytest

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import Token
from clientcreds_proxy.tokens.stores.record import Seal, mark_of, seconds_left
from tests.unit.tokens.making import START, FakeClock, a_token

SECRET = Secret("made up, 16 or more")
NAME = Seal(SECRET, prefix="p").name("k")


def seal(secret: Secret = SECRET) -> Seal:
    return Seal(secret, prefix="p")


def test_record_opens_to_the_same_token() -> None:
    token = dataclasses.replace(a_token(), token_type="bearer", scope=("read", "write"))

    opened = seal().open(seal().close(token, name=NAME), name=NAME, now=START, seconds_left=3600)

    assert opened == dataclasses.replace(token, taken=True)


def test_record_keeps_what_introspection_said() -> None:
    claims = {"sub": "app", "n": 2**60, "roles": ["a", {"b": None}], "ok": True}
    token = dataclasses.replace(a_token(), claims=claims)

    opened = seal().open(seal().close(token, name=NAME), name=NAME, now=START, seconds_left=3600)

    assert opened is not None
    assert opened.claims == claims


def test_record_of_a_token_without_end_opens() -> None:
    token = a_token(lifetime=None)

    opened = seal().open(seal().close(token, name=NAME), name=NAME, now=START, seconds_left=5)

    assert opened == dataclasses.replace(token, taken=True)


def test_name_says_nothing_about_the_key() -> None:
    name = seal().name("client-id")

    assert name.startswith("p:{")
    assert "client-id" not in name
    assert name != seal(Secret("another, 16 or more")).name("client-id")
    assert name == seal().name("client-id") != seal().name("client-id2")


def test_mark_tells_tokens_apart_under_one_secret_alone() -> None:
    one, other = a_token("t1"), a_token("t2")

    assert seal().mark(one) == mark_of(seal().close(one, name=NAME))
    assert seal().mark(one) != seal().mark(other)
    assert seal().mark(one) != seal(Secret("another, 16 or more")).mark(one)


def test_same_token_gives_another_record_each_time() -> None:
    assert seal().close(a_token(), name=NAME) != seal().close(a_token(), name=NAME)


def test_record_shows_no_token() -> None:
    assert b"t1" not in seal().close(a_token("t1" * 20), name=NAME)


@pytest.mark.parametrize("length", [0, 1, 16, 17, 28, 29, 44])
def test_cut_record_is_none(length: int) -> None:
    record = seal().close(a_token(), name=NAME)

    assert seal().open(record[:length], name=NAME, now=START, seconds_left=3600) is None


def test_record_of_another_version_is_none() -> None:
    record = b"\x02" + seal().close(a_token(), name=NAME)[1:]

    assert seal().open(record, name=NAME, now=START, seconds_left=3600) is None


def test_record_under_another_name_is_none() -> None:
    record = seal().close(a_token(), name=NAME)

    assert seal().open(record, name=seal().name("other"), now=START, seconds_left=3600) is None


def test_record_of_another_secret_is_none() -> None:
    record = seal(Secret("another, 16 or more")).close(a_token(), name=NAME)

    assert seal().open(record, name=NAME, now=START, seconds_left=3600) is None


def opened_by(reader: FakeClock, *, seconds_left: float, lifetime: float = 3600) -> Token:
    record = seal().close(a_token(lifetime=lifetime), name=NAME)
    token = seal().open(record, name=NAME, now=reader.now(), seconds_left=seconds_left)
    assert token is not None
    return token


def test_boot_clock_of_another_machine_does_not_count() -> None:
    reader = FakeClock(boot=5.0, wall=START.wall + 600)

    token = opened_by(reader, seconds_left=3000)

    assert seconds_left(token, reader.now()) == pytest.approx(3000)


@pytest.mark.parametrize("behind", [60.0, 86_400.0])
def test_clock_that_is_behind_does_not_lengthen_a_token(behind: float) -> None:
    reader = FakeClock(boot=5.0, wall=START.wall + 600 - behind)

    token = opened_by(reader, seconds_left=3000)

    assert seconds_left(token, reader.now()) == pytest.approx(3000)


def test_store_that_keeps_a_record_for_longer_does_not_lengthen_a_token() -> None:
    reader = FakeClock(boot=5.0, wall=START.wall + 600)

    assert seconds_left(opened_by(reader, seconds_left=1e9), reader.now()) == pytest.approx(3000)


def test_clock_that_is_ahead_shortens_a_token() -> None:
    reader = FakeClock(boot=5.0, wall=START.wall + 4000)

    assert seconds_left(opened_by(reader, seconds_left=3000), reader.now()) == pytest.approx(-400)


def test_token_without_end_has_no_seconds_left() -> None:
    assert seconds_left(a_token(lifetime=None), START) is None


def test_seconds_left_are_those_of_the_clock_that_says_less() -> None:
    clock = FakeClock(boot=START.boot + 100, wall=START.wall + 200)

    assert seconds_left(a_token(), clock.now()) == 3400
