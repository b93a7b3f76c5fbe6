"""Load runs, read again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench.load.analysis import analyse, samples_of, write_outputs
from bench.load.report import side_by_side
from bench.load.text import text_lines
from bench.runs.read import StoredRun

__all__ = ["pair_sections", "results_of", "text_lines", "write_outputs"]


def results_of(run: StoredRun) -> dict[str, Any]:
    """All figures; what became of the schedule, and the ceiling, are no rows' matter."""
    return analyse(run, {name: value for name, value in run.results.items() if name != "targets"})


def pair_sections(runs: Sequence[StoredRun], names: Sequence[str]) -> Iterator[str]:
    """Two runs side by side."""
    return side_by_side(runs, names, [*map(samples_of, runs)])
