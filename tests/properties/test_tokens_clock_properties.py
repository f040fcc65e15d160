"""Whatever happens to the clocks: a token is never used after its end."""

from hypothesis import given
from hypothesis import strategies as st

from clientcreds_proxy.tokens.keeping.entry import Entry
from clientcreds_proxy.tokens.model import Instant
from tests.unit.tokens.making import START, a_token

DAY = 86_400.0

steps = st.lists(
    st.tuples(
        st.floats(0, DAY),  # seconds that pass
        st.floats(0, DAY),  # seconds of sleep
        st.floats(-DAY, DAY),  # by which somebody sets the wall clock
    ),
    max_size=8,
)
lives = st.floats(1, DAY)


@given(lives, steps)
def test_token_is_not_used_past_its_end_however_the_wall_clock_is_set(
    life: float, steps: list[tuple[float, float, float]]
) -> None:
    """CLOCK_BOOTTIME counts sleep: it alone is enough."""
    entry = Entry()
    entry.store(a_token(lifetime=life), START, skew_seconds=10, chance=0)

    age = wall = 0.0
    for passed, slept, set_by in steps:
        age += passed + slept
        wall += passed + slept + set_by
        if entry.usable(Instant(boot=START.boot + age, wall=START.wall + wall)) is not None:
            assert age < life


@given(lives, steps)
def test_token_is_not_used_past_its_end_where_the_boot_clock_sleeps_too(
    life: float, steps: list[tuple[float, float, float]]
) -> None:
    """No CLOCK_BOOTTIME (macOS): the wall clock knows, as long as nobody sets it."""
    entry = Entry()
    entry.store(a_token(lifetime=life), START, skew_seconds=10, chance=0)

    boot = age = 0.0
    for passed, slept, _ in steps:
        boot += passed
        age += passed + slept
        if entry.usable(Instant(boot=START.boot + boot, wall=START.wall + age)) is not None:
            assert age < life
