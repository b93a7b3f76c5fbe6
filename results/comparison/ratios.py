"""first / second: within one job, and over several jobs, each of them one trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import exp, isnan
from typing import Final

import numpy as np
from numpy.typing import NDArray

from results.comparison import metrics
from results.comparison.bias import bias_warning
from results.comparison.columns import JobColumns, TargetColumns
from results.comparison.schema import Ratio, TrialRatio, Trials, Warmth
from results.statistics.bootstrap import RESAMPLES
from results.statistics.missing import most_missing
from results.statistics.verdict import CONFIDENCE, MIN_TRIALS, Finding, Verdict, find
from results.targets import Target

METHOD: Final = "symmetric bootstrap-t over trials"
_FAMILIES: Final[tuple[Warmth, ...]] = ("warm", "cold")


@dataclass(frozen=True, slots=True)
class LogRatios:
    """log(first / second) of one metric in one job.

    Args:
        values: one per pair of warm tasks; for cold tasks the one difference of the two means: float64 [n].
        pairs: pairs that there were; for cold tasks the smaller of the two counts.
        left_out: values that were not above zero, or missing, and have no logarithm.
    """

    values: NDArray[np.float64]
    pairs: int
    left_out: int


def log_ratios(first: TargetColumns, second: TargetColumns, metric: str, warmth: Warmth) -> LogRatios:
    """Compare two targets in one job.

    Warm tasks are paired: the same images cost the same on both, and that cancels. The cold task is
    rarely the same on both, so cold ones are compared by the means of their logarithms.

    Args:
        first: the numerator.
        second: the denominator.
        metric: its name.
        warmth: of which tasks.
    """
    return (_warm if warmth == "warm" else _cold)(first, second, metric)


def job_ratios(job: JobColumns) -> tuple[Ratio, ...]:
    """Every later target against the first one, within a job."""
    return tuple(_ratio(job, *question) for question in _questions(job))


def trial_ratios(jobs: Sequence[JobColumns], *, margin: float, seed: int) -> Trials:
    """Every later target against the first one, over jobs: a trial's value is its mean log ratio.

    Warm and cold tasks are two families of questions: Holm's correction is made within each.

    Args:
        jobs: alike, at least two.
        margin: ratios from 1 / (1 + margin) to 1 + margin count as equal.
        seed: of the bootstrap.
    """
    questions = [*_questions(jobs[0])]
    values = [trial_values(jobs, *question) for question in questions]
    ratios: list[TrialRatio] = []
    for family in _FAMILIES:
        chosen = [place for place, (_, _, _, warmth) in enumerate(questions) if warmth == family]
        findings = find([values[place] for place in chosen], margin=margin, seed=seed)
        for place, finding in zip(chosen, findings, strict=True):
            first, second, _, warmth = questions[place]
            warning = bias_warning(jobs, first, second, warmth, most=most_missing(margin))
            ratios.append(_trial_ratio(*questions[place], values[place], finding, warning))
    return Trials(
        count=len(jobs),
        needed=MIN_TRIALS,
        confidence=CONFIDENCE,
        margin=margin,
        method=METHOD,
        resamples=RESAMPLES,
        seed=seed,
        ratios=tuple(ratios),
    )


def trial_values(
    jobs: Sequence[JobColumns], first: Target, second: Target, metric: str, warmth: Warmth
) -> NDArray[np.float64]:
    """The mean log ratio of each job that has one, in the jobs' order: float64 [trials]."""
    of_jobs = (log_ratios(job.targets[first], job.targets[second], metric, warmth).values for job in jobs)
    return np.array([values.mean() for values in of_jobs if len(values)], dtype=np.float64)


def _questions(job: JobColumns) -> Iterator[tuple[Target, Target, str, Warmth]]:
    first, *others = job.manifest.targets
    for warmth in _FAMILIES:
        compared = metrics.ratio_metrics(cold=warmth == "cold")
        yield from ((first, second, metric.name, warmth) for second, metric in product(others, compared))


def _warm(first: TargetColumns, second: TargetColumns, metric: str) -> LogRatios:
    both = np.intersect1d(first.task[~first.cold], second.task[~second.cold], assume_unique=True)
    a, b = (columns.of(metric)[np.searchsorted(columns.task, both)] for columns in (first, second))
    # Clocks that disagree can make a latency negative, and that has no logarithm. NaN is not above zero.
    sound = (a > 0) & (b > 0)
    logs = np.log(a[sound]) - np.log(b[sound])
    return LogRatios(logs, len(both), len(both) - len(logs))


def _cold(first: TargetColumns, second: TargetColumns, metric: str) -> LogRatios:
    values = [columns.of(metric, cold=True) for columns in (first, second)]
    sound = [column[column > 0] for column in values]
    left_out = sum(len(column) - len(kept) for column, kept in zip(values, sound, strict=True))
    pairs = min(len(column) for column in values)
    if not all(len(kept) for kept in sound):
        return LogRatios(np.empty(0), pairs, left_out)
    a, b = (np.log(kept).mean() for kept in sound)
    return LogRatios(np.array([a - b]), pairs, left_out)


def _ratio(job: JobColumns, first: Target, second: Target, metric: str, warmth: Warmth) -> Ratio:
    logs = log_ratios(job.targets[first], job.targets[second], metric, warmth)
    paired = logs.values if warmth == "warm" else np.empty(0)
    return Ratio(
        quantity=metric,
        warmth=warmth,
        first=first,
        second=second,
        pairs=logs.pairs - logs.left_out if warmth == "warm" else logs.pairs,
        left_out=logs.left_out,
        geometric_mean=_exp_of(np.mean, logs.values, 1),
        geometric_sd=_exp_of(lambda values: values.std(ddof=1), paired, 2),
        minimum=_exp_of(np.min, paired, 1),
        maximum=_exp_of(np.max, paired, 1),
        bias_warning=bias_warning([job], first, second, warmth),
    )


def _exp_of(
    statistic: Callable[[NDArray[np.float64]], np.float64], logs: NDArray[np.float64], fewest: int
) -> float | None:
    """A statistic of the logarithms, as a factor; None if there are too few."""
    return exp(float(statistic(logs))) if len(logs) >= fewest else None


def _trial_ratio(
    first: Target,
    second: Target,
    metric: str,
    warmth: Warmth,
    values: NDArray[np.float64],
    finding: Finding | None,
    warning: str,
) -> TrialRatio:
    if finding is None:
        finding = Finding(0, float("nan"), float("nan"))
    if warning and finding.verdict:
        # More trials of this kind would not help, and what holds of these figures may not hold of all.
        finding = replace(finding, verdict=Verdict.INCONCLUSIVE, trials_needed=None, inside_margin=False)
    return TrialRatio(
        quantity=metric,
        warmth=warmth,
        first=first,
        second=second,
        trials=finding.trials,
        geometric_mean=None if isnan(finding.mean) else exp(finding.mean),
        geometric_sd=None if isnan(finding.sd) else exp(finding.sd),
        low=None if finding.low is None else exp(finding.low),
        high=None if finding.high is None else exp(finding.high),
        p_value=finding.p_value,
        verdict=finding.verdict and _in_words(finding.verdict, first, second, metric),
        bias_warning=warning,
        trials_needed=finding.trials_needed,
        note="; ".join(_notes(finding, values)),
    )


def _in_words(verdict: Verdict, first: Target, second: Target, metric: str) -> str:
    better = metrics.metric(metric).lower_is
    if verdict is Verdict.FIRST_LOWER:
        return f"{first} {better}"
    return f"{second} {better}" if verdict is Verdict.SECOND_LOWER else str(verdict)


def _notes(finding: Finding, values: NDArray[np.float64]) -> Iterator[str]:
    if finding.verdict is None:
        return
    if finding.sd == 0:
        yield "all trials have the same value: real ones never do, so there is no interval"
    elif finding.low is None:
        yield "nearly all trials have the same value: no interval"
    elif finding.inside_margin and finding.verdict is not Verdict.EQUIVALENT:
        yield "inside the margin, but not after the correction for several quantities"
    correlation = _lag_1(values)
    if abs(correlation) > 2.58 / len(values) ** 0.5:
        yield f"trials resemble the ones before them (correlation {correlation:+.2f}): not independent"


def _lag_1(values: NDArray[np.float64]) -> float:
    """Correlation of each trial with the next one."""
    centred = values - values.mean()
    total = float((centred**2).sum())
    return float((centred[1:] * centred[:-1]).sum()) / total if total > 0 else 0.0
