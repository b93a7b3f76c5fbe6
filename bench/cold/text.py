"""A cold run in a few lines, and the thresholds that it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bench.cloud.report import usage_lines
from bench.cold.summary import cold_starts, quantities, starts_of
from bench.cold.variants import variant_of
from bench.runs.read import StoredRun
from bench.runs.thresholds import Threshold, check_targets

NUMBERS: Final = ("errors", "starts")


def failures(run: StoredRun, thresholds: Sequence[Threshold]) -> list[str]:
    """The thresholds that a target fails: of its cold starts, and of errors of all requests."""
    starts, variant = starts_of(run), variant_of(run)

    def measured(target: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        cold = cold_starts(starts, target)
        errors = sum(start.outcome != "ok" for start in starts if start.target == target)
        return quantities(cold, variant), {"errors": errors, "starts": len(cold)}

    return check_targets(run, thresholds, measured)


def text_lines(run: StoredRun) -> list[str]:
    """The run in a few lines."""
    lines = [str(run.results.get("title")), *run.marks]
    for target, figures in (run.results.get("targets") or {}).items():
        lines += _target_lines(target, figures)
    paired = run.results.get("paired") or {}
    lines += [
        f"{name:16} {paired['ratio']} {paired[name]['ratio']:.2f}; {paired[name]['verdict']}"
        for name in variant_of(run).paired
        if name in paired
    ]
    return [*lines, *usage_lines(run.results.get("cloud") or {})]


def _target_lines(target: str, figures: Mapping[str, Any]) -> list[str]:
    cold, warm = figures["measured"], figures.get("warm")
    steps = ", ".join(f"{name} {seconds:.2f}" for name, seconds in cold["steps"].items())
    if warm is None:
        return [f"{target:10} {cold['ok']} of {cold['starts']} starts; mean seconds: {steps}"]
    lines = [
        f"{target:10} {cold['starts']} cold starts of {figures['requests']} requests"
        + (f"; mean seconds: {steps}" if steps else "")
    ]
    if not cold["starts"]:
        lines.append("none was cold: min-instances keep some, or --idle is too short, or --burst too small")
    if "response_s" in warm["quantities"]:
        lines.append(f"warm beside: {warm['quantities']['response_s']['mean']:.2f}")
    lines += [f"{count} times: {error}" for error, count in figures["errors"].items()]
    return [lines[0], *(f"           {line}" for line in lines[1:])]
