"""Delays stay within their bounds, double, and differ."""

from __future__ import annotations

import pytest

from worker_celery.backoff import Backoff

BACKOFF = Backoff(min_s=0.1, max_s=60.0)


@pytest.mark.parametrize("tries", [1, 2, 5, 10, 11, 1000, 10**6])
def test_a_delay_lies_in_the_upper_half_of_its_range(tries: int) -> None:
    ceiling = min(60.0, 0.1 * 2 ** min(tries - 1, 20))
    for _ in range(50):
        assert max(0.1, ceiling / 2) <= BACKOFF.delay_s(tries) <= ceiling


def test_delays_have_jitter() -> None:
    assert len({BACKOFF.delay_s(8) for _ in range(20)}) > 10


def test_what_the_target_wishes_is_kept_within_the_bounds() -> None:
    assert [BACKOFF.bounded_s(wish) for wish in (0.0, 3.0, 1e9)] == [0.1, 3.0, 60.0]
