"""From the options of `diptych bench queue` to its exit status."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from bench.cloud.report import usage_lines
from bench.load.report import phases
from bench.queue.report import marks
from bench.queue.run import QueueOptions, run_queue
from bench.queue.summary import measured_quantities, quantities, timings_of
from bench.runs.ending import tell_ending
from bench.runs.read import StoredRun
from bench.runs.thresholds import Threshold, check_thresholds, thresholds_of
from local.options import default_slots

_BROKERS: Final = ("", "celery", "pubsub")
_NUMBERS: Final = ("error_rate", "images_per_s", "tasks", "redelivered")


def run_command(given: Mapping[str, Any], tell: Callable[[str], None]) -> int:
    """Run; returns the exit status: 0, 3 a threshold failed, 4 partial, 130 Ctrl-C.

    Args:
        given: the options by name.
        tell: given lines for the user.
    Raises:
        click.UsageError: options that do not go together.
        BenchError, StackError and others: see run_queue.
    """
    thresholds = thresholds_of(given["fail_if"], quantities([], {}), _NUMBERS)
    run = run_queue(_options(given), tell)
    return tell_ending(run, text_lines(run), failures(run, thresholds), tell)


def failures(run: StoredRun, thresholds: Sequence[Threshold]) -> list[str]:
    """The thresholds that a target fails, a line each."""
    timings = timings_of(run)
    lines = []
    for target in run.configuration["targets"]:
        of = (run.results["targets"].get(target)) or {}
        measured = of.get("measured") or {}
        numbers = {name: measured.get(name) for name in _NUMBERS}
        checked = check_thresholds(
            thresholds,
            measured_quantities(timings, target, of.get("slots", 1)),
            {name: math.nan if value is None else float(value) for name, value in numbers.items()},
            percentiles=not measured.get("percentiles_refused"),
        )
        lines += [f"{target}: {line}" for line in checked]
    return lines


def text_lines(run: StoredRun) -> list[str]:
    """The run in a few lines."""
    lines = [str(run.results.get("title")), *marks(run)]
    for target, phase, of in phases(run):
        says = f"{target:10} {phase:9} {of['ok']} of {of['tasks']} tasks"
        if unfinished := of["outcomes"].get("unfinished"):
            says += f", {unfinished} unfinished"
        quantities = of["quantities"]
        for name in ("round_trip_s", "queue_wait_s", "delivery_s", "process_s"):
            if name in quantities:
                q = quantities[name]
                spread = "" if q["sd"] is None else f" ± {1000 * q['sd']:.0f}"
                says += f", {name.removesuffix('_s').replace('_', ' ')} {1000 * q['mean']:.0f}{spread} ms"
        lines.append(says)
        if of["percentiles_refused"] and phase == "measured":
            lines.append(f"  no percentiles: {of['percentiles_refused']}")
    return [*lines, *usage_lines(run.results.get("cloud") or {})]


def _options(given: Mapping[str, Any]) -> QueueOptions:
    if given["warm_up"] >= given["jobs"]:
        raise click.UsageError("--warm-up must be fewer than --jobs")
    if given["cloud"]:
        _check_cloud(given)
    elif given["broker"] not in _BROKERS:
        raise click.UsageError("--broker: celery or pubsub; an address goes with --cloud")
    unknown = given["running"] or given["cloud"]
    slots = given["slots"] or (None if unknown else default_slots())
    return QueueOptions(
        **{
            **{name: value for name, value in given.items() if name != "fail_if"},
            "out": given["out"] or Path(f"bench-queue-{time.strftime('%Y%m%d-%H%M%S')}"),
            "targets": tuple(dict.fromkeys(given["targets"])) or ("container", "function"),
            "broker": given["broker"] or ("" if given["cloud"] else "celery"),
            "store_url": given["store_url"] or "",
            "slots": slots,
        }
    )


def _check_cloud(given: Mapping[str, Any]) -> None:
    if given["running"]:
        raise click.UsageError("--running is a stack of this machine: leave it out, or --cloud")
    if given["slots"]:
        raise click.UsageError(
            "--slots: what is deployed has as many instances as it needs, not a number of ours"
        )
