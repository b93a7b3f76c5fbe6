"""Plots that more than one benchmark's report has, and how lines of two runs are told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from results.report.plot_style import TARGETS, Plot, drawn, finished, spaced

_POINTS: Final = 400
_STYLES: Final = ("-", "--", "-.", ":")


def looks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour and line of each name: its first word, the target, tells the colour; a second run is dashed."""
    seen: Counter[str] = Counter()
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        target = name.split()[0]
        colour = TARGETS.get(target, [*TARGETS.values()][len(found) % len(TARGETS)])
        found[name] = {"color": colour, "linestyle": _STYLES[seen[target] % len(_STYLES)]}
        seen[target] += 1
    return found


def ecdf(series: Mapping[str, ArrayLike], quantity: str, of: str, caption: str) -> Plot:
    """The distribution of a quantity, a line for each name.

    Args:
        series: values by name, seconds.
        quantity: what they are, for the axis and the heading.
        of: of what: "tasks".
        caption: below it.
    """
    styles = looks(series)
    with drawn(2.4) as (figure, axes):
        for name, values in series.items():
            ordered = np.sort(np.asarray(values, dtype=np.float64))
            if len(ordered):
                ranks = spaced(len(ordered), _POINTS) + 1
                label = f"{name} (n = {len(ordered):,})"
                x, y = ordered[ranks - 1], ranks / len(ordered)
                axes.step(x, y, where="post", label=label, linewidth=1.6, **styles[name])
        axes.set_ylim(0, 1.02)
        axes.set_xlabel(f"{quantity}, seconds")
        axes.set_ylabel(f"share of {of}")
        if axes.has_data():
            axes.legend(loc="lower right")
        return finished(figure, "ecdf", f"Distribution: {quantity}", caption)
