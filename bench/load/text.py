"""A load run in a few lines, and the thresholds that it fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from bench.cloud.report import usage_lines
from bench.load.analysis import samples_of
from bench.load.jmeter_table import jmeter_lines
from bench.load.summary import quantities
from bench.runs.phases import phases
from bench.runs.read import StoredRun
from bench.runs.thresholds import Threshold, check_targets

_MEASURED: Final = ("error_rate", "shed_rate", "ok_per_s", "requests", "error")
NUMBERS: Final = (*_MEASURED, "unsent")


def failures(run: StoredRun, thresholds: Sequence[Threshold]) -> list[str]:
    """The thresholds that a target fails, a line each."""
    samples = [sample for sample in samples_of(run) if sample.phase == "measured"]

    def measured(target: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        figures = run.figures(target, "measured")
        unsent = run.figures(target, "account").get("unsent")
        values = quantities([sample for sample in samples if sample.target == target])
        return values, {**{name: figures.get(name) for name in _MEASURED}, "unsent": unsent}

    return check_targets(run, thresholds, measured)


def text_lines(run: StoredRun) -> list[str]:
    """The run in a few lines."""
    lines = [str(run.results.get("title")), *run.marks]
    for target, phase, figures in phases(run):
        lines.append(_phase_line(target, phase, figures))
        if figures["percentiles_refused"] and phase == "measured":
            lines.append(f"  no percentiles: {figures['percentiles_refused']}")
        if figures["lag_told"] and phase == "measured":
            lines.append(f"  note: {figures['lag_told']}")
    lines += jmeter_lines(run.results["jmeter"])
    for target in run.results["targets"]:
        account = run.figures(target, "account")  # of a run that was killed there is none
        if account:
            lines.append(f"{target:10} unsent {account['unsent']}, unfinished {account['unfinished']}")
    return [*lines, *usage_lines(run.results.get("cloud") or {})]


def _phase_line(target: str, phase: str, figures: Mapping[str, Any]) -> str:
    counts = f"{figures['requests']:6} requests, {figures['shed']} shed, {figures['error']} errors"
    line = f"{target:10} {phase:9} {counts}"
    response = figures["quantities"].get("response_s")
    if not response:
        return line
    spread = "" if response["sd"] is None else f" ± {1000 * response['sd']:.1f}"
    line += f"; response {1000 * response['mean']:.1f}{spread} ms"
    if phase != "measured":
        return line
    return f"{line}{''.join(_percentiles(response))}; {figures['ok_per_s']:.1f} ok/s"


def _percentiles(response: Mapping[str, Any]) -> Iterator[str]:
    """Those that the sample is large enough for."""
    for point in response.get("percentiles", ()):
        if point["p"] in (0.5, 0.99) and point["interval"]:
            yield f", p{100 * point['p']:g} {1000 * point['value']:.1f}"
