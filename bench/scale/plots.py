"""Plots of scaling runs: what was measured, and the simulation, which says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from bench.runs.plots import legend_below, plain_ticks
from bench.scale.simulate import LABEL
from results.report.plot_style import MUTED, TARGETS, Plot, drawn, finished

_STYLES: Final[tuple[dict[str, Any], ...]] = (
    {"color": TARGETS["container"], "linestyle": "-"},
    {"color": TARGETS["function"], "linestyle": "--"},
)
Named = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows of a table of the results, by the run's name; "" of one alone."""


def rates_plot(measured: Named) -> Plot:
    """Images per second by number of workers; dotted: the smallest size times the number."""
    with drawn(2.4) as (figure, axes):
        for (name, rows), style in zip(measured.items(), _STYLES, strict=False):
            x = [row["workers"] for row in rows]
            y = np.array([row["images_per_s"] for row in rows])
            below = np.maximum(y - [row["lowest"] for row in rows], 0)
            above = np.maximum(np.array([row["highest"] for row in rows]) - y, 0)
            axes.errorbar(x, y, [below, above], marker="o", markersize=4, capsize=3, label=name, **style)
            ideal = [y[0] / x[0] * workers for workers in x]
            axes.plot(x, ideal, ":", color=MUTED, linewidth=1)
        every = sorted({row["workers"] for rows in measured.values() for row in rows})
        highest = max(row["highest"] for rows in measured.values() for row in rows)
        axes.set_xticks(every, [str(workers) for workers in every])
        axes.set_ylim(0, 1.5 * highest or 1)
        axes.set_xlabel("workers (worker processes)")
        axes.set_ylabel("images per second")
        if len(measured) > 1:
            legend_below(figure)
        caption = "Medians of the rounds, and their range. Dotted: the smallest size, multiplied."
        return finished(figure, "rates", "Measured: images per second", caption)


def times_plot(simulated: Named) -> Plot:
    """How long jobs take, simulated."""
    with drawn(2.4) as (figure, axes):
        for (name, rows), style in zip(simulated.items(), _STYLES, strict=False):
            x, y = ([row[key] for row in rows] for key in ("images", "time_s"))
            axes.plot(x, np.array(y) / 60, marker="o", markersize=4, label=name, **style)
        axes.set_xscale("log")
        axes.set_yscale("log")
        plain_ticks(axes.xaxis)
        plain_ticks(axes.yaxis)
        axes.set_xlabel("images in the job")
        axes.set_ylabel("minutes")
        if len(simulated) > 1:
            legend_below(figure)
        caption = "What was assumed is in the configuration, under cloud."
        return finished(figure, "times", f"Time of a job: {LABEL}", caption)
