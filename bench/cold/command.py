"""From the options of `diptych bench cold` to its exit status."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.cold.run import ColdOptions, run_cold
from bench.cold.summary import PAIRED, quantities, starts_of
from bench.load.report import phases
from bench.runs.ending import tell_ending
from bench.runs.read import StoredRun
from bench.runs.thresholds import Threshold, check_thresholds, thresholds_of

_NUMBERS: Final = ("errors", "starts")
_OPTIONS: Final = ("repeats", "model", "seed", "timeout_s", "imports")


def run_command(given: Mapping[str, Any], tell: Callable[[str], None]) -> int:
    """Run; returns the exit status.

    0; 1: a target never came to an image; 3: a threshold failed; 4: partial; 130: Ctrl-C.

    Args:
        given: the options by name.
        tell: given lines for the user.
    Raises:
        BenchError, ModelError: see run_cold.
    """
    thresholds = thresholds_of(given["fail_if"], quantities([]), _NUMBERS)
    options = {name: given[name] for name in _OPTIONS}
    options["out"] = given["out"] or Path(f"bench-cold-{time.strftime('%Y%m%d-%H%M%S')}")
    options["targets"] = tuple(dict.fromkeys(given["targets"])) or ("container", "function")
    run = run_cold(ColdOptions(**options), tell)
    status = tell_ending(run, text_lines(run), failures(run, thresholds), tell)
    return status or (0 if all(of["ok"] for _, _, of in phases(run)) else 1)


def failures(run: StoredRun, thresholds: Sequence[Threshold]) -> list[str]:
    """The thresholds that a target fails, a line each."""
    starts = starts_of(run)
    lines = []
    for target in run.configuration["targets"]:
        of_target = [one for one in starts if one.target == target]
        errors = sum(one.outcome != "ok" for one in of_target)
        figures = dict(zip(_NUMBERS, (float(errors), float(len(of_target))), strict=True))
        checked = check_thresholds(thresholds, quantities(of_target), figures)
        lines += [f"{target}: {line}" for line in checked]
    return lines


def text_lines(run: StoredRun) -> list[str]:
    """The run in a few lines."""
    lines = [str(run.results.get("title")), *run.marks]
    for target, _, of in phases(run):
        steps = ", ".join(f"{name} {seconds:.2f}" for name, seconds in of["steps"].items())
        lines.append(f"{target:10} {of['ok']} of {of['starts']} starts; mean seconds: {steps}")
    paired = run.results.get("paired") or {}
    for name in PAIRED:
        if name in paired:
            lines.append(
                f"{name:16} {paired['ratio']} {paired[name]['ratio']:.2f}; {paired[name]['verdict']}"
            )
    return lines
