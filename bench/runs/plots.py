"""Plots that more than one benchmark's report has, and how lines of two runs are told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike

from results.report.plot_style import TARGETS, Plot, drawn, finished, spaced

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

_POINTS: Final = 400
_STYLES: Final = ("-", "--", "-.", ":")


def looks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour and line of each name: its first word, the target, tells the colour; a second run is dashed."""
    seen: Counter[str] = Counter()
    styles: dict[str, dict[str, Any]] = {}
    for name in names:
        target = name.split()[0]
        colour = TARGETS.get(target, [*TARGETS.values()][len(styles) % len(TARGETS)])
        styles[name] = {"color": colour, "linestyle": _STYLES[seen[target] % len(_STYLES)]}
        seen[target] += 1
    return styles


def legend_below(figure: Figure, columns: int = 2) -> None:
    """A legend that covers nothing."""
    figure.legend(loc="outside lower center", ncols=columns)


def plain_ticks(axis: Axis) -> None:
    """Numbers as they are read at a logarithmic axis: 0.05, 10,000."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = sorted(axis.get_view_interval())
    close = high < 100 * max(low, 1e-12)
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if close else (1.0,), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def whole_ticks(axis: Axis) -> None:
    """Whole numbers alone."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True))


def ecdf(series: Mapping[str, ArrayLike], quantity: str, unit: str, caption: str) -> Plot:
    """The distribution of a quantity, a line for each name.

    Args:
        series: values by name, seconds.
        quantity: what they are, for the axis and the heading.
        of: of what: "tasks".
        caption: below it.
    """
    styles = looks(series)
    with drawn(2.6) as (figure, axes):
        for name, values in series.items():
            ordered = np.sort(np.asarray(values, dtype=np.float64))
            if len(ordered):
                ranks = spaced(len(ordered), _POINTS) + 1
                label = f"{name} (n = {len(ordered):,})"
                x, y = ordered[ranks - 1], ranks / len(ordered)
                axes.step(x, y, where="post", label=label, linewidth=1.6, **styles[name])
        axes.set_ylim(0, 1.02)
        axes.set_xlabel(f"{quantity}, seconds")
        axes.set_ylabel(f"share of {unit}")
        if axes.has_data():
            legend_below(figure, 2 if max(map(len, series)) < 20 else 1)
        return finished(figure, "ecdf", f"Distribution: {quantity}", caption)
