"""A scaling run in a few lines, and the thresholds that it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bench.runs.read import StoredRun
from bench.runs.thresholds import Threshold, check_thresholds

_SIZE_FIGURES: Final = {"images_per_s": "images_per_s", "efficiency": "efficiency", "failed": "shed"}
"""What `--fail-if` may ask of a size, as `efficiency(2)`, and the figure behind it."""


def failures(run: StoredRun, thresholds: Sequence[Threshold]) -> list[str]:
    """The thresholds that the run fails, a line each."""
    return check_thresholds(thresholds, {}, figures(run.configuration["workers"], run.results))


def figures(workers: Sequence[int], results: Mapping[str, Any]) -> dict[str, float | None]:
    """What `--fail-if` may name; what was not measured is None."""
    sizes = {size["workers"]: size for size in results.get("measured") or ()}
    numbers = {
        f"{name}({size})": sizes[size][key] if size in sizes else None
        for name, key in _SIZE_FIGURES.items()
        for size in workers
    }
    return {**numbers, "grows_to": (results.get("growth") or {}).get("grows_to")}


def marks(run: StoredRun) -> list[str]:
    """What a reader must know before any figure, a sentence each."""
    load, cores = run.environment["load_average"][0], run.environment["cores"] or 1
    busy = f"BUSY MACHINE: load average {load:g} on {cores} cores as this began; efficiency means little."
    return [*run.marks, *([busy] if load > cores / 2 else [])]


def text_lines(run: StoredRun) -> list[str]:
    """The run in a few lines."""
    lines = [str(run.results["title"]), *marks(run)]
    for size in run.results.get("measured") or []:
        spread = f"{size['lowest']:.1f}–{size['highest']:.1f}"
        rate = f"{size['images_per_s']:.1f} images/s ({spread}), efficiency {size['efficiency']:.2f}"
        lines.append(f"measured   {size['workers']:3} workers: {rate}; {size['shed']} refused or failed")
    lines += (run.results.get("growth") or {}).get("words") or ()
    for row in run.results.get("check") or []:
        ratios = (row["simulated_over_measured"], row["on_these_cores_over_measured"])
        own, shared = ("nothing measured" if ratio is None else f"{ratio:.2f}" for ratio in ratios)
        lines.append(
            f"check      {row['workers']:3} workers: simulated / measured = {own};"
            f" with {row['cores']} cores shared {shared}"
        )
    for row in run.results.get("simulated") or []:
        lines.append(
            f"SIMULATION {row['images']:>12,} images: {row['time_s'] / 60:,.1f} min"
            f" (on paper {row['on_paper_s'] / 60:,.1f}), {row['instances']} instances,"
            f" {row['refused_429']:,} refused, ${row['cost_usd']:,.2f}"
        )
    return lines
