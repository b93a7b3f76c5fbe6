"""The mean over trials, and how far it can be trusted: the symmetric bootstrap-t.

Trials are resampled, never the tasks within them. The root's absolute value is what is looked up
(Hall 1988): over equal-tailed bootstrap-t, BCa and percentiles it is the one whose intervals cover
at 20 trials, heavy tails included. `python -m benchmarks.statistics.interval_coverage` shows all four.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES: Final = 9_999
"""One less than a round number: then the quantiles are order statistics, not interpolations."""
_BLOCK: Final = 2_000_000
"""Draws held at once."""


class TrialMeans:
    """Means of one or more independent columns of trial values, each with its own bootstrap.

    Args:
        values: one row per trial: float64 [trials, columns], all finite.
        resamples: how many.
        seed: of the resampling; equal seeds give equal results.
    Raises:
        ValueError: fewer than two trials, or a value that is not finite.
    """

    def __init__(self, values: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> None:
        table = np.asarray(values, dtype=np.float64)
        if table.ndim != 2 or len(table) < 2 or not np.isfinite(table).all():
            raise ValueError("at least two trials of finite values are needed: [trials, columns]")
        self.mean: NDArray[np.float64] = table.mean(axis=0)
        self.sd: NDArray[np.float64] = table.std(axis=0, ddof=1)
        # What is left by rounding of equal values is no spread.
        self.sd[np.ptp(table, axis=0) <= 1e-12 * (1 + np.abs(self.mean))] = 0.0
        self._error = self.sd / np.sqrt(len(table))
        self._roots = np.sort(_absolute_roots(table - self.mean, resamples, seed), axis=0)

    def half_width(self, confidence: float = 0.95) -> NDArray[np.float64]:
        """Half the width of the interval around the mean: float64 [columns].

        Infinite where too many resamples had no spread, NaN where the trials themselves have none.
        """
        resamples = len(self._roots)
        rank = round(confidence * (resamples + 1))
        root = self._roots[min(rank, resamples) - 1]
        width: NDArray[np.float64] = np.where(self.sd > 0, root, np.nan) * self._error
        return width

    def p_value(self, truth: float = 0.0) -> NDArray[np.float64]:
        """Two-sided p-value of "the mean is `truth`": float64 [columns]; 1 where the trials have no spread.

        At most 0.05 just where the 95% interval leaves `truth` out.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            root = np.abs(self.mean - truth) / self._error
        resamples = len(self._roots)
        beyond = np.array(
            [resamples - np.searchsorted(self._roots[:, c], r, side="left") for c, r in enumerate(root)]
        )
        return np.where(self.sd > 0, (1 + beyond) / (resamples + 1), 1.0)


def _absolute_roots(centred: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """|mean / standard error| of each resample of centred values: float64 [resamples, columns]."""
    n = len(centred)
    roots = []
    for counts in _resample_counts(n, resamples, seed):
        means = counts @ centred / n
        variances = np.maximum(counts @ centred**2 / n - means**2, 0.0) * n / (n - 1)
        spread = variances > 1e-24 * (centred**2).max(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            root = np.abs(means) / np.sqrt(variances / n)
        # A resample of equal values says nothing of its own error: it may be any number of errors away.
        roots.append(np.where(spread, root, np.inf))
    return np.concatenate(roots)


def _resample_counts(n: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each trial is in each resample, block by block: float64 [block, n]."""
    stream = np.random.default_rng(seed)
    block = max(1, _BLOCK // n)
    for first in range(0, resamples, block):
        rows = min(block, resamples - first)
        drawn = stream.integers(0, n, (rows, n)) + np.arange(rows)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)
