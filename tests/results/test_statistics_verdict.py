"""Trials and verdicts, by simulation: the truth is known, trials differ, tasks within them are alike."""

from __future__ import annotations

from math import isnan, log

import numpy as np
import pytest
from scipy import stats

from benchmarks.statistics.interval_coverage import DISTRIBUTIONS, bca, clustered_log_ratios, percentile
from results.statistics.bootstrap import TrialMeans
from results.statistics.verdict import Verdict, find

METRICS = 4
RESAMPLES = 999


def judged(
    effect: float, comparisons: int, *, trial_sd: float = 0.1, task_sd: float = 0.1
) -> list[set[Verdict]]:
    """Simulate comparisons of four metrics over 20 trials; return the verdicts that each came to."""
    stream = np.random.default_rng(3)
    logs = clustered_log_ratios(
        stream, comparisons * METRICS, 20, effect=effect, trial_sd=trial_sd, task_sd=task_sd
    )
    values = logs.mean(axis=0).T.reshape(comparisons, METRICS, 20)
    found = (find([*metrics], margin=0.05, resamples=RESAMPLES) for metrics in values)
    return [{one.verdict for one in findings if one and one.verdict} for findings in found]


def test_equal_targets_are_seldom_called_different() -> None:
    verdicts = judged(0.0, 2_000)
    false = sum(bool(one & {Verdict.FIRST_LOWER, Verdict.SECOND_LOWER}) for one in verdicts)
    assert false <= 0.06 * 2_000


def test_tasks_that_are_counted_as_independent_would_find_what_is_not_there() -> None:
    """Why trials are resampled: judged by its pooled tasks, the same simulation is often wrong."""
    logs = clustered_log_ratios(np.random.default_rng(3), 2_000, 20)
    pooled = logs.reshape(-1, logs.shape[-1])
    assert np.mean(stats.ttest_1samp(pooled, 0).pvalue <= 0.05) > 0.3


@pytest.mark.parametrize(("effect", "verdict"), [(1.1, Verdict.SECOND_LOWER), (1 / 1.5, Verdict.FIRST_LOWER)])
def test_real_differences_are_found(effect: float, verdict: Verdict) -> None:
    verdicts = judged(log(effect), 200, trial_sd=0.06, task_sd=0.05)
    assert sum(one == {verdict} for one in verdicts) >= 0.9 * 200


def test_equal_targets_are_called_equivalent_where_trials_are_alike() -> None:
    verdicts = judged(0.0, 200, trial_sd=0.02, task_sd=0.02)
    assert sum(one == {Verdict.EQUIVALENT} for one in verdicts) >= 0.9 * 200


def test_a_difference_as_large_as_the_margin_is_seldom_called_equivalent() -> None:
    verdicts = judged(log(1.05), 1_000, trial_sd=0.04, task_sd=0.04)
    assert sum(Verdict.EQUIVALENT in one for one in verdicts) <= 0.06 * 1_000


@pytest.mark.parametrize(
    "distribution", ["normal", "Student t, 3 d.f.", "lognormal, sigma 0.5", "exponential", "5% spikes"]
)
@pytest.mark.parametrize("trials", [20, 50])
def test_intervals_cover_as_promised(distribution: str, trials: int) -> None:
    draw = DISTRIBUTIONS[distribution]
    logs = clustered_log_ratios(np.random.default_rng(11), 3_000, trials, effect=0.3, draw=draw)
    means = TrialMeans(logs.mean(axis=0), resamples=RESAMPLES)
    held = float(np.mean(np.abs(means.mean - 0.3) <= means.half_width()))
    assert 0.93 <= held <= 0.97


def test_interval_and_p_value_agree() -> None:
    values = np.random.default_rng(4).normal(0.05, 0.1, (25, 400))
    means = TrialMeans(values, resamples=RESAMPLES)
    outside = np.abs(means.mean) > means.half_width()
    assert np.array_equal(outside, means.p_value() <= 0.05)
    assert 0 < outside.sum() < 400


def test_the_seed_decides_the_resampling() -> None:
    values = np.random.default_rng(4).normal(0, 0.1, (20, 1))
    first, again, other = (TrialMeans(values, seed=seed).half_width() for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first == pytest.approx(other, rel=0.05)


def test_bca_and_percentile_of_the_benchmark_agree_with_scipy() -> None:
    values = np.random.default_rng(6).lognormal(0, 1, 30)
    counts = np.random.default_rng(7).multinomial(30, np.full(30, 1 / 30), 9_999).astype(float)
    for method, name in ((bca, "BCa"), (percentile, "percentile")):
        expected = stats.bootstrap(
            (values,), np.mean, method=name, n_resamples=9_999, rng=8
        ).confidence_interval
        low, high = method(values[:, None], counts)
        assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), rel=0.03)


def test_fewer_than_twenty_trials_have_no_verdict() -> None:
    (nineteen,) = find([np.random.default_rng(1).normal(1, 0.01, 19)], margin=0.05)
    assert nineteen is not None
    assert (nineteen.trials, nineteen.verdict, nineteen.low, nineteen.p_value) == (19, None, None, None)
    (one,) = find([[0.5]], margin=0.05)
    assert one is not None
    assert one.mean == 0.5
    assert isnan(one.sd)
    assert find([[]], margin=0.05) == [None]


@pytest.mark.parametrize("value", [0.0, 0.3, 1e-17])
def test_trials_without_any_spread_decide_nothing(value: float) -> None:
    (found,) = find([[value] * 25], margin=0.05)
    assert found is not None
    assert (found.verdict, found.low, found.sd) == (Verdict.INCONCLUSIVE, None, 0.0)


def test_nearly_equal_trials_have_no_interval() -> None:
    (found,) = find([[0.0] * 24 + [0.3]], margin=0.05)
    assert found is not None
    assert (found.verdict, found.low) == (Verdict.INCONCLUSIVE, None)


def test_one_metric_without_trials_does_not_cost_the_others() -> None:
    values = np.random.default_rng(1).normal(0.05, 0.1, 30)
    (alone,) = find([values], margin=0.05)
    beside, few, nothing = find([values, [0.1, 0.2], []], margin=0.05)
    assert beside == alone
    assert few is not None
    assert few.verdict is None
    assert nothing is None


def test_holm_is_made_over_all_metrics() -> None:
    values = np.random.default_rng(8).normal(0.05, 0.1, 30)
    (alone,) = find([values], margin=0.05)
    noise = [np.random.default_rng(seed).normal(0, 0.1, 30) for seed in range(5)]
    first, *_ = find([values, *noise], margin=0.05)
    assert alone is not None
    assert first is not None
    assert alone.p_value is not None
    assert first.p_value == pytest.approx(6 * alone.p_value)
    assert (alone.verdict, first.verdict) == (Verdict.SECOND_LOWER, Verdict.INCONCLUSIVE)
    assert first.trials_needed == 50  # (3.24 * 0.106 / log 1.05)^2


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="finite values"):
        TrialMeans([[1.0], [float("nan")]])
    with pytest.raises(ValueError, match="at least two trials"):
        TrialMeans([[1.0]])
