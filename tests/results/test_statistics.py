"""Quantiles, proportions and Holm, against SciPy and against the definitions."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy import stats

from results.statistics.holm import holm
from results.statistics.missing import most_missing, too_many_missing
from results.statistics.power import trials_needed
from results.statistics.proportion import wilson_interval
from results.statistics.quantiles import interval_ranks, quantile, sample_needed


@pytest.mark.parametrize(("p", "needed"), [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368)])
def test_a_percentile_needs_its_sample(p: float, needed: int) -> None:
    assert sample_needed(p) == needed
    assert interval_ranks(needed - 1, p) is None
    ranks = interval_ranks(needed, p)
    assert ranks is not None
    # With the smallest sample the largest value is the upper end, and nothing tighter would do.
    assert ranks[1] == needed
    assert quantile(np.arange(needed - 1, dtype=float), p) is None


@pytest.mark.parametrize("p", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("n", [368, 371, 1_000, 99_999])
def test_ranks_are_the_tightest_that_hold_each_side(p: float, n: int) -> None:
    ranks = interval_ranks(n, p)
    assert ranks is not None
    lower, upper = ranks
    below = stats.binom(n, p)
    assert below.cdf(lower - 1) <= 0.025 < below.cdf(lower)
    assert below.sf(upper - 1) <= 0.025 < below.sf(upper - 2)


def test_order_statistics_cover_whatever_the_distribution() -> None:
    stream = np.random.default_rng(5)
    samples = np.sort(stream.lognormal(0, 2, (4_000, 80)), axis=1)
    for p, truth in ((0.5, 1.0), (0.9, float(np.exp(2 * stats.norm.ppf(0.9))))):
        found = [quantile(sample, p) for sample in samples]
        held = np.mean([one is not None and one.low <= truth <= one.high for one in found])
        # Discrete, so at least 95% and a little more.
        assert 0.945 <= held <= 0.985
        assert all(one is None or one.low <= one.value <= one.high for one in found)


@pytest.mark.parametrize(("failed", "ended"), [(0, 1), (0, 400), (3, 10), (1, 1), (250, 1_000), (7, 100_000)])
def test_wilson_agrees_with_scipy(failed: int, ended: int) -> None:
    expected = stats.binomtest(failed, ended).proportion_ci(0.95, method="wilson")
    assert wilson_interval(failed, ended) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_without_trials_says_nothing() -> None:
    assert wilson_interval(0, 0) is None
    with pytest.raises(ValueError, match="2 of 1 is no proportion"):
        wilson_interval(2, 1)


def test_wilson_covers_about_as_promised() -> None:
    n, p = 60, 0.1
    held = 0.0
    for failed in range(n + 1):
        interval = wilson_interval(failed, n)
        assert interval is not None
        held += comb(n, failed) * p**failed * (1 - p) ** (n - failed) * (interval[0] <= p <= interval[1])
    assert 0.93 <= held <= 0.97


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_bounds_the_chance_of_any_false_finding() -> None:
    p_values = np.random.default_rng(2).random((4_000, 5))
    any_found = np.mean([min(holm(row.tolist())) <= 0.05 for row in p_values])
    assert 0.04 <= any_found <= 0.06


def test_more_spread_needs_more_trials() -> None:
    # (1.96 + 1.28)^2 * (0.1 / 0.05)^2 = 42.03
    assert trials_needed(0.1, 0.05) == 43
    assert trials_needed(0.2, 0.05) == 169
    assert trials_needed(1e-9, 0.05) == 2


@pytest.mark.parametrize(
    ("missing", "present", "too_many"),
    [(0, 0, False), (0, 5, False), (1, 0, True), (1, 98, True), (1, 99, False), (29, 2_871, False)],
)
def test_one_in_a_hundred_may_be_missing(missing: int, present: int, too_many: bool) -> None:
    assert too_many_missing(missing, present) is too_many


@pytest.mark.parametrize(("margin", "most"), [(0.5, 0.01), (0.05, 0.01), (0.01, 0.002)])
def test_a_narrow_margin_bears_fewer(margin: float, most: float) -> None:
    assert most_missing(margin) == pytest.approx(most)
    assert not too_many_missing(2, 1_998, most_missing(margin))
    assert too_many_missing(3, 997, most_missing(margin)) == (most < 0.003)
