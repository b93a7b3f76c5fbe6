"""From the options of `diptych bench scale` to its exit status."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.runs.ending import tell_ending
from bench.runs.read import StoredRun
from bench.runs.thresholds import Threshold, check_thresholds, thresholds_of
from bench.scale.report import text_lines
from bench.scale.run import ScaleOptions, run_scale
from bench.scale.simulate import Cloud
from pipeline.config.settings import load_settings
from results.cost.prices import load_prices

_OF_A_SIZE: Final = {"images_per_s": "images_per_s", "efficiency": "efficiency", "failed": "shed"}
"""What `--fail-if` may ask of a size, as `efficiency(2)`, and the figure behind it."""


def run_command(given: Mapping[str, Any], tell: Callable[[str], None]) -> int:
    """Run; returns the exit status: 0, 3 a threshold failed, 4 partial, 130 Ctrl-C.

    Args:
        given: the options by name.
        tell: given lines for the user.
    Raises:
        click.UsageError: a threshold names what will not be measured.
        BenchError and others: see run_scale.
    """
    thresholds = thresholds_of(given["fail_if"], (), figures(given["workers"], {}))
    assume = load_prices(given["prices"]).assume
    cold_s = assume.cold_start_s if given["cold_start_s"] is None else given["cold_start_s"]
    own = ("fail_if", "out", "max_instances", "cold_start_s", "slowness")
    options = ScaleOptions(
        out=given["out"] or Path(f"bench-scale-{time.strftime('%Y%m%d-%H%M%S')}"),
        cloud=Cloud(given["max_instances"], cold_s, assume.overhead_s, slowness=given["slowness"]),
        model_dir=load_settings().model_dir,
        **{name: value for name, value in given.items() if name not in own},
    )
    run = run_scale(options, tell)
    return tell_ending(run, text_lines(run), failures(run, thresholds), tell)


def failures(run: StoredRun, thresholds: Sequence[Threshold]) -> list[str]:
    """The thresholds that the run fails, a line each."""
    return check_thresholds(thresholds, {}, figures(run.configuration["workers"], run.results))


def figures(workers: Sequence[int], results: Mapping[str, Any]) -> dict[str, float]:
    """What `--fail-if` may name; what was not measured is NaN."""
    sizes = {one["workers"]: one for one in results.get("measured") or ()}
    found = {
        f"{name}({size})": float(sizes[size][key]) if size in sizes else math.nan
        for name, key in _OF_A_SIZE.items()
        for size in workers
    }
    grows_to = (results.get("growth") or {}).get("grows_to")
    return {**found, "grows_to": math.nan if grows_to is None else float(grows_to)}
