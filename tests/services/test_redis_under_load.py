"""Redis dies, falls silent and comes back while requests pass: `scripts/soak --redis` does it for longer."""

from pathlib import Path

import pytest

from tests.services.redis_load import under_load

pytestmark = [pytest.mark.anyio, pytest.mark.alone]


async def test_redis_that_comes_and_goes_fails_no_request(tmp_path: Path) -> None:
    outcome = await under_load(seconds=10, per_second=50, lifetime=2, folder=tmp_path)

    assert set(outcome.statuses) == {200}
    assert outcome.changes[:1] == ["down"]
    assert outcome.changes == ["down", "up"] * (len(outcome.changes) // 2), "one line for each change"
    assert len(outcome.changes) <= 6
