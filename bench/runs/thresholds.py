"""Thresholds: `--fail-if 'p99(response_s) > 2'`. A small grammar of its own; nothing is evaluated as code.

STATISTIC(QUANTITY) COMPARISON NUMBER      p99.9(response_s) >= 1.5, mean(connect_s) > 0.01
NAME COMPARISON NUMBER                     error_rate > 0.01, unsent > 0, efficiency(2) < 0.7
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.runs.read import StoredRun
from results.statistics.quantiles import sample_needed

Values = Mapping[str, NDArray[np.float64]]
"""Values by quantity."""
Figures = Mapping[str, float | None]
"""Single numbers by name; None: not measured."""
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_SHAPE: Final = re.compile(
    r"\s*(?:(?P<statistic>[a-z_]+[0-9.]*)\s*\(\s*(?P<of>\w+)\s*\)|(?P<name>\w+))\s*"
    r"(?P<comparison>>=|<=|>|<)\s*(?P<limit>[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)\s*"
)
_PLAIN: Final[Mapping[str, Callable[[NDArray[np.float64]], float]]] = {
    "mean": lambda values: float(values.mean()),
    "sd": lambda values: float(values.std(ddof=1)) if len(values) > 1 else math.nan,
    "min": lambda values: float(values.min()),
    "max": lambda values: float(values.max()),
    "median": lambda values: float(np.median(values)),
    "count": lambda values: float(len(values)),
}


@dataclass(frozen=True, slots=True)
class Threshold:
    """One condition that fails a run.

    Args:
        text: as the user wrote it.
        statistic: of the quantity; "" for a figure that is there already.
        of: the quantity's name, or the figure's.
        comparison: sign.
        limit: number.
    """

    text: str
    statistic: str
    of: str
    comparison: str
    limit: float


def parse_thresholds(
    texts: Sequence[str], samples: Collection[str], figures: Collection[str]
) -> list[Threshold]:
    """Read what --fail-if was given, before anything is started.

    Args:
        texts: as the user wrote them.
        samples: names of the quantities that will be measured.
        figures: names of the single numbers; `efficiency(2)` is one too.
    Raises:
        BenchError: one is no threshold, or names what will not be measured.
    """
    thresholds = [parse_threshold(text, figures) for text in texts]
    for threshold in thresholds:
        _check_known(threshold, samples if threshold.statistic else figures)
    return thresholds


def parse_threshold(text: str, figures: Collection[str] = ()) -> Threshold:
    """Read a threshold.

    Args:
        text: as the user wrote it.
        figures: names of single numbers that look like a statistic, `efficiency(2)`.
    Raises:
        BenchError: it is none.
    """
    found = _SHAPE.fullmatch(text)
    if not found:
        raise BenchError(
            f"cannot read --fail-if {text!r}: write it as 'p99(response_s) > 2' or 'error_rate > 0.01'"
        )
    statistic, comparison, limit = found["statistic"] or "", found["comparison"], float(found["limit"])
    figure = f"{statistic}({found['of']})" if statistic else found["name"]
    if figure in figures:
        return Threshold(text, "", figure, comparison, limit)
    if statistic and statistic not in _PLAIN and _percent(statistic) is None:
        raise BenchError(
            f"--fail-if {text!r}: {statistic!r} is none of {', '.join(_PLAIN)}, p50, p99, p99.9 …"
            + (f", nor is {figure!r} one of {', '.join(figures)}" if figures else "")
        )
    return Threshold(text, statistic, found["of"] or found["name"], comparison, limit)


def check_thresholds(
    thresholds: Sequence[Threshold],
    samples: Values,
    figures: Figures,
    *,
    percentiles: bool = True,
) -> list[str]:
    """Say which thresholds a run fails. One that cannot be judged fails too: silence is no pass.

    Args:
        thresholds: to check.
        samples: values by quantity.
        figures: single numbers by name; None: it was not measured.
        percentiles: False when they are refused.
    Returns:
        A line for each that fails.
    Raises:
        BenchError: a threshold names what is not measured.
    """
    lines = []
    for threshold in thresholds:
        value = _value(threshold, samples, figures, percentiles=percentiles)
        if math.isnan(value):
            lines.append(f"{threshold.text}: {_why_not(threshold, samples)}")
        elif _COMPARISONS[threshold.comparison](value, threshold.limit):
            lines.append(f"{threshold.text}: it is {value:.6g}")
    return lines


def check_targets(
    run: StoredRun, thresholds: Sequence[Threshold], measured: Callable[[str], tuple[Values, Figures]]
) -> list[str]:
    """Say which thresholds each target of a run fails, a line each.

    Args:
        run: with its figures.
        thresholds: to check.
        measured: gives a target's values by quantity, and its single numbers.
    """
    lines = []
    for target in run.configuration["targets"]:
        refused = run.figures(target, "measured").get("percentiles_refused")
        lines += [
            f"{target}: {line}"
            for line in check_thresholds(thresholds, *measured(target), percentiles=not refused)
        ]
    return lines


def _value(
    threshold: Threshold,
    samples: Values,
    figures: Figures,
    *,
    percentiles: bool,
) -> float:
    _check_known(threshold, samples if threshold.statistic else figures)
    if not threshold.statistic:
        figure = figures[threshold.of]
        return math.nan if figure is None else float(figure)
    values = samples[threshold.of]
    if threshold.statistic == "count":
        return float(len(values))
    if not len(values):
        return math.nan
    percent = _percent(threshold.statistic)
    if percent is None:
        return _PLAIN[threshold.statistic](values)
    if not percentiles or _is_too_small(values, percent):
        return math.nan
    return float(np.percentile(values, percent))


def _is_too_small(values: NDArray[np.float64], percent: float) -> bool:
    """True if the sample is too small for an interval of that percentile, as reports have it."""
    return 0 < percent < 100 and len(values) < sample_needed(percent / 100)


def _why_not(threshold: Threshold, samples: Values) -> str:
    percent = _percent(threshold.statistic)
    values = samples.get(threshold.of, ())
    if percent is not None and len(values) and _is_too_small(samples[threshold.of], percent):
        needed = sample_needed(percent / 100)
        return f"not estimable: there are {len(values)} values, and it takes {needed}"
    return "cannot be judged, there is no such figure in this run"


def _check_known(threshold: Threshold, known: Collection[str]) -> None:
    if threshold.of not in known:
        there = (
            f"there is {', '.join(known)}" if known else f"write a plain name, not {threshold.statistic}(…)"
        )
        raise BenchError(f"--fail-if {threshold.text!r}: {threshold.of!r} is not measured here; {there}")


def _percent(statistic: str) -> float | None:
    found = re.fullmatch(r"p([0-9]{1,2}(?:\.[0-9]+)?|100)", statistic)
    return float(found[1]) if found else None
