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
    for sample in samples:
        if sample.phase == "measured":
            by_target.setdefault(sample.target, []).append(sample)
    values = {target: _values(rows) for target, rows in by_target.items()}
    return {
        "targets": {
            target: {
                "samples": len(rows),
                "error_rate": sum(sample.outcome != "ok" for sample in rows) / len(rows),
                **{name: _spread(column) for name, column in values[target].items()},
            }
            for target, rows in by_target.items()
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
    for name, table in named:
        for target, figures in table["targets"].items():
            errors = f"{100 * figures['error_rate']:.2f}%"
            cells = (_mean(figures[key]) for key in COLUMNS)
            rows.append((f"{target} {name}".strip(), f"{figures['samples']:,}", errors, *cells))
        for difference, figures in table["differences"].items():
            cells = (_interval(figures[key]) for key in COLUMNS)
            rows.append((f"{difference} {name}".strip(), "", "", *cells))
    head = ("", "samples", "errors", *COLUMNS.values())
    return f'{plain_table(CAPTION, head, rows)}<p class="small">{NOTE}</p>' if rows else ""


def jmeter_lines(table: Mapping[str, Any]) -> Iterator[str]:
    """The same for the terminal."""
    if table["targets"]:
        yield f"{CAPTION} (a refusal is a sample too, a reused connection connects in 0)"
    for target, figures in table["targets"].items():
        cells = ", ".join(f"{title} {_mean(figures[key])}" for key, title in COLUMNS.items())
        errors = f"{100 * figures['error_rate']:.2f}% errors"
        yield f"  {target}: {figures['samples']:,} samples, {errors}; {cells}"
    for difference, figures in table["differences"].items():
        cells = ", ".join(f"{title} {_interval(figures[key])}" for key, title in COLUMNS.items())
        yield f"  {difference} (95%, were requests independent): {cells}"


def _values(samples: Sequence[Sample]) -> dict[str, NDArray[np.float64]]:
    rows = [(sample.response_s, sample.first_byte_s or 0.0, sample.connecting_s) for sample in samples]
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


def _mean(spread: Mapping[str, float | None]) -> str:
    return milliseconds(spread["mean"]) + ("" if spread["sd"] is None else f" ± {milliseconds(spread['sd'])}")


def _interval(difference: Mapping[str, Any]) -> str:
    ends = "too few for an interval"
    if difference["interval"]:
        ends = " … ".join(f"{'+' if end > 0 else ''}{milliseconds(end)}" for end in difference["interval"])
    return f"{'+' if difference['mean'] > 0 else ''}{milliseconds(difference['mean'])} ({ends})"
