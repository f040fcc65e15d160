import pytest

from clientcreds_proxy.errors import (
    SecretUnavailable,
    TokenBackoff,
    TokenFailure,
    TokenMalformed,
    TokenTimeout,
    TokenUnavailable,
)
from clientcreds_proxy.tokens.keeping.entry import NEVER_FETCHED, Entry, Standing, again, hold, later
from clientcreds_proxy.tokens.model import ErrorAnswer, Instant, described
from tests.unit.tokens.making import START, a_token, refused


@pytest.mark.parametrize(
    ("life", "lead"),
    [(10, 5), (120, 60), (121, 60), (300, 60), (600, 120), (1500, 300), (3600, 300), (86_400, 300)],
)
def test_renewal_mark_lies_a_fifth_of_the_life_before_expiry_within_bounds(life: float, lead: float) -> None:
    held = hold(a_token(lifetime=life), skew_seconds=10, chance=0)

    assert held.soft == later(START, life - lead)


@pytest.mark.parametrize(("life", "skew"), [(5, 0.5), (99, 9.9), (100, 10), (3600, 10)])
def test_last_use_lies_the_skew_before_expiry_but_a_tenth_of_the_life_at_most(
    life: float, skew: float
) -> None:
    held = hold(a_token(lifetime=life), skew_seconds=10, chance=0)

    assert held.hard == later(START, life - skew)


def test_renewal_mark_comes_up_to_a_tenth_of_the_life_earlier_by_chance() -> None:
    held = hold(a_token(lifetime=3600), skew_seconds=10, chance=1)

    assert held.soft == later(START, 3600 - 300 - 360)


def test_renewal_mark_stays_before_the_last_use_when_the_skew_is_large() -> None:
    held = hold(a_token(lifetime=3600), skew_seconds=1000, chance=0)

    assert held.hard == later(START, 3240)
    assert held.soft == later(START, 3600 - 720)


def test_token_without_expiry_is_never_past() -> None:
    entry = Entry()

    entry.store(a_token(lifetime=None), START, skew_seconds=10, chance=0)

    late = later(START, 1e12)
    assert entry.usable(late)
    assert not entry.renewal_due(late)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(Instant(boot=START.boot + 3590, wall=START.wall), id="the wall clock was set back"),
        pytest.param(Instant(boot=START.boot, wall=START.wall + 3590), id="the machine slept, or was set on"),
    ],
)
def test_token_is_past_when_either_clock_says_so(now: Instant) -> None:
    entry = Entry()
    entry.store(a_token(), START, skew_seconds=10, chance=0)

    assert entry.usable(later(now, -0.1)) is not None
    assert entry.usable(now) is None


def blocks(entry: Entry, *failures: TokenFailure) -> list[float]:
    """For how long each of these failures, one right after the other, blocks the key."""
    seconds = []
    now = START
    for failure in failures:
        entry.remember(failure, now)
        backoff = entry.refusal(now)
        seconds.append(backoff.retry_after or 0.0 if backoff else 0.0)
        now = later(now, seconds[-1])
    return seconds


def test_refusal_is_remembered_for_30_s() -> None:
    assert blocks(Entry(), refused(), refused()) == [30, 30]


def test_missing_secret_is_looked_for_again_at_once() -> None:
    assert blocks(Entry(), SecretUnavailable("gone"), SecretUnavailable("gone")) == [0, 0]


def test_missing_secret_is_remembered_as_a_refusal_where_the_server_was_asked() -> None:
    gone = SecretUnavailable("refused, and gone")
    gone.__cause__ = ErrorAnswer(status=401, error="invalid_client", description=None)

    assert blocks(Entry(), gone) == [30]


def test_malformed_answer_is_remembered_for_1_s_doubling_to_30() -> None:
    assert blocks(Entry(), *[TokenMalformed("no token")] * 7) == [1, 2, 4, 8, 16, 30, 30]


def test_circuit_opens_after_five_failed_fetches_in_a_row() -> None:
    failures = [TokenUnavailable("500"), TokenTimeout("slow")] * 4

    assert blocks(Entry(), *failures) == [0, 0, 0, 0, 30, 30, 30, 30]


@pytest.mark.parametrize(("asked", "waits"), [(None, 1), (0.2, 1), (120, 120)])
def test_backoff_lasts_as_long_as_the_server_asked(asked: float | None, waits: float) -> None:
    assert blocks(Entry(), TokenBackoff("429", retry_after=asked)) == [waits]


def test_token_ends_every_row_of_failures() -> None:
    entry = Entry()
    blocks(entry, *[TokenUnavailable("500")] * 4, TokenMalformed("html"))

    entry.store(a_token(), START, skew_seconds=10, chance=0)

    assert entry.refusal(START) is None
    assert blocks(entry, *[TokenUnavailable("500")] * 4, TokenMalformed("html")) == [0, 0, 0, 0, 1]


def test_failure_raised_again_says_the_same_without_what_the_first_passed_through() -> None:
    failure = refused("invalid_scope")
    failure.__traceback__ = None

    copy = again(failure)

    assert copy is not failure
    assert (type(copy), copy.detail, copy.error) == (type(failure), failure.detail, "invalid_scope")
    assert described(copy) == "so sorry"


def test_failure_raised_again_leaves_a_foreign_cause_behind() -> None:
    failure = TokenUnavailable("refused")
    failure.__cause__ = OSError("with a request in its frames")

    assert again(failure).__cause__ is None
    assert described(failure) is None


def test_standing_of_a_new_entry_is_never_fetched() -> None:
    assert Entry().standing(START) == NEVER_FETCHED


def test_standing_says_how_long_a_token_still_serves() -> None:
    entry = Entry()
    entry.store(a_token(lifetime=3600), START, skew_seconds=10, chance=0)

    assert entry.standing(later(START, 90)) == Standing(state="ok", expires_in=3500)
    assert entry.standing(later(START, 3590)) == Standing(state="ok", expires_in=None)


def test_standing_after_a_failed_renewal_keeps_the_token_that_still_serves() -> None:
    entry = Entry()
    entry.store(a_token(lifetime=3600), START, skew_seconds=10, chance=0)

    entry.remember(refused(), later(START, 3400))

    backing_off = Standing(state="backing_off", expires_in=180, next_try_seconds=20)
    assert entry.standing(later(START, 3410)) == backing_off
    assert entry.standing(later(START, 3430)) == Standing(state="failing", expires_in=160)
