"""A comparison as tables for a terminal of 60 columns or more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TypeVar

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from results.comparison import metrics
from results.comparison.format import (
    NOTHING,
    amount,
    amounts,
    failures,
    not_estimable,
    notes,
    percent,
    printable,
    throughput,
    trial_interval,
)
from results.comparison.metrics import Metric
from results.comparison.schema import Comparison, Ratio, TargetSummary, TaskGroup, TrialRatio, Warmth
from results.comparison.summary import PERCENTILES
from results.targets import Target

Column = tuple[TargetSummary, Warmth, TaskGroup]
AnyRatio = TypeVar("AnyRatio", Ratio, TrialRatio)


def comparison_table(comparison: Comparison) -> RenderableType:
    """Lay a comparison out; what comes back fits itself to the console that it is printed on."""
    return _Tables(comparison)


class _Tables:
    """Cold and warm side by side where there is room, else one below the other."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the tables, then the notes."""
        comparison = self._comparison
        yield Text(comparison.title, style="bold")
        yield Text(_subtitle(comparison), style="dim")
        yield from self._summaries(console, options)
        yield from _percentile_tables(comparison)
        yield from _ratio_tables(comparison)
        yield Text(_legend(comparison), style="dim")
        short = chain.from_iterable(not_estimable(summary) for summary in comparison.targets)
        yield from (Text(printable(note)) for note in chain(notes(comparison), short))

    def _summaries(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        columns = _columns(self._comparison)
        whole = _summary_table(columns)
        if Measurement.get(console, options.update(max_width=1000), whole).maximum <= options.max_width:
            yield whole
            return
        for warmth in ("cold", "warm"):
            chosen = [column for column in columns if column[1] == warmth]
            if chosen:
                yield _summary_table(chosen)


def _subtitle(comparison: Comparison) -> str:
    jobs = [job.job_id for job in comparison.jobs]
    name = f"job {jobs[0]}" if len(jobs) == 1 else f"{len(jobs)} jobs, {jobs[0]} to {jobs[-1]}"
    each = " each" if len(jobs) > 1 else ""
    return f"{name}: {comparison.image_count:,} images of {comparison.model}{each}; {comparison.note}"


def _columns(comparison: Comparison) -> list[Column]:
    """Cold and warm of each target; where no target has a task of the one, the other alone."""
    groups: list[Column] = []
    any_cold = any(summary.cold.tasks for summary in comparison.targets)
    any_warm = any(summary.warm.tasks for summary in comparison.targets)
    for summary in comparison.targets:
        if any_cold:
            groups.append((summary, "cold", summary.cold))
        if any_warm or not any_cold:
            groups.append((summary, "warm", summary.warm))
    return groups


def _new_table() -> Table:
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def _summary_table(columns: Sequence[Column]) -> Table:
    table = _new_table()
    table.add_column("", no_wrap=True)
    for summary, warmth, _ in columns:
        table.add_column(f"{summary.target}\n{warmth}", justify="right", no_wrap=True)
    table.add_row("tasks", *(f"{group.tasks:,}" for _, _, group in columns))
    cold = any(warmth == "cold" for _, warmth, _ in columns)
    for metric in metrics.METRICS:
        if cold or not metric.cold_only:
            table.add_row(_row_label(metric), *(_cell(metric, group) for _, _, group in columns))
    table.add_row(
        "images/s", *_once(columns, [throughput(summary.images_per_s) for summary, _, _ in columns])
    )
    table.add_row("failed", *_once(columns, [_failed(summary) for summary, _, _ in columns]))
    return table


def _row_label(metric: Metric) -> str:
    return f"  {metric.short_label}" if metric.part_of else metric.label


def _once(columns: Sequence[Column], cells: Sequence[str]) -> Iterator[str]:
    """What is of a target, whatever its tasks were, stands below the last of its columns."""
    for (summary, _, _), cell, following in zip(columns, cells, [*columns[1:], None], strict=True):
        yield "" if following is not None and following[0] is summary else cell


def _failed(summary: TargetSummary) -> str:
    return failures(summary.errors).replace(" (", "\n[dim](").replace(")", ")[/dim]")


def _cell(metric: Metric, group: TaskGroup) -> str:
    spread = group.of(metric.name)
    if spread is None:
        return NOTHING
    middle = amount(metric.unit, spread.median)
    if spread.minimum == spread.maximum:
        return middle
    return f"{middle}\n[dim]{amounts(metric.unit, spread.minimum, spread.maximum)}[/dim]"


def _percentile_tables(comparison: Comparison) -> Iterator[RenderableType]:
    """Of warm tasks. A percentile that no target's sample is large enough for has no row."""
    table = _new_table()
    table.add_column("warm tasks", no_wrap=True)
    for summary in comparison.targets:
        table.add_column(summary.target, justify="right")
    for metric in metrics.ratio_metrics(cold=False):
        for place, p in enumerate(PERCENTILES):
            cells = [_percentile_cell(metric, summary.warm, place) for summary in comparison.targets]
            if any(cell != NOTHING for cell in cells):
                table.add_row(f"{metric.label} p{p * 100:g}", *cells)
    if table.row_count:
        yield table


def _percentile_cell(metric: Metric, group: TaskGroup, place: int) -> str:
    spread = group.of(metric.name)
    estimate = spread.percentiles[place] if spread else None
    if estimate is None or estimate.value is None or estimate.low is None or estimate.high is None:
        return NOTHING
    interval = amounts(metric.unit, estimate.low, estimate.high)
    return f"{amount(metric.unit, estimate.value)}\n[dim]{interval}[/dim]"


def _ratio_tables(comparison: Comparison) -> Iterator[RenderableType]:
    if comparison.trials:
        yield from map(_trial_table, _by_pair(comparison.trials.ratios))
    else:
        yield from map(_job_table, _by_pair(comparison.ratios))


def _by_pair(ratios: Sequence[AnyRatio]) -> Iterator[list[AnyRatio]]:
    """The ratios of each pair of targets."""
    pairs: dict[tuple[Target, Target], list[AnyRatio]] = {}
    for ratio in ratios:
        pairs.setdefault((ratio.first, ratio.second), []).append(ratio)
    yield from pairs.values()


def _job_table(ratios: Sequence[Ratio]) -> Table:
    table = _new_table()
    table.add_column(f"{ratios[0].first} / {ratios[0].second}", no_wrap=True)
    for name in ("pairs", "ratio", "×/÷", "min–max"):
        table.add_column(name, justify="right", no_wrap=True)
    for ratio in _in_sections(table, ratios, [ratio.pairs for ratio in ratios]):
        table.add_row(
            _ratio_name(ratio),
            f"{ratio.pairs:,}" if ratio.warmth == "warm" else NOTHING,
            _number(ratio.geometric_mean),
            _number(ratio.geometric_sd),
            NOTHING if ratio.minimum is None else f"{ratio.minimum:.2f}–{ratio.maximum:.2f}",
        )
    return table


def _trial_table(ratios: Sequence[TrialRatio]) -> Table:
    table = _new_table()
    table.add_column(f"{ratios[0].first} /\n{ratios[0].second}", no_wrap=True)
    for name in ("n", "ratio", "95% interval"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    for ratio in _in_sections(table, ratios, [ratio.trials for ratio in ratios]):
        table.add_row(
            _ratio_name(ratio),
            str(ratio.trials),
            NOTHING if ratio.geometric_mean is None else f"{ratio.geometric_mean:.3f}",
            trial_interval(ratio),
            ratio.verdict or NOTHING,
        )
    return table


def _in_sections(table: Table, ratios: Sequence[AnyRatio], weights: Sequence[int]) -> Iterator[AnyRatio]:
    """Yield warm ratios, then, below a heading, those cold ones that there are tasks for."""
    for warmth in ("warm", "cold"):
        chosen = [
            ratio
            for ratio, weight in zip(ratios, weights, strict=True)
            if ratio.warmth == warmth and (weight or warmth == "warm")
        ]
        if chosen and warmth == "cold":
            table.add_section()
            table.add_row(Text("cold, not paired", style="dim"))
        yield from chosen


def _ratio_name(ratio: Ratio | TrialRatio) -> str:
    return _row_label(metrics.metric(ratio.quantity))


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}"


def _legend(comparison: Comparison) -> str:
    legend = "Median, below it min–max; percentiles with 95% intervals; failed: rate's 95% interval."
    if comparison.trials:
        trials = comparison.trials
        return (
            f"{legend} Ratio below 1: {comparison.targets[0].target} needs less. Trials are resampled,"
            f" not tasks ({trials.method}, seed {trials.seed}); Holm over quantities; margin"
            f" {percent(trials.margin)}."
        )
    if comparison.ratios:
        return f"{legend} Ratio: geometric mean over tasks warm on both, ×/÷ its spread; {comparison.note}."
    return legend
