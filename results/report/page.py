"""The report as one HTML file: no script, no other file, no other host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import chain
from typing import Final

from results.comparison.columns import JobColumns
from results.comparison.format import notes, trial_interval
from results.comparison.metrics import metric
from results.comparison.schema import Comparison, Ratio, TrialRatio
from results.report import tables
from results.report.method import method_section
from results.report.plot_style import Plot, report_css
from results.report.plots import box_plots, ecdf_plots, trials_plot
from results.report.plots_time import timeline_plot, waterfall_plots
from results.statistics.verdict import MIN_TRIALS

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; img-src data:"
)


def report_html(
    comparison: Comparison, jobs: Sequence[JobColumns], *, made_at: datetime | None = None
) -> str:
    """Write the report.

    Args:
        comparison: of these jobs.
        jobs: as `read_trials` gives them; at least one.
        made_at: when, aware; now if not given.
    """
    made_at = made_at or datetime.now(UTC)
    body = "".join(_sections(comparison, jobs, made_at))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer"><meta name="color-scheme" content="light dark">'
        f"<title>{escape(comparison.title)}: {escape(_names(comparison))}</title>"
        f"<style>{report_css()}</style></head>\n<body>{body}</body></html>\n"
    )


def _sections(comparison: Comparison, jobs: Sequence[JobColumns], made_at: datetime) -> Iterator[str]:
    yield f"<header><h1>{escape(comparison.title[0].upper() + comparison.title[1:])}</h1>"
    yield f'<p class="lead">{escape(_lead(comparison))}</p></header><main>'
    yield f'<ul class="answers">{"".join(_answers(comparison))}</ul>'
    remarks = "".join(f"<li>{escape(note)}</li>" for note in notes(comparison))
    if remarks:
        yield f"<ul>{remarks}</ul>"
    yield "<h2>Target against target</h2>"
    if comparison.trials or comparison.ratios:
        yield tables.ratio_table(comparison)
    if comparison.trials:
        yield _plots(trials_plot(jobs, comparison.trials))
    yield "<h2>Each target</h2>"
    yield tables.target_table(comparison) + tables.summary_table(comparison)
    yield tables.percentile_table(comparison)
    yield "<h2>Distributions</h2>"
    yield _plots(chain(ecdf_plots(jobs), box_plots(jobs)))
    yield "<h2>In time</h2>"
    yield _plots(chain(waterfall_plots(jobs[0]), timeline_plot(jobs[0])))
    yield "<h2>Conditions</h2>"
    yield tables.condition_table(jobs) + tables.job_table(jobs)
    yield f"<h2>Method</h2>{method_section(comparison, MIN_TRIALS)}</main>"
    yield f'<footer class="small">Made {made_at:%Y-%m-%d %H:%M} UTC by diptych results report.</footer>'


def _lead(comparison: Comparison) -> str:
    each = ", each of them" if len(comparison.jobs) > 1 else ""
    return (
        f"{_names(comparison)}{each} {comparison.image_count:,} images of {comparison.model} for"
        f" {_listed([summary.target for summary in comparison.targets])}. {comparison.note.capitalize()}."
    )


def _listed(words: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _names(comparison: Comparison) -> str:
    jobs = comparison.jobs
    if len(jobs) == 1:
        return f"Job {jobs[0].job_id}:"
    return f"{len(jobs)} jobs, {jobs[0].job_id} to {jobs[-1].job_id}"


def _answers(comparison: Comparison) -> Iterator[str]:
    """The warm ratios, large: the verdict where there is one, else the figure."""
    if comparison.trials:
        for trial in comparison.trials.ratios:
            if trial.warmth == "warm" and trial.geometric_mean is not None:
                yield _answer(trial.quantity, *_trial_answer(trial))
        return
    for ratio in comparison.ratios:
        if ratio.warmth == "warm" and ratio.geometric_mean is not None:
            below = f"{ratio.first} / {ratio.second}, {ratio.pairs:,} pairs; {comparison.note}"
            yield _answer(ratio.quantity, f"× {ratio.geometric_mean:.2f}", "", below + _warning(ratio))


def _warning(ratio: Ratio | TrialRatio) -> str:
    return f"; may be biased: {ratio.bias_warning}" if ratio.bias_warning else ""


def _trial_answer(ratio: TrialRatio) -> tuple[str, str, str]:
    pair = f"{ratio.first} / {ratio.second}"
    warning = _warning(ratio)
    if ratio.verdict is None:
        return f"× {ratio.geometric_mean:.3f}", "", f"{pair}, {ratio.trials} trials: no verdict{warning}"
    below = f"{pair} = {ratio.geometric_mean:.3f}, 95% interval {trial_interval(ratio)}{warning}"
    return ratio.verdict, ratio.verdict.partition(" ")[0], below


def _answer(quantity: str, says: str, kind: str, below: str) -> str:
    return (
        f'<li><span class="what">{escape(metric(quantity).label)}, warm</span>'
        f'<span class="says" data-target="{escape(kind)}">{escape(says)}</span>'
        f'<span class="small">{escape(below)}</span></li>'
    )


def _plots(plots: Iterable[Plot]) -> str:
    drawn = "".join(
        f"<figure><h3>{escape(plot.title)}</h3>{plot.svg}<figcaption>{escape(plot.caption)}</figcaption></figure>"
        for plot in plots
    )
    return f'<div class="plots">{drawn}</div>' if drawn else '<p class="small">Nothing to draw yet.</p>'
