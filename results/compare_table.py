"""The comparison of one job as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from results.compare import Comparison, Ratio, Spread, TargetSummary, TaskGroup

_ROWS: Final = (
    ("round trip", "round_trip_s"),
    ("process time", "process_s"),
    ("  without load", "process_without_load_s"),
    ("latency", "latency_s"),
    ("CPU per image", "cpu_s_per_image"),
)
_NOTHING: Final = "–"


def comparison_table(comparison: Comparison) -> RenderableType:
    """Lay a comparison out: a row per quantity, cold and warm columns per target, then the ratio."""
    table = Table(
        title=comparison.title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("", no_wrap=True)
    for summary, warmth, _ in _groups(comparison):
        table.add_column(f"{summary.target}\n{warmth}", justify="right")
    for first, second in _pairings(comparison):
        table.add_column(f"{first}\n/ {second}", justify="right")
    table.add_row(*_tasks_row(comparison))
    for label, quantity in _ROWS:
        table.add_row(label, *_quantity_cells(comparison, quantity))
    table.add_row("peak memory", *_memory_cells(comparison))
    return Group(table, *(Text(line, style="dim") for line in _notes(comparison)))


def _groups(comparison: Comparison) -> list[tuple[TargetSummary, str, TaskGroup]]:
    """The columns: cold and warm of each target; where one holds no task, the other alone."""
    return [
        (summary, warmth, group)
        for summary in comparison.targets
        for warmth, group, other in (
            ("cold", summary.cold, summary.warm),
            ("warm", summary.warm, summary.cold),
        )
        if group.tasks or not other.tasks
    ]


def _pairings(comparison: Comparison) -> list[tuple[str, str]]:
    return [*dict.fromkeys((ratio.first, ratio.second) for ratio in comparison.ratios)]


def _tasks_row(comparison: Comparison) -> list[str]:
    counts = [str(group.tasks) for _, _, group in _groups(comparison)]
    pairs = [
        max(ratio.pairs for ratio in comparison.ratios if ratio.second == second)
        for _, second in _pairings(comparison)
    ]
    return ["tasks", *counts, *(f"{count} pairs" for count in pairs)]


def _quantity_cells(comparison: Comparison, quantity: str) -> Iterator[str]:
    for _, _, group in _groups(comparison):
        yield _cell(_spread_of(group, quantity))
    for _, second in _pairings(comparison):
        found = [r for r in comparison.ratios if r.second == second and r.quantity == quantity]
        yield _ratio_cell(found[0]) if found else ""


def _spread_of(group: TaskGroup, quantity: str) -> Spread | None:
    spread: Spread | None = getattr(group, quantity)
    return spread


def _cell(spread: Spread | None) -> str:
    if spread is None:
        return _NOTHING
    middle = _seconds(spread.median)
    if spread.n == 1:
        return middle
    return f"{middle}\n[dim]{_range(spread.minimum, spread.maximum)}[/dim]"


def _ratio_cell(ratio: Ratio) -> str:
    return _NOTHING if ratio.geometric_mean is None else f"{ratio.geometric_mean:.2f}"


def _memory_cells(comparison: Comparison) -> Iterator[str]:
    groups = _groups(comparison)
    for (summary, _, _), following in zip(groups, [*groups[1:], None], strict=True):
        # Of the target, whatever its tasks were: under the last of its columns.
        if following is not None and following[0] is summary:
            yield ""
        else:
            yield _NOTHING if summary.rss_peak_bytes is None else f"{summary.rss_peak_bytes / 2**20:.0f} MiB"
    yield from ("" for _ in _pairings(comparison))


def _notes(comparison: Comparison) -> Iterator[str]:
    yield f"{comparison.note}; median, below it min–max; ratio: geometric mean over tasks warm on both"
    yield from (note for summary in comparison.targets for note in _left_out(summary))
    yield from (f"not equal: {difference}" for difference in comparison.differences)


def _left_out(summary: TargetSummary) -> Iterator[str]:
    if summary.left_out:
        counts = f"{summary.left_out} of {summary.tasks} tasks"
        yield f"{summary.target}: {counts} left out: they found images of an earlier delivery"


def _seconds(value: float) -> str:
    number, unit = _scaled(value, value)
    return f"{number} {unit}"


def _range(low: float, high: float) -> str:
    number, unit = _scaled(high, high)
    return f"{_scaled(low, high)[0]}–{number} {unit}"


def _scaled(value: float, as_for: float) -> tuple[str, str]:
    """Three digits or so, in the unit that suits `as_for`."""
    unit, factor = ("s", 1) if abs(as_for) >= 1 else ("ms", 1000)
    size = abs(as_for) * factor
    digits = 2 if size < 10 else 1 if size < 100 else 0
    return f"{value * factor:.{digits}f}", unit
