"""Tables of what was measured: mean ± SD and percentiles, what is compared side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from bench.runs.page import folded_away
from bench.runs.phases import Phases
from results.report.tables import table


def means_table(found: Phases) -> str:
    """Mean ± SD of every quantity, a column for each target; all phases but the measured one folded."""
    by_phase: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for target, phase, part in found:
        by_phase.setdefault(phase, []).append((target, part["quantities"]))
    shown = _means("measured", by_phase.pop("measured")) if "measured" in by_phase else ""
    folded = "".join(_means(phase, columns) for phase, columns in by_phase.items())
    if not folded:
        return shown
    return shown + folded_away(", ".join(by_phase), folded, opened=not shown)


def percentiles_table(found: Phases, names: Sequence[str]) -> str:
    """Percentiles of these quantities, measured phase, below them their intervals."""
    rows = []
    columns: dict[str, None] = {}
    for name in names:
        for target, phase, part in found:
            points = part["quantities"].get(name, {}).get("percentiles", ()) if phase == "measured" else ()
            cells = {f"p{100 * point['p']:g}": point for point in points if point["interval"]}
            columns |= dict.fromkeys(cells)
            if cells:
                rows.append((f"{quantity_words(name)}, {target}", cells))
    if not rows:
        return '<p class="small">No percentiles: too few values for an interval, or refused.</p>'
    markup = [
        (
            f'<th scope="row">{escape(row)}</th>',
            [_percentile(cells[column]) if column in cells else "<td>–</td>" for column in columns],
        )
        for row, cells in rows
    ]
    caption = "Percentiles, milliseconds; below them their 95% intervals, – where the sample is too small"
    return table(caption, ("", *columns), markup)


def quantity_words(name: str) -> str:
    """A quantity's name without its unit."""
    return name.removesuffix("_s").replace("_", " ")


def milliseconds(value_s: float | None) -> str:
    """Seconds as milliseconds: three digits that count, no exponents; "" for None."""
    if value_s is None:
        return ""
    value = 1000 * value_s
    for least, digits in ((100, 0), (10, 1), (1, 2), (0.1, 3)):
        if abs(value) >= least:
            return f"{value:,.{digits}f}"
    return f"{value:.4f}" if value else "0"


def _means(phase: str, columns: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    names = dict.fromkeys(name for _, quantities in columns for name in quantities)
    rows = [
        (
            f'<th scope="row">{escape(quantity_words(name))}</th>',
            [_mean(quantities.get(name)) for _, quantities in columns],
        )
        for name in names
    ]
    caption = f"{phase.capitalize()}: mean ± SD, milliseconds; below: 95% interval of the mean; n and range"
    return table(caption, ("", *(target for target, _ in columns)), rows)


def _mean(quantity: Mapping[str, Any] | None) -> str:
    if not quantity:
        return "<td>–</td>"
    spread = "" if quantity["sd"] is None else f" ± {milliseconds(quantity['sd'])}"
    interval = f"<small>{_range(quantity['mean_interval'])}</small>" if quantity["mean_interval"] else ""
    limits = f"; {_range((quantity['min'], quantity['max']))}" if quantity["min"] < quantity["max"] else ""
    count = f"<small>n {quantity['n']:,}{limits}</small>"
    return f"<td>{milliseconds(quantity['mean'])}{spread}{interval}{count}</td>"


def _percentile(point: Mapping[str, Any]) -> str:
    return f"<td>{milliseconds(point['value'])}<small>{_range(point['interval'])}</small></td>"


def _range(ends: Sequence[float]) -> str:
    return f"{milliseconds(ends[0])} … {milliseconds(ends[1])}"
