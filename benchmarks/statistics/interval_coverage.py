"""Do the intervals of the comparison hold what they promise? Simulated trials of which the truth is known.

python -m benchmarks.statistics.interval_coverage [--simulations 4000] [--json]

A trial is a job: its tasks share what was particular to that trial, and resemble their neighbours. The
value of a trial is the mean log ratio of its tasks. Four bootstraps of the mean over trials are set side by
side, and what comes of tasks that are pooled as if they were independent.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from results.statistics.bootstrap import TrialMeans

TASKS: Final = 24
RESAMPLES: Final = 1_999
TRIAL_COUNTS: Final = (20, 50)
_BLOCK: Final = 500
"""Simulations at a time: the roots of a block are 8 bytes x resamples x block."""
Shape = tuple[int, ...]
Draw = Callable[[np.random.Generator, Shape], NDArray[np.float64]]

DISTRIBUTIONS: Final[Mapping[str, Draw]] = {
    "normal": lambda stream, shape: stream.normal(0, 1, shape),
    "Student t, 3 d.f.": lambda stream, shape: stream.standard_t(3, shape),
    "lognormal, sigma 0.5": lambda stream, shape: stream.lognormal(0, 0.5, shape) - np.exp(0.125),
    "exponential": lambda stream, shape: stream.exponential(1, shape) - 1,
    "lognormal differences": lambda stream, shape: (
        stream.lognormal(0, 1, shape) - stream.lognormal(0, 1, shape)
    ),
    "5% spikes": lambda stream, shape: stream.normal(0, 1, shape) + 5 * (stream.random(shape) < 0.05) - 0.25,
    "lognormal, sigma 1": lambda stream, shape: stream.lognormal(0, 1, shape) - np.exp(0.5),
}
"""Of what is particular to a trial, on the scale of the log ratio; each has the mean 0."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often 95% intervals held the truth.

    Args:
        distribution: of the trials' effects.
        trials: in each simulated comparison.
        simulations: comparisons simulated.
        covered: by method, share of intervals that held the truth.
        width: by method, median width, as a multiple of the trial effects' scale.
    """

    distribution: str
    trials: int
    simulations: int
    covered: Mapping[str, float]
    width: Mapping[str, float]


def clustered_log_ratios(
    stream: np.random.Generator,
    simulations: int,
    trials: int,
    *,
    effect: float = 0.0,
    trial_sd: float = 0.1,
    task_sd: float = 0.1,
    draw: Draw = DISTRIBUTIONS["normal"],
    tasks: int = TASKS,
) -> NDArray[np.float64]:
    """Simulate log(first / second) of each task of each trial.

    Both targets' times are lognormal with a heavy tail (t with 3 degrees of freedom on the log scale). What
    tasks of a trial share is drawn once per trial; their noise is AR(1) with coefficient 0.5.

    Args:
        stream: where chance comes from.
        simulations: comparisons.
        trials: in each.
        effect: true mean log ratio.
        trial_sd: scale of what is particular to a trial.
        task_sd: scale of the tasks' noise.
        draw: distribution of what is particular to a trial.
        tasks: in each trial.
    Returns:
        float64 [tasks, trials, simulations].
    """
    shape = (trials, simulations)
    noise = task_sd * stream.standard_t(3, (tasks, *shape))
    for before, after in pairwise(noise):
        after += 0.5 * before
    return effect + trial_sd * draw(stream, shape) + noise


def measure(distribution: str, trials: int, simulations: int, seed: int = 1) -> Coverage:
    """Simulate comparisons and count the intervals that hold the truth, which is 0.

    Args:
        distribution: a key of DISTRIBUTIONS.
        trials: in each comparison.
        simulations: comparisons.
        seed: of the simulation.
    """
    stream = np.random.default_rng(seed)
    covered: dict[str, list[NDArray[np.bool_]]] = {}
    width: dict[str, list[NDArray[np.float64]]] = {}
    for first in range(0, simulations, _BLOCK):
        count = min(_BLOCK, simulations - first)
        logs = clustered_log_ratios(stream, count, trials, draw=DISTRIBUTIONS[distribution])
        for method, (low, high) in _intervals(logs, seed=first).items():
            covered.setdefault(method, []).append((low <= 0) & (high >= 0))
            width.setdefault(method, []).append((high - low) / 0.1)
    return Coverage(
        distribution=distribution,
        trials=trials,
        simulations=simulations,
        covered={method: float(np.concatenate(parts).mean()) for method, parts in covered.items()},
        width={method: float(np.median(np.concatenate(parts))) for method, parts in width.items()},
    )


Interval = tuple[NDArray[np.float64], NDArray[np.float64]]


def _intervals(logs: NDArray[np.float64], seed: int) -> dict[str, Interval]:
    """95% intervals of the mean by each method: arrays [simulations]."""
    values = logs.mean(axis=0)
    means = TrialMeans(values, resamples=RESAMPLES, seed=seed)
    half = means.half_width()
    found = {"symmetric bootstrap-t": (means.mean - half, means.mean + half)}
    counts = _counts(len(values), seed)
    found["bootstrap-t"] = bootstrap_t(values, counts)
    found["BCa"] = bca(values, counts)
    found["percentile"] = percentile(values, counts)
    pooled = logs.reshape(-1, logs.shape[-1])
    error = 1.959964 * pooled.std(axis=0, ddof=1) / np.sqrt(len(pooled))
    found["tasks pooled"] = (pooled.mean(axis=0) - error, pooled.mean(axis=0) + error)
    return found


def bootstrap_t(values: NDArray[np.float64], counts: NDArray[np.float64]) -> Interval:
    """Equal-tailed bootstrap-t (Efron 1982) of each column's mean.

    Args:
        values: float64 [trials, columns].
        counts: how often each trial is in each resample: float64 [resamples, trials].
    """
    n, centred = len(values), values - values.mean(axis=0)
    error = centred.std(axis=0, ddof=1) / np.sqrt(n)
    means = counts @ centred / n
    variances = (counts @ centred**2 / n - means**2) * n / (n - 1)
    roots = np.sort(means / np.sqrt(np.maximum(variances, 1e-300) / n), axis=0)
    low, high = _ranks(len(counts))
    return values.mean(axis=0) - roots[high] * error, values.mean(axis=0) - roots[low] * error


def percentile(values: NDArray[np.float64], counts: NDArray[np.float64]) -> Interval:
    """Percentiles of the resampled means; arguments as for `bootstrap_t`."""
    means = np.sort(counts @ values / len(values), axis=0)
    low, high = _ranks(len(counts))
    return means[low], means[high]


def bca(values: NDArray[np.float64], counts: NDArray[np.float64]) -> Interval:
    """Bias-corrected and accelerated percentiles (Efron 1987); arguments as for `bootstrap_t`."""
    normal = NormalDist()
    resamples, columns = len(counts), np.arange(values.shape[1])
    means = np.sort(counts @ values / len(values), axis=0)
    centred = values - values.mean(axis=0)
    below = np.clip((means < values.mean(axis=0)).mean(axis=0), 1 / resamples, 1 - 1 / resamples)
    bias = np.array([normal.inv_cdf(share) for share in below])
    # The jackknife's estimate of the acceleration, which for a mean is its skewness over six root n.
    acceleration = (centred**3).sum(axis=0) / (6 * (centred**2).sum(axis=0) ** 1.5)
    ends = []
    for z in (normal.inv_cdf(0.025), normal.inv_cdf(0.975)):
        moved = bias + (bias + z) / (1 - acceleration * (bias + z))
        share = np.array([normal.cdf(value) for value in moved])
        ends.append(means[np.clip((share * (resamples + 1)).astype(int) - 1, 0, resamples - 1), columns])
    return ends[0], ends[1]


def _counts(trials: int, seed: int) -> NDArray[np.float64]:
    """Resamples as counts: float64 [RESAMPLES, trials]."""
    share = np.full(trials, 1 / trials)
    return np.random.default_rng(seed).multinomial(trials, share, RESAMPLES).astype(np.float64)


def _ranks(resamples: int) -> tuple[int, int]:
    """Positions of the 2.5% and 97.5% order statistics."""
    rank = round(0.025 * (resamples + 1))
    return rank - 1, resamples - rank


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--simulations", type=int, default=4_000, help="per line of the table")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    options = parser.parse_args()
    if not 10 <= options.simulations <= 1_000_000:
        parser.error("--simulations must be from 10 to 1,000,000")
    header_due = not options.json
    for trials in TRIAL_COUNTS:
        for distribution in DISTRIBUTIONS:
            found = measure(distribution, trials, options.simulations)
            if options.json:
                print(json.dumps(asdict(found)))
                continue
            if header_due:
                print(f"{'trial effects':<24}{'n':>4}" + "".join(f"{name:>23}" for name in found.covered))
                header_due = False
            cells = (f"{found.covered[name]:.1%} ({found.width[name]:.2f})" for name in found.covered)
            print(f"{distribution:<24}{trials:>4}" + "".join(f"{cell:>23}" for cell in cells))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
