"""Experiments, read again, and two of them side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench.experiment.analysis import analyse
from bench.experiment.pairs import pairs_of
from bench.experiment.report import intervals_plot, method, report_html, verdicts_table
from bench.experiment.run import experiment_of
from bench.experiment.text import text_lines
from bench.experiment.trial import COLUMNS, SETTINGS
from bench.runs.folder import REPORT_NAME, write_text
from bench.runs.page import figures, method_section
from bench.runs.read import StoredRun

__all__ = ["pair_sections", "results_of", "text_lines", "write_outputs"]


def results_of(run: StoredRun) -> dict[str, Any]:
    """All figures."""
    experiment = experiment_of(run)
    rows = run.read_rows("compare", _row)
    return {**run.results, **analyse(pairs_of(rows, experiment))}


def write_outputs(run: StoredRun) -> None:
    """Write the report."""
    write_text(run.path, REPORT_NAME, report_html(run))


def pair_sections(runs: Sequence[StoredRun], names: Sequence[str]) -> Iterator[str]:
    """Two runs side by side: each has its own verdict, and two verdicts are not one."""
    for name, run in zip(names, runs, strict=True):
        results = run.results
        yield verdicts_table(results, [results["question"]], f"{name}: named before the first trial")
        yield verdicts_table(results, results["beside"], f"{name}: beside it, corrected for their number")
    asked = [(name, run.results) for name, run in zip(names, runs, strict=True)]
    yield f"<h2>Plots</h2>{figures(intervals_plot(asked))}"
    yield method_section(*map(method, runs))


def _row(row: dict[str, str]) -> dict[str, str]:
    """A row with all its columns, and numbers where they are needed. Older runs have no settings."""
    for name in ("pair", "task", "status"):
        int(row[name])
    return {name: row.get(name, "") if name in SETTINGS else row[name] for name in COLUMNS}
