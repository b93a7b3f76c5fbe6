"""Percentiles with distribution-free intervals, made of the sample's own order statistics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Quantile:
    """One quantile of a sample.

    Args:
        p: which, in (0, 1).
        value: the sample's quantile.
        low: lower end of the interval.
        high: upper end.
    """

    p: float
    value: float
    low: float
    high: float


def sample_needed(p: float, confidence: float = CONFIDENCE) -> int:
    """The smallest sample from which quantile `p` has a two-sided interval.

    The interval from the smallest to the largest value must miss the quantile on either side with
    at most half of what the confidence leaves: p ** n and (1 - p) ** n. For 95%: 6 values for the
    median, 36, 72 and 368 for p = 0.90, 0.95 and 0.99.

    Args:
        p: in (0, 1).
        confidence: of the interval, in (0, 1).
    """
    side = (1 - confidence) / 2
    return ceil(log(side) / log(max(p, 1 - p)))


@lru_cache(maxsize=256)
def interval_ranks(n: int, p: float, confidence: float = CONFIDENCE) -> tuple[int, int] | None:
    """The ranks, from 1, of the order statistics that enclose quantile `p`; None if there are none.

    The number of values below the quantile is binomial(n, p), whatever the distribution (David and
    Nagaraja, Order Statistics, 3rd ed., section 7.1). The lower rank is the greatest l with
    P(count < l) <= side, the upper one the smallest u with P(count >= u) <= side.

    Args:
        n: size of the sample.
        p: in (0, 1).
        confidence: of the interval, in (0, 1).
    """
    if n < sample_needed(p, confidence):
        return None
    side = (1 - confidence) / 2
    below = np.cumsum(_binomial(n, p))  # [n + 1]: P(count <= k)
    lower = int(np.searchsorted(below, side, side="right"))
    upper = int(np.searchsorted(below, 1 - side, side="left")) + 1
    return max(lower, 1), min(upper, n)


def quantile(ordered: NDArray[np.float64], p: float, confidence: float = CONFIDENCE) -> Quantile | None:
    """A quantile and its interval; None if the sample is too small for one.

    Args:
        ordered: the sample, ascending: float64 [n].
        p: in (0, 1).
        confidence: of the interval, in (0, 1).
    """
    ranks = interval_ranks(len(ordered), p, confidence)
    if ranks is None:
        return None
    low, high = (float(ordered[rank - 1]) for rank in ranks)
    return Quantile(p, float(np.quantile(ordered, p)), low, high)


def _binomial(n: int, p: float) -> NDArray[np.float64]:
    """Probabilities of binomial(n, p): float64 [n + 1]; by logarithms, so that none underflows early."""
    factorials = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, n + 1)))))
    k = np.arange(n + 1)
    logs = factorials[n] - factorials - factorials[::-1] + k * log(p) + (n - k) * log(1 - p)
    probabilities: NDArray[np.float64] = np.exp(logs)
    return probabilities
