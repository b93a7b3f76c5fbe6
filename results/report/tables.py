"""The tables of the report. Whatever comes out of a store is escaped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape

from results.comparison import metrics
from results.comparison.columns import JobColumns, seen_conditions
from results.comparison.format import (
    NOTHING,
    amount,
    amounts,
    failures,
    percent,
    throughput,
    trial_interval,
)
from results.comparison.metrics import CONDITIONS, Metric
from results.comparison.schema import Comparison, Ratio, Spread, TrialRatio
from results.comparison.summary import PERCENTILES
from results.statistics.quantiles import sample_needed

Cell = str
"""Markup."""


def table(
    caption: str, head: Sequence[str], rows: Iterable[tuple[str, Sequence[Cell]]], *, words: int = 0
) -> str:
    """A table with a heading per row.

    Args:
        caption: text.
        head: texts, the first above the row headings.
        rows: markup of the heading's cell, and of the others.
        words: so many of the last columns hold words, not numbers.
    """
    body = "".join(f"<tr>{heading}{''.join(cells)}</tr>" for heading, cells in rows)
    kinds = ["num"] * (len(head) - words) + ["words"] * words
    titles = "".join(
        f'<th scope="col" class="{kind}">{escape(title)}</th>'
        for title, kind in zip(head, kinds, strict=True)
    )
    return (
        f'<div class="scroll" tabindex="0"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def summary_table(comparison: Comparison) -> str:
    """What each target did, cold and warm apart: medians, below them the ranges."""
    groups = [
        (summary, warmth, group)
        for summary in comparison.targets
        for warmth, group in (("cold", summary.cold), ("warm", summary.warm))
    ]
    head = ["", *(f"{summary.target}, {warmth}" for summary, warmth, _ in groups)]
    rows: list[tuple[str, Sequence[Cell]]] = [(_row("tasks"), [_cell(f"{g.tasks:,}") for _, _, g in groups])]
    for metric in metrics.METRICS:
        cells = [_spread_cell(metric, group.of(metric.name)) for _, _, group in groups]
        rows.append((_row(metric.label, sub=bool(metric.part_of)), cells))
    return table("Cold and warm tasks: median, below it the range", head, rows)


def target_table(comparison: Comparison) -> str:
    """What each target did as a whole."""
    summaries = comparison.targets
    rows: list[tuple[str, Sequence[Cell]]] = [
        (_row("served by"), [_cell(summary.server) for summary in summaries]),
        (_row("tasks recorded"), [_cell(f"{summary.tasks:,}") for summary in summaries]),
        (_row("left out: images found"), [_cell(f"{summary.left_out:,}") for summary in summaries]),
        (_row("left out: damaged records"), [_cell(f"{summary.unreadable:,}") for summary in summaries]),
        (_row("images"), [_cell(f"{summary.images:,}") for summary in summaries]),
        (_row("instances"), [_cell(f"{summary.instances:,}") for summary in summaries]),
        (_row("images per second"), [_cell(throughput(summary.images_per_s)) for summary in summaries]),
        (_row("failed tasks (95% interval)"), [_cell(failures(summary.errors)) for summary in summaries]),
        (_row("highest memory"), [_memory_cell(summary.rss_peak_bytes) for summary in summaries]),
    ]
    return table("Targets", ["", *(summary.target for summary in summaries)], rows)


def percentile_table(comparison: Comparison) -> str:
    """Percentiles with their intervals; "not estimable" where the sample is too small.

    Tasks too few for any percentile have no column, and are listed below.
    """
    every = [
        (f"{summary.target}, {warmth}", group)
        for summary in comparison.targets
        for warmth, group in (("cold", summary.cold), ("warm", summary.warm))
        if group.tasks
    ]
    fewest = min(sample_needed(p) for p in PERCENTILES)
    groups = [(name, group) for name, group in every if group.tasks >= fewest]
    short = "; ".join(f"{name}: {group.tasks}" for name, group in every if group.tasks < fewest)
    too_few = (
        f'<p class="small">Not estimable from fewer than {fewest} tasks: {escape(short)}.</p>'
        if short
        else ""
    )
    rows = []
    for metric in metrics.ratio_metrics(cold=False):
        for place, p in enumerate(PERCENTILES):
            cells = [_percentile_cell(metric, group.of(metric.name), place) for _, group in groups]
            rows.append((_row(f"{metric.label} p{p * 100:g}"), cells))
    if not groups:
        return f"<h3>Percentiles</h3>{too_few}"
    head = ["", *(name for name, _ in groups)]
    return table("Percentiles, below them their 95% intervals", head, rows) + too_few


def ratio_table(comparison: Comparison) -> str:
    """Target against target, within the one job or over trials."""
    return _trial_table(comparison) if comparison.trials else _job_table(comparison)


def condition_table(jobs: Sequence[JobColumns]) -> str:
    """What the targets ran on."""
    targets = [*jobs[0].manifest.targets]
    columns = {target: [job.targets[target] for job in jobs] for target in targets}
    rows = [
        (
            _row(name.replace("_", " ")),
            [_words(", ".join(sorted(seen_conditions(columns[t], name))) or NOTHING) for t in targets],
        )
        for name in CONDITIONS
    ]
    return table("What the tasks ran on", ["", *targets], rows, words=len(targets))


def job_table(jobs: Sequence[JobColumns]) -> str:
    """What was asked for."""
    head = ["job", "status", "submitted (UTC)", "seed", "images", "per task", "params"]
    rows = [
        (
            _row(job.manifest.job_id),
            [
                _cell(job.status),
                _cell(f"{job.manifest.submitted_at:%Y-%m-%d %H:%M:%S}"),
                _cell(str(job.manifest.seed)),
                _cell(f"{job.manifest.count:,}"),
                _cell(str(job.manifest.images_per_task)),
                _words(json.dumps(job.manifest.params, ensure_ascii=False)),
            ],
        )
        for job in jobs
    ]
    return table("Jobs" if len(jobs) > 1 else "Job", head, rows, words=1)


def _job_table(comparison: Comparison) -> str:
    rows = []
    for ratio in comparison.ratios:
        name = _ratio_name(ratio, comparison)
        spread = NOTHING if ratio.geometric_sd is None else f"×/÷ {ratio.geometric_sd:.2f}"
        limits = NOTHING if ratio.minimum is None else f"{ratio.minimum:.2f}–{ratio.maximum:.2f}"
        pairs = f"{ratio.pairs:,}" if ratio.warmth == "warm" else "not paired"
        rows.append(
            (_row(name), [_cell(pairs), _cell(_ratio(ratio.geometric_mean)), _cell(spread), _cell(limits)])
        )
    return table(comparison.note, [_one_pair(comparison), "pairs", "ratio", "spread", "range"], rows)


def _trial_table(comparison: Comparison) -> str:
    trials = comparison.trials
    rows = []
    for ratio in trials.ratios if trials else ():
        name = _ratio_name(ratio, comparison)
        cells = [
            _cell(str(ratio.trials)),
            _cell(_ratio(ratio.geometric_mean)),
            _cell(trial_interval(ratio)),
            _cell(NOTHING if ratio.geometric_sd is None else f"×/÷ {ratio.geometric_sd:.3f}"),
            _cell(NOTHING if ratio.p_value is None else f"{ratio.p_value:.4f}"),
            _words(ratio.verdict or NOTHING),
        ]
        rows.append((_row(name), cells))
    head = [_one_pair(comparison), "trials", "ratio", "95% interval", "spread", "p (Holm)", "verdict"]
    margin = percent(trials.margin) if trials else ""
    return table(f"{comparison.note}, margin {margin}", head, rows, words=1)


def _one_pair(comparison: Comparison) -> str:
    """The two targets, if there are but two."""
    targets = [summary.target for summary in comparison.targets]
    return " / ".join(targets) if len(targets) == 2 else ""


def _ratio_name(ratio: Ratio | TrialRatio, comparison: Comparison) -> str:
    name = f"{metrics.metric(ratio.quantity).label}, {ratio.warmth}"
    return name if _one_pair(comparison) else f"{name}: {ratio.first} / {ratio.second}"


def _row(heading: str, *, sub: bool = False) -> str:
    return f'<th scope="row"{" class=sub" if sub else ""}>{escape(heading)}</th>'


def _cell(text: str, below: str = "") -> Cell:
    small = f"<small>{escape(below)}</small>" if below else ""
    return f"<td>{escape(text)}{small}</td>"


def _words(text: str) -> Cell:
    return f'<td class="words">{escape(text)}</td>'


def _memory_cell(value: int | None) -> Cell:
    return _cell(NOTHING if value is None else amount("bytes", value))


def _ratio(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _spread_cell(metric: Metric, spread: Spread | None) -> Cell:
    if spread is None:
        return _cell(NOTHING)
    limits = amounts(metric.unit, spread.minimum, spread.maximum) if spread.minimum < spread.maximum else ""
    return _cell(amount(metric.unit, spread.median), limits)


def _percentile_cell(metric: Metric, spread: Spread | None, place: int) -> Cell:
    if spread is None:
        return _cell(NOTHING)
    estimate = spread.percentiles[place]
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return _cell("not estimable", f"needs {estimate.needed} tasks")
    return _cell(amount(metric.unit, estimate.value), amounts(metric.unit, estimate.low, estimate.high))
