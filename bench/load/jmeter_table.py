"""Mean ± SD as JMeter's listeners give them, of what `requests.jtl` holds; and what differences are worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.load.generator.sample import Sample
from bench.load.summary import FEWEST
from bench.runs.page import plain_table
from bench.runs.quantities import milliseconds

COLUMNS: Final = {"load_time_s": "load time", "latency_s": "latency", "connect_s": "connect"}
CAPTION: Final = "As JMeter's table has it: measured phase, milliseconds, mean ± SD"
NOTE: Final = (
    "JMeter's counting: every request is a sample, refusals and errors among them; load time runs to the"
    " last byte, latency to the first; connect is 0 on a reused connection; SD over n − 1. Intervals (95%,"
    " normal, from 30 samples on) take requests for independent. One run decides nothing between targets:"
    " bench compare does."
)


def jmeter_figures(samples: Sequence[Sample]) -> dict[str, Any]:
    """The table as JSON: a row for each target, and one for each difference of two.

    Args:
        samples: of a run; the measured ones count.
    """
    by_target: dict[str, list[Sample]] = {}
    for one in samples:
        if one.phase == "measured":
            by_target.setdefault(one.target, []).append(one)
    values = {target: _values(found) for target, found in by_target.items()}
    return {
        "targets": {
            target: {
                "samples": len(found),
                "error_rate": sum(one.outcome != "ok" for one in found) / len(found),
                **{name: _spread(of) for name, of in values[target].items()},
            }
            for target, found in by_target.items()
        },
        "differences": {
            f"{first} − {second}": {
                name: _difference(values[first][name], values[second][name]) for name in COLUMNS
            }
            for first, second in pairwise(values)
        },
    }


def jmeter_table(named: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Markup.

    Args:
        named: figures of each run, under its name; "" of one alone.
    """
    rows: list[Sequence[object]] = []
    for name, found in named:
        for target, of in found["targets"].items():
            errors = f"{100 * of['error_rate']:.2f}%"
            cells = (_mean(of[key]) for key in COLUMNS)
            rows.append((f"{target} {name}".strip(), f"{of['samples']:,}", errors, *cells))
        for difference, of in found["differences"].items():
            cells = (_interval(of[key]) for key in COLUMNS)
            rows.append((f"{difference} {name}".strip(), "", "", *cells))
    head = ("", "samples", "errors", *COLUMNS.values())
    return f'{plain_table(CAPTION, head, rows)}<p class="small">{NOTE}</p>' if rows else ""


def jmeter_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The same for the terminal."""
    if found["targets"]:
        yield f"{CAPTION} (a refusal is a sample too, a reused connection connects in 0)"
    for target, of in found["targets"].items():
        told = ", ".join(f"{title} {_mean(of[key])}" for key, title in COLUMNS.items())
        yield f"  {target}: {of['samples']:,} samples, {100 * of['error_rate']:.2f}% errors; {told}"
    for difference, of in found["differences"].items():
        told = ", ".join(f"{title} {_interval(of[key])}" for key, title in COLUMNS.items())
        yield f"  {difference} (95%, were requests independent): {told}"


def _values(samples: Sequence[Sample]) -> dict[str, NDArray[np.float64]]:
    rows = [(one.response_s, one.first_byte_s or 0.0, one.connecting_s) for one in samples]
    table = np.array(rows, dtype=np.float64)
    return {name: table[:, place] for place, name in enumerate(COLUMNS)}


def _spread(values: NDArray[np.float64]) -> dict[str, float | None]:
    sd = float(values.std(ddof=1)) if len(values) > 1 else None
    return {"mean": float(values.mean()), "sd": sd}


def _difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> dict[str, Any]:
    apart = float(first.mean() - second.mean())
    if min(len(first), len(second)) < FEWEST:
        return {"mean": apart, "interval": None}
    half = 1.96 * sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second))
    return {"mean": apart, "interval": [apart - half, apart + half]}


def _mean(of: Mapping[str, float | None]) -> str:
    return milliseconds(of["mean"]) + ("" if of["sd"] is None else f" ± {milliseconds(of['sd'])}")


def _interval(of: Mapping[str, Any]) -> str:
    ends = "too few for an interval"
    if of["interval"]:
        ends = " … ".join(f"{'+' if end > 0 else ''}{milliseconds(end)}" for end in of["interval"])
    return f"{'+' if of['mean'] > 0 else ''}{milliseconds(of['mean'])} ({ends})"
