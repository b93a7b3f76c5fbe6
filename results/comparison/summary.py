"""What one target did, from the columns of one or more jobs."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from results.comparison import metrics
from results.comparison.columns import TargetColumns
from results.comparison.schema import Errors, Percentile, Spread, TargetSummary, TaskGroup, Throughput
from results.statistics.proportion import wilson_interval
from results.statistics.quantiles import quantile, sample_needed
from results.targets import TARGET_INFO

PERCENTILES: Final = (0.50, 0.90, 0.95, 0.99)


def summarise(of_target: Sequence[TargetColumns]) -> TargetSummary:
    """Pool one target's tasks over jobs, cold and warm apart.

    Args:
        of_target: one per job, at least one, all of the same target.
    """
    target = of_target[0].target
    left_out = sum(columns.left_out for columns in of_target)
    kept = sum(len(columns.task) for columns in of_target)
    memory = np.concatenate([columns.of("rss_peak_bytes") for columns in of_target])
    instances = {instance for columns in of_target for instance in columns.instances}
    return TargetSummary(
        target=target,
        server=TARGET_INFO[target].server,
        tasks=kept + left_out,
        left_out=left_out,
        unreadable=sum(columns.unreadable for columns in of_target),
        why_unreadable=next((columns.why_unreadable for columns in of_target if columns.unreadable), ""),
        instances=len(instances),
        images=sum(columns.images for columns in of_target),
        images_per_s=_throughput(of_target),
        errors=_errors(of_target),
        cold=_group(of_target, cold=True),
        warm=_group(of_target, cold=False),
        rss_peak_bytes=int(memory.max()) if len(memory) else None,
    )


def pooled(of_target: Sequence[TargetColumns], name: str, *, cold: bool) -> NDArray[np.float64]:
    """One metric of a target's cold or warm tasks, over jobs: float64 [n]."""
    return np.concatenate([columns.of(name, cold=cold) for columns in of_target])


def spread(values: NDArray[np.float64]) -> Spread | None:
    """Describe a sample; None if it is empty.

    Args:
        values: float64 [n]; NaN stands for "no such value".
    """
    known = np.sort(values[~np.isnan(values)])
    if not len(known):
        return None
    return Spread(
        n=len(known),
        mean=float(known.mean()),
        median=float(np.median(known)),
        minimum=float(known[0]),
        maximum=float(known[-1]),
        percentiles=tuple(_percentile(known, p) for p in PERCENTILES),
    )


def _percentile(ordered: NDArray[np.float64], p: float) -> Percentile:
    estimate = quantile(ordered, p)
    if estimate is None:
        return Percentile(p=p, needed=sample_needed(p), value=None, low=None, high=None)
    return Percentile(
        p=p, needed=sample_needed(p), value=estimate.value, low=estimate.low, high=estimate.high
    )


def _group(of_target: Sequence[TargetColumns], *, cold: bool) -> TaskGroup:
    values = {metric.name: pooled(of_target, metric.name, cold=cold) for metric in metrics.METRICS}
    spreads = {name: spread(column) for name, column in values.items()}
    load_s = values["model_load_s"]
    return TaskGroup(tasks=len(load_s), loading=int((load_s > 0).sum()), **spreads)


def _errors(of_target: Sequence[TargetColumns]) -> Errors:
    counts = [columns.counts for columns in of_target]
    failed = sum(count.failed + count.dead for count in counts)
    ended = failed + sum(count.done for count in counts)
    interval = wilson_interval(failed, ended)
    low, high = interval or (None, None)
    return Errors(ended=ended, failed=failed, rate=failed / ended if ended else None, low=low, high=high)


def _throughput(of_target: Sequence[TargetColumns]) -> Throughput | None:
    rates = [rate for rate in (columns.images_per_s for columns in of_target) if rate is not None]
    if not rates:
        return None
    return Throughput(jobs=len(rates), median=median(rates), minimum=min(rates), maximum=max(rates))
