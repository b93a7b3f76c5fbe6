"""Scaling runs, read again."""

from __future__ import annotations

from bench.runs.folder import REPORT_NAME, write_text
from bench.runs.read import StoredRun
from bench.scale.analysis import analyse as results_of
from bench.scale.report import pair_sections, report_html
from bench.scale.text import text_lines

__all__ = ["pair_sections", "results_of", "text_lines", "write_outputs"]


def write_outputs(run: StoredRun) -> None:
    """Write the report."""
    write_text(run.path, REPORT_NAME, report_html(run))
