"""Runs of `bench cold --cloud`, read again, and two of them side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench.cold.deployed_command import text_lines
from bench.cold.deployed_report import METHOD, found_of, plots, report_html, starts_table, steps_table
from bench.cold.deployed_summary import PAIRED, cold_ones, results_of_rows, starts_of
from bench.runs.folder import REPORT_NAME, write_text
from bench.runs.page import figures, paragraph
from bench.runs.quantities import means_table, percentiles_table
from bench.runs.read import StoredRun

__all__ = ["pair_sections", "results_of", "text_lines", "write_outputs"]


def results_of(run: StoredRun) -> dict[str, Any]:
    """All figures."""
    return {**run.results, **results_of_rows(run)}


def write_outputs(run: StoredRun) -> None:
    """Write the report."""
    write_text(run.path, REPORT_NAME, report_html(run))


def pair_sections(runs: Sequence[StoredRun], names: Sequence[str]) -> Iterator[str]:
    """Two runs side by side. Ratios are of pairs within one run: two runs decide nothing."""
    named = [*zip(names, runs, strict=True)]
    found = [one for name, run in named for one in found_of(run, name)]
    yield starts_table(named) + steps_table(found) + means_table(found) + percentiles_table(found, PAIRED)
    series = [
        (f"{target} {name}", cold_ones(starts_of(run), target))
        for name, run in named
        for target in run.results.get("targets") or {}
    ]
    yield f"<h2>Plots</h2>{figures(plots(found, series))}<h2>Method</h2>" + paragraph(METHOD)
