"""How a benchmark's command ends: what it prints at its end, and its exit status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from bench.runs.folder import REPORT_NAME
from bench.runs.kinds import kind_of
from bench.runs.phases import phases
from bench.runs.read import StoredRun

NOTHING_EXIT: Final = 1
FAILED_EXIT: Final = 3
PARTIAL_EXIT: Final = 4
INTERRUPTED_EXIT: Final = 130


def tell_ending(run: StoredRun, failed: Sequence[str], tell: Callable[[str], None]) -> int:
    """Tell how a run went; returns the exit status: 0, 3 a threshold failed, 4 partial, 130 Ctrl-C.

    Args:
        run: the finished run.
        failed: thresholds that it fails, a line each.
        tell: given lines for the user.
    """
    lines = kind_of(run).text_lines(run)
    for line in (*lines, *(f"FAILED {line}" for line in failed), f"report: {run.path / REPORT_NAME}"):
        tell(line)
    if run.status == "interrupted":
        return INTERRUPTED_EXIT
    if run.partial:
        return PARTIAL_EXIT
    return FAILED_EXIT if failed else 0


def tell_nothing_succeeded(run: StoredRun, tell: Callable[[str], None]) -> int:
    """Tell which targets have no success in any phase; returns the exit status: 0, or 1 if there are any."""
    served = {target for target, _, figures in phases(run) if figures.get("ok")}
    idle = [target for target in run.configuration["targets"] if target not in served]
    for target in idle:
        tell(f"FAILED {target}: nothing succeeded")
    return NOTHING_EXIT if idle else 0
