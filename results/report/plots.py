"""Plots of a comparison: distributions, boxes, and what trials say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import exp, log, sqrt
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from results.comparison import metrics
from results.comparison.columns import JobColumns
from results.comparison.metrics import Metric
from results.comparison.ratios import trial_values
from results.comparison.schema import TrialRatio, Trials
from results.comparison.summary import pooled
from results.report.plot_style import COLD, INK, MUTED, TARGETS, Plot, drawn, finished, spaced
from results.targets import Target

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS: Final = 250
"""Drawn of a curve, however long the sample is."""
_FEWEST_OF_BAND: Final = 20
"""Of fewer tasks the band would fill the plot."""
_DOTS: Final = 200
_AXES: Final[Mapping[str, tuple[float, str]]] = {"s": (1.0, "seconds"), "bytes": (2.0**-20, "MiB")}
"""What values of a unit are multiplied by for their axis, and what the axis says; any other unit as it is."""
_LOG_ABOVE: Final = 20.0
"""A longer range than this, as a factor, is drawn on a logarithmic axis."""


def ecdf_plots(jobs: Sequence[JobColumns]) -> Iterator[Plot]:
    """The distribution over warm tasks of what targets are compared by, with the band of its true curve."""
    for metric in metrics.ratio_metrics(cold=False):
        samples = _samples(jobs, metric, cold=False)
        if any(len(sample) for sample in samples.values()):
            yield _ecdf(metric, samples)


def box_plots(jobs: Sequence[JobColumns]) -> Iterator[Plot]:
    """Median, quartiles and range of warm tasks; cold ones as dots beside them."""
    for metric in metrics.ratio_metrics(cold=False):
        warm, cold = (_samples(jobs, metric, cold=which) for which in (False, True))
        if any(len(sample) for sample in (*warm.values(), *cold.values())):
            yield _boxes(metric, warm, cold)


def trials_plot(jobs: Sequence[JobColumns], trials: Trials) -> Iterator[Plot]:
    """Each trial's ratio, the mean and its interval; one plot for warm tasks and one for cold ones."""
    for warmth in ("warm", "cold"):
        ratios = [ratio for ratio in trials.ratios if ratio.warmth == warmth and ratio.trials]
        if ratios:
            yield _forest(jobs, trials, ratios, f"trials-{warmth}")


def _samples(jobs: Sequence[JobColumns], metric: Metric, *, cold: bool) -> dict[Target, NDArray[np.float64]]:
    factor, _ = _axis_of(metric)
    samples = {}
    for target in jobs[0].manifest.targets:
        values = pooled([job.targets[target] for job in jobs], metric.name, cold=cold)
        samples[target] = np.sort(values[~np.isnan(values)]) * factor
    return samples


def _axis_of(metric: Metric) -> tuple[float, str]:
    return _AXES.get(metric.unit, (1.0, metric.unit))


def _ecdf(metric: Metric, samples: Mapping[Target, NDArray[np.float64]]) -> Plot:
    name = metric.label
    with drawn(2.4) as (figure, axes):
        for target, ordered in samples.items():
            if not len(ordered):
                continue
            # A few hundred points of the curve are as good as a million.
            ranks = spaced(len(ordered), POINTS) + 1
            x, y = ordered[ranks - 1], ranks / len(ordered)
            colour = TARGETS[target]
            if len(ordered) >= _FEWEST_OF_BAND:
                band = sqrt(log(2 / 0.05) / (2 * len(ordered)))
                low, high = np.clip(y - band, 0, 1), np.clip(y + band, 0, 1)
                axes.fill_between(x, low, high, step="post", color=colour, alpha=0.13, linewidth=0)
            axes.step(
                x, y, where="post", color=colour, linewidth=1.6, label=f"{target} (n = {len(ordered):,})"
            )
        axes.set_ylim(0, 1.02)
        axes.set_xlabel(f"{name}, {_axis_of(metric)[1]}")
        axes.set_ylabel("share of warm tasks")
        _scale(axes, [*samples.values()])
        axes.legend(loc="lower right")
        caption = (
            f"Share of warm tasks whose {name} was at most so much. Shaded, from {_FEWEST_OF_BAND} tasks on:"
            " the 95% band of the whole curve (Dvoretzky, Kiefer, Wolfowitz; Massart) of independent tasks."
        )
        return finished(figure, f"ecdf-{metric.name}", f"Distribution of {name}", caption)


def _boxes(
    metric: Metric, warm: Mapping[Target, NDArray[np.float64]], cold: Mapping[Target, NDArray[np.float64]]
) -> Plot:
    name = metric.label
    with drawn(0.7 + 0.42 * len(warm)) as (figure, axes):
        for row, (target, values) in enumerate(warm.items()):
            if len(values):
                _box(axes, row, values, TARGETS[target])
            dots = cold[target][spaced(len(cold[target]), _DOTS)]
            if len(dots):
                axes.plot(dots, np.full(len(dots), row), "D", color=COLD, markersize=3.5, alpha=0.8)
        axes.set_yticks(range(len(warm)), [*warm])
        axes.set_ylim(len(warm) - 0.5, -0.5)
        axes.grid(False, axis="y")
        axes.set_xlabel(f"{name}, {_axis_of(metric)[1]}")
        _scale(axes, [*warm.values(), *cold.values()])
        title = name[0].upper() + name[1:]
        caption = (
            "Box: quartiles and median of warm tasks; whiskers: 5% to 95%; dots: the slowest and fastest."
            " Diamonds: cold tasks."
        )
        return finished(figure, f"box-{metric.name}", title, caption)


def _box(axes: Axes, row: int, ordered: NDArray[np.float64], colour: str) -> None:
    low, first, middle, third, high = np.quantile(ordered, (0.05, 0.25, 0.5, 0.75, 0.95))
    statistics = {"whislo": low, "q1": first, "med": middle, "q3": third, "whishi": high}
    outside = ordered[[0, -1]]
    axes.bxp(
        [{**statistics, "fliers": outside}],
        positions=[row],
        orientation="horizontal",
        widths=0.5,
        patch_artist=True,
        boxprops={"facecolor": colour, "edgecolor": colour, "alpha": 0.45},
        whiskerprops={"color": colour},
        capprops={"color": colour},
        medianprops={"color": INK, "linewidth": 1.6},
        flierprops={"marker": ".", "markerfacecolor": colour, "markeredgecolor": colour, "markersize": 4},
    )


def _forest(jobs: Sequence[JobColumns], trials: Trials, ratios: Sequence[TrialRatio], name: str) -> Plot:
    first, *others = jobs[0].manifest.targets
    several = len(others) > 1
    other = "the other" if several else others[0]
    with drawn(0.9 + 0.42 * len(ratios)) as (figure, axes):
        axes.axvspan(1 / (1 + trials.margin), 1 + trials.margin, color=MUTED, alpha=0.13, linewidth=0)
        axes.axvline(1, color=MUTED, linewidth=1)
        for row, ratio in enumerate(ratios):
            logs = trial_values(jobs, ratio.first, ratio.second, ratio.quantity, ratio.warmth)
            dots = np.exp(logs[spaced(len(logs), _DOTS)])
            # Dots of equal height would hide one another: spread them a little, always alike.
            heights = row + 0.26 * np.sin(np.arange(len(dots)) * 2.4)
            axes.plot(dots, heights, ".", color=TARGETS[ratio.second], alpha=0.35, markersize=4)
            if ratio.low is not None and ratio.high is not None:
                axes.plot([ratio.low, ratio.high], [row, row], color=INK, linewidth=2.2)
            axes.plot([exp(logs.mean())], [row], "D", color=INK, markersize=5)
        axes.set_yticks(range(len(ratios)), [_label(ratio, several) for ratio in ratios])
        axes.set_ylim(len(ratios) - 0.5, -0.5)
        axes.grid(False, axis="y")
        axes.set_xlabel(f"{first} / {other}; below 1, {first} needs less")
        warmth = ratios[0].warmth
        caption = (
            f"A dot is one trial: the mean ratio of its {warmth} tasks. Diamond and bar: mean over trials and"
            f" its 95% interval, from {trials.needed} trials on. Shaded: within the margin, of no matter."
        )
        return finished(figure, name, f"Ratios of {len(jobs)} trials, {warmth} tasks", caption)


def _label(ratio: TrialRatio, several: bool) -> str:
    label = metrics.metric(ratio.quantity).label
    return f"{label}\n/ {ratio.second}" if several else label


def _scale(axes: Axes, samples: Sequence[NDArray[np.float64]]) -> None:
    """A logarithmic axis where the values are far apart and above zero."""
    from matplotlib.ticker import LogLocator, NullFormatter

    values = np.concatenate([*samples])
    if values.min() > 0 and values.max() / values.min() > _LOG_ABOVE:
        axes.set_xscale("log")
        few = values.max() / values.min() < 200
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
