"""An experiment in a few lines, and the thresholds that it fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from bench.cloud.report import usage_lines
from bench.runs.read import StoredRun
from bench.runs.thresholds import Threshold, check_thresholds

_RATIO: Final = ("ratio", "low", "high")
NUMBERS: Final = (*_RATIO, "failed_pairs")


def failures(run: StoredRun, thresholds: Sequence[Threshold]) -> list[str]:
    """The thresholds that the run fails, a line each."""
    answer = run.results["question"]
    numbers = {name: answer[name] for name in _RATIO}
    return check_thresholds(thresholds, {}, {**numbers, "failed_pairs": len(run.results["pairs"]["failed"])})


def text_lines(run: StoredRun) -> list[str]:
    """The run in a few lines."""
    return [str(run.results["title"]), *lead_lines(run), *usage_lines(run.results.get("cloud") or {})]


def lead_lines(run: StoredRun) -> Iterator[str]:
    """What was found, and what a reader must know of it, a sentence each."""
    results = run.results
    pairs = results["pairs"]
    yield from run.marks
    answer = results["question"]
    failed = ""
    if pairs["failed"]:
        by_target = ", ".join(f"{name} in {count}" for name, count in pairs["failed_of"].items())
        failed = f", {len(pairs['failed'])} of them failed and left out ({by_target})"
    yield f"{pairs['finished']} of {pairs['planned']} pairs{failed}."
    if pairs["failed"] and answer["verdict"]:
        yield "What failed may be what was slowest: the verdict is of the other pairs alone."
    if run.partial and answer["verdict"]:
        yield "A look in the middle: ending a run where its verdict pleases makes false ones likelier."
    asked = f"{answer['metric']}, {answer['phase']}, margin {100 * results['margin']:g}%"
    yield f"Asked: {asked}: {_verdict(results, answer)}."
    if answer["note"]:
        yield f"{answer['note']}."
    injected = {name: value for name, value in run.configuration["experiment"]["inject"].items() if value}
    if injected:
        delays = ", ".join(f"{name} = {value:g}" for name, value in injected.items())
        yield f"INJECTED, so no finding about the targets: {delays}."
    for difference in (results.get("conditions") or {}).get("unequal", ()):
        yield f"UNEQUAL, so no finding about the targets: {difference}."


def _verdict(results: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    first, second = results["targets"]
    if answer["ratio"] is None:
        return "not measured"
    verdict = str(answer["verdict"] or "no verdict").upper()
    interval = f" ({interval_text(answer)})" if answer["low"] is not None else ""
    return f"{verdict}; {first} / {second} = {answer['ratio']:.3f}{interval}"


def interval_text(answer: Mapping[str, Any]) -> str:
    """The 95% interval of a ratio."""
    return "–" if answer["low"] is None else f"{answer['low']:.3f} … {answer['high']:.3f}"
