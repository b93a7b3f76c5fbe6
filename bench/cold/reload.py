"""Cold runs, read again, and two of them side by side."""

from __future__ import annotations

from typing import Any

from bench.cold.report import pair_sections, report_html
from bench.cold.summary import analyse, starts_of
from bench.cold.text import text_lines
from bench.cold.variants import LOCAL, variant_of
from bench.runs.folder import REPORT_NAME, write_text
from bench.runs.read import StoredRun
from bench.runs.title import title_of

__all__ = ["pair_sections", "results_of", "text_lines", "write_outputs"]


def results_of(run: StoredRun) -> dict[str, Any]:
    """All figures; the imports of the profiled starts are no rows' matter."""
    variant = variant_of(run)
    figures = analyse(starts_of(run), variant)
    before = run.results.get("targets") or {}
    for target, part in figures["targets"].items():
        if variant is LOCAL:
            part["imports"] = (before.get(target) or {}).get("imports")
    return {**run.results, "title": title_of("Cold starts of", run.configuration), **figures}


def write_outputs(run: StoredRun) -> None:
    """Write the report."""
    write_text(run.path, REPORT_NAME, report_html(run))
