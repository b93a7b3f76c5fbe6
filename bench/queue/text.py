"""A queue run in a few lines, and the thresholds that it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bench.cloud.report import usage_lines
from bench.queue.report import marks
from bench.queue.summary import measured_quantities, timings_of
from bench.runs.phases import phases
from bench.runs.read import StoredRun
from bench.runs.thresholds import Threshold, check_targets

NUMBERS: Final = ("error_rate", "images_per_s", "tasks", "redelivered")


def failures(run: StoredRun, thresholds: Sequence[Threshold]) -> list[str]:
    """The thresholds that a target fails, a line each."""
    timings = timings_of(run)

    def measured(target: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        slots = (run.results["targets"].get(target) or {}).get("slots", 1)
        figures = run.figures(target, "measured")
        return measured_quantities(timings, target, slots), {name: figures.get(name) for name in NUMBERS}

    return check_targets(run, thresholds, measured)


def text_lines(run: StoredRun) -> list[str]:
    """The run in a few lines."""
    lines = [str(run.results.get("title")), *marks(run)]
    for target, phase, figures in phases(run):
        line = f"{target:10} {phase:9} {figures['ok']} of {figures['tasks']} tasks"
        if unfinished := figures["outcomes"].get("unfinished"):
            line += f", {unfinished} unfinished"
        for name in ("round_trip_s", "queue_wait_s", "delivery_s", "process_s"):
            if quantity := figures["quantities"].get(name):
                spread = "" if quantity["sd"] is None else f" ± {1000 * quantity['sd']:.0f}"
                words = name.removesuffix("_s").replace("_", " ")
                line += f", {words} {1000 * quantity['mean']:.0f}{spread} ms"
        lines.append(line)
        if figures["percentiles_refused"] and phase == "measured":
            lines.append(f"  no percentiles: {figures['percentiles_refused']}")
    return [*lines, *usage_lines(run.results.get("cloud") or {})]
