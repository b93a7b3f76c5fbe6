"""Plots of a load run: response times over time and as a distribution, the percentile spectrum, resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.load.generator.sample import Sample
from bench.runs.plots import ecdf, legend_below, looks, plain_ticks
from results.report.plot_style import COLD, Plot, drawn, finished, spaced

_POINTS: Final = 400
_DOTS: Final = 1500
_NINES: Final = (1, 10, 100, 1000, 10_000)
Series = Mapping[str, Sequence[Sample]]


def load_plots(by_target: Series, usage: Sequence[Mapping[str, str]], *, percentiles: bool) -> Iterator[Plot]:
    """All that there is to draw.

    Args:
        by_target: requests by name of what is set side by side.
        usage: rows of the resources file.
        percentiles: False when they are refused.
    """
    if any(by_target.values()):
        yield _over_time(by_target)
    if percentiles and any(_ok(samples).size for samples in by_target.values()):
        caption = "Share of the measured, successful requests that took at most so long."
        values = {name: _ok(samples) for name, samples in by_target.items()}
        yield ecdf(values, "response time", "requests", caption)
        yield _spectrum(by_target)
    if usage:
        yield _usage(usage, "cpu_cores", "CPU of each worker", "cores", 1.0)
        yield _usage(usage, "rss_bytes", "Memory of each worker", "MiB, resident", 2.0**20)


def _ok(samples: Sequence[Sample]) -> NDArray[np.float64]:
    return np.sort(
        [sample.response_s for sample in samples if sample.outcome == "ok" and sample.phase == "measured"]
    )


def _over_time(by_target: Series) -> Plot:
    styles = looks(by_target)
    with drawn(2.7) as (figure, axes):
        for name, samples in by_target.items():
            if not samples:
                continue
            colour, second = styles[name]["color"], styles[name]["linestyle"] != "-"
            start = min(sample.sent_s for sample in samples)
            ok = [sample for sample in samples if sample.outcome == "ok"]
            other = [sample for sample in samples if sample.outcome != "ok"]
            for group, shade, mark, label in (
                (ok, colour, "+" if second else ".", name),
                (other, COLD, "x", f"{name}, shed or failed"),
            ):
                if group:
                    chosen = [group[index] for index in spaced(len(group), _DOTS)]
                    x = [sample.sent_s - start for sample in chosen]
                    y = [max(sample.response_s, 1e-6) for sample in chosen]
                    axes.plot(x, y, mark, color=shade, markersize=2.5, alpha=0.6, label=label)
        axes.set_yscale("log")
        plain_ticks(axes.yaxis)
        axes.set_xlabel("sent, seconds since the target's first request")
        axes.set_ylabel("response time, seconds")
        legend_below(figure)
        caption = f"A dot is one request, of more than {_DOTS:,} an even selection. Warm-up is shown too."
        return finished(figure, "over-time", "Response time over time", caption)


def _spectrum(by_target: Series) -> Plot:
    styles = looks(by_target)
    with drawn(2.7) as (figure, axes):
        for name, samples in by_target.items():
            colour, line = styles[name]["color"], styles[name]["linestyle"]
            done = [sample for sample in samples if sample.outcome == "ok" and sample.phase == "measured"]
            for values, style, what in (
                ([sample.response_s for sample in done], line, "response"),
                ([sample.ended_s - sample.scheduled_s for sample in done], ":", "from the schedule"),
            ):
                if values:
                    ordered = np.sort(values)
                    n = len(ordered)
                    nines = np.geomspace(1, n, _POINTS) if n > 1 else np.ones(1)
                    y = np.quantile(ordered, 1 - 1 / nines)
                    axes.plot(nines, y, style, color=colour, label=name if what == "response" else None)
        axes.set_xscale("log")
        axes.set_xticks(_NINES, ["0", "90%", "99%", "99.9%", "99.99%"])
        axes.set_xlabel("percentile")
        axes.set_ylabel("seconds")
        axes.set_ylim(bottom=0)
        legend_below(figure)
        caption = (
            "Each percentile, the far end stretched. Dotted: counted from when the task was due, with the"
            " refusals and waits before its success."
        )
        return finished(figure, "spectrum", "Percentile spectrum", caption)


def _usage(usage: Sequence[Mapping[str, str]], column: str, title: str, unit: str, scale: float) -> Plot:
    styles = looks(dict.fromkeys(row["target"] for row in usage))
    with drawn(2.2) as (figure, axes):
        for name, style in styles.items():
            rows = [row for row in usage if row["target"] == name]
            x = [float(row["at_s"]) for row in rows]
            y = [float(row[column]) / scale for row in rows]
            axes.plot(x, y, marker=".", label=name, **style)
        highest = max(float(row[column]) / scale for row in usage)
        axes.set_ylim(0, 1.15 * highest or 1)
        axes.set_xlabel("seconds since the run's start")
        axes.set_ylabel(unit)
        legend_below(figure)
        return finished(figure, f"usage-{column}", title, "Of all its processes together.")
