"""Cold runs, read again, and two of them side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bench.cold.command import text_lines
from bench.cold.report import METHOD, report_html, starts_tables, steps_plot
from bench.cold.summary import PAIRED, analyse, quantities, starts_of
from bench.load.report import phases
from bench.runs.folder import REPORT_NAME, write_text
from bench.runs.page import figures, paragraph
from bench.runs.plots import ecdf
from bench.runs.quantities import means_table, percentiles_table
from bench.runs.read import StoredRun
from bench.runs.title import title_of

__all__ = ["pair_sections", "results_of", "text_lines", "write_outputs"]


def results_of(run: StoredRun) -> dict[str, Any]:
    """All figures; the imports of the profiled starts are no rows' matter."""
    imports = {target: of.get("imports") for target, of in (run.results.get("targets") or {}).items()}
    title = run.results.get("title") or title_of("Cold starts of", run.configuration)
    return {**run.results, "title": title, **analyse(starts_of(run), imports)}


def write_outputs(run: StoredRun) -> None:
    """Write the report."""
    write_text(run.path, REPORT_NAME, report_html(run, starts_of(run)))


def pair_sections(runs: Sequence[StoredRun], names: Sequence[str]) -> Iterator[str]:
    """Two runs side by side. Ratios are of pairs within one run: two runs decide nothing."""
    found = [
        (f"{target} {name}", phase, of)
        for name, run in zip(names, runs, strict=True)
        for target, phase, of in phases(run)
    ]
    yield starts_tables(found) + means_table(found) + percentiles_table(found, PAIRED)
    series = {
        f"{target} {name}": quantities([one for one in starts if one.target == target])["png_s"]
        for name, starts in zip(names, map(starts_of, runs), strict=True)
        for target in dict.fromkeys(one.target for one in starts)
    }
    plots = [*steps_plot(found)]
    if any(map(np.size, series.values())):
        caption = "From the process's start to the first stored image."
        plots.append(ecdf(series, "first image stored", "starts", caption))
    yield f"<h2>Plots</h2>{figures(plots)}"
    yield "<h2>Method</h2>" + paragraph(METHOD)
