"""From trials to verdicts: one rule for every metric, with a bound on the false ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import log1p
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from results.statistics.bootstrap import RESAMPLES, TrialMeans
from results.statistics.holm import holm
from results.statistics.power import trials_needed

MIN_TRIALS: Final = 20
CONFIDENCE: Final = 0.95


class Verdict(StrEnum):
    """What trials say of first / second, where less is better."""

    FIRST_LOWER = "first lower"
    SECOND_LOWER = "second lower"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the trials say of one metric. All on the scale of log(first / second).

    Args:
        trials: that had a value.
        mean: over trials.
        sd: between trials; 0 if all are equal, NaN if there is but one.
        low: lower end of the 95% interval; None if there is no interval.
        high: its upper end.
        p_value: two-sided, of "no difference", adjusted for the number of metrics; None without interval.
        verdict: None if the trials are too few for one.
        trials_needed: about how many would be needed, if inconclusive and more than there are; else None.
        inside_margin: the interval lies inside the margin.
    """

    trials: int
    mean: float
    sd: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    verdict: Verdict | None = None
    trials_needed: int | None = None
    inside_margin: bool = False


def find(
    values: Sequence[ArrayLike], *, margin: float, seed: int = 0, resamples: int = RESAMPLES
) -> list[Finding | None]:
    """Judge several metrics together.

    `first lower` and `second lower`: the p-value of "no difference", adjusted by Holm over all metrics
    given, is at most 5%. `equivalent`: the 95% interval lies inside the margin, and the p-value of
    "as far apart as the margin, or farther", adjusted alike, is at most 5%; it wins over the others,
    since a difference that small does not matter. Else `inconclusive`.

    Args:
        values: for each metric log(first / second), one per trial that has one: float64 [trials].
        margin: ratios from 1 / (1 + margin) to 1 + margin count as equal.
        seed: of the resampling.
        resamples: how many.
    Returns:
        One finding per metric; None for a metric that no trial has. Metrics with less than 20 trials have
        no verdict and are not counted among the questions asked.
    """
    columns = [np.asarray(column, dtype=np.float64) for column in values]
    judged = [position for position, column in enumerate(columns) if len(column) >= MIN_TRIALS]
    findings = [_described(column) for column in columns]
    measured = _measure({position: columns[position] for position in judged}, margin, seed, resamples)
    apart = holm([measured[position].p_apart for position in judged])
    equal = holm([measured[position].p_equal for position in judged])
    for position, p_apart, p_equal in zip(judged, apart, equal, strict=True):
        findings[position] = measured[position].finding(p_apart, p_equal, margin)
    return findings


def _described(column: NDArray[np.float64]) -> Finding | None:
    if not len(column):
        return None
    sd = float(column.std(ddof=1)) if len(column) > 1 else float("nan")
    return Finding(len(column), float(column.mean()), sd)


@dataclass(frozen=True, slots=True)
class _Measured:
    """One metric, before it is known how many there are."""

    trials: int
    mean: float
    sd: float
    half_width: float
    p_apart: float
    p_equal: float

    def finding(self, p_apart: float, p_equal: float, margin: float) -> Finding:
        if not np.isfinite(self.half_width):
            return Finding(self.trials, self.mean, self.sd, verdict=Verdict.INCONCLUSIVE)
        low, high = self.mean - self.half_width, self.mean + self.half_width
        verdict = self._verdict(p_apart, p_equal)
        needed = trials_needed(self.sd, log1p(margin))
        more = needed if verdict is Verdict.INCONCLUSIVE and needed > self.trials else None
        inside = max(-low, high) < log1p(margin)
        return Finding(self.trials, self.mean, self.sd, low, high, p_apart, verdict, more, inside)

    def _verdict(self, p_apart: float, p_equal: float) -> Verdict:
        level = 1 - CONFIDENCE + 1e-12
        if p_equal <= level:
            return Verdict.EQUIVALENT
        if p_apart <= level:
            return Verdict.FIRST_LOWER if self.mean < 0 else Verdict.SECOND_LOWER
        return Verdict.INCONCLUSIVE


def _measure(
    columns: Mapping[int, NDArray[np.float64]], margin: float, seed: int, resamples: int
) -> dict[int, _Measured]:
    """Measure metrics by position; those of equally many trials share their resamples."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for position, column in columns.items():
        by_length[len(column)].append(position)
    edge = log1p(margin)
    measured: dict[int, _Measured] = {}
    for trials, positions in by_length.items():
        table = np.stack([columns[position] for position in positions], axis=1)
        means = TrialMeans(table, resamples=resamples, seed=seed)
        at_edges = np.maximum(means.p_value(-edge), means.p_value(edge))
        p_equal = np.where(np.abs(means.mean) < edge, at_edges, 1.0)
        numbers = (means.mean, means.sd, means.half_width(CONFIDENCE), means.p_value(), p_equal)
        rows = np.stack(numbers, axis=1).tolist()
        measured |= {p: _Measured(trials, *row) for p, row in zip(positions, rows, strict=True)}
    return measured
