"""Queue runs, read again, and two of them side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench.queue.report import (
    PERCENTILES_OF,
    counts_table,
    method,
    report_html,
    round_trips,
    stages,
)
from bench.queue.summary import analyse, timings_of
from bench.queue.text import text_lines
from bench.runs.folder import REPORT_NAME, write_text
from bench.runs.page import figures, method_section
from bench.runs.phases import by_target, named_phases
from bench.runs.quantities import means_table, percentiles_table
from bench.runs.read import StoredRun
from bench.runs.title import title_of

__all__ = ["pair_sections", "results_of", "text_lines", "write_outputs"]


def results_of(run: StoredRun) -> dict[str, Any]:
    """All figures."""
    title = run.results.get("title") or title_of("Jobs through the queue to", run.configuration)
    targets = analyse(timings_of(run), run.configuration.get("slots"))
    return {**run.results, "title": title, "targets": targets}


def write_outputs(run: StoredRun) -> None:
    """Write the report."""
    write_text(run.path, REPORT_NAME, report_html(run, timings_of(run)))


def pair_sections(runs: Sequence[StoredRun], names: Sequence[str]) -> Iterator[str]:
    """Two runs side by side."""
    found = named_phases(runs, names)
    yield counts_table(found) + means_table(found) + percentiles_table(found, PERCENTILES_OF)
    timings = {
        label: rows
        for name, every in zip(names, map(timings_of, runs), strict=True)
        for label, rows in by_target(every, lambda timing: timing.target, name).items()
    }
    yield f"<h2>Plots</h2>{figures([*round_trips(timings), *stages(found)])}"
    yield method_section(*map(method, runs))
