"""Thresholds: `--fail-if 'p99(response_s) > 2'`. A small grammar of its own; nothing is evaluated as code.

STATISTIC(QUANTITY) COMPARISON NUMBER      p99.9(response_s) >= 1.5, mean(connect_s) > 0.01
NAME COMPARISON NUMBER                     error_rate > 0.01, unsent > 0
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError

_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_SHAPE: Final = re.compile(
    r"\s*(?:(?P<statistic>[a-z]+[0-9.]*)\s*\(\s*(?P<of>\w+)\s*\)|(?P<name>\w+))\s*"
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


def parse_threshold(text: str) -> Threshold:
    """Read a threshold.

    Raises:
        BenchError: it is none.
    """
    found = _SHAPE.fullmatch(text)
    if not found:
        raise BenchError(
            f"cannot read --fail-if {text!r}: write it as 'p99(response_s) > 2' or 'error_rate > 0.01'"
        )
    statistic = found["statistic"] or ""
    if statistic and statistic not in _PLAIN and _percent(statistic) is None:
        raise BenchError(
            f"--fail-if {text!r}: {statistic!r} is none of {', '.join(_PLAIN)}, p50, p99, p99.9 …"
        )
    return Threshold(
        text, statistic, found["of"] or found["name"], found["comparison"], float(found["limit"])
    )


def check_thresholds(
    thresholds: Sequence[Threshold],
    samples: Mapping[str, NDArray[np.float64]],
    figures: Mapping[str, float],
    *,
    percentiles: bool = True,
) -> list[str]:
    """Say which thresholds a run fails. One that cannot be judged fails too: silence is no pass.

    Args:
        thresholds: to check.
        samples: values by quantity.
        figures: single numbers by name.
        percentiles: False when they are refused.
    Returns:
        A line for each that fails.
    Raises:
        BenchError: a threshold names what is not measured.
    """
    lines = []
    for one in thresholds:
        value = _value(one, samples, figures, percentiles=percentiles)
        if math.isnan(value):
            lines.append(f"{one.text}: cannot be judged, there is no such figure in this run")
        elif _COMPARISONS[one.comparison](value, one.limit):
            lines.append(f"{one.text}: it is {value:.6g}")
    return lines


def _value(
    one: Threshold,
    samples: Mapping[str, NDArray[np.float64]],
    figures: Mapping[str, float],
    *,
    percentiles: bool,
) -> float:
    known: Mapping[str, object] = samples if one.statistic else figures
    if one.of not in known:
        raise BenchError(
            f"--fail-if {one.text!r}: {one.of!r} is not measured here; there is {', '.join(known)}"
        )
    if not one.statistic:
        return figures[one.of]
    values = samples[one.of]
    if one.statistic == "count":
        return float(len(values))
    if not len(values):
        return math.nan
    percent = _percent(one.statistic)
    if percent is None:
        return _PLAIN[one.statistic](values)
    return float(np.percentile(values, percent)) if percentiles else math.nan


def _percent(statistic: str) -> float | None:
    found = re.fullmatch(r"p([0-9]{1,2}(?:\.[0-9]+)?|100)", statistic)
    return float(found[1]) if found else None
