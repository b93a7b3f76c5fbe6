"""From the options of `diptych bench cold --cloud` to its exit status."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from bench.cloud.report import usage_lines
from bench.cold.deployed_run import DeployedOptions, run_deployed
from bench.cold.deployed_summary import PAIRED, cold_ones, quantities, starts_of
from bench.runs.ending import tell_ending
from bench.runs.read import StoredRun
from bench.runs.thresholds import Threshold, check_thresholds, thresholds_of
from pipeline.config.settings import load_settings
from results.documents import Target

IDLE_S: Final = 20 * 60.0
"""Cloud Run may keep an instance for 15 minutes after its last request."""
_NUMBERS: Final = ("errors", "starts")
_SAME: Final = ("repeats", "model", "seed", "timeout_s", "owned", "account", "project")


def run_command(given: Mapping[str, Any], tell: Callable[[str], None]) -> int:
    """Run; returns the exit status.

    0; 1: no cold start of a target was seen; 3: a threshold failed; 4: partial; 130: Ctrl-C.

    Args:
        given: the options by name.
        tell: given lines for the user.
    Raises:
        click.UsageError: options that do not go together.
        BenchError, ModelError: see run_deployed.
    """
    thresholds = thresholds_of(given["fail_if"], quantities([]), _NUMBERS)
    run = run_deployed(_options(given), tell)
    status = tell_ending(run, text_lines(run), failures(run, thresholds), tell)
    seen = all(of["measured"]["starts"] for of in run.results["targets"].values())
    return status or (0 if seen else 1)


def failures(run: StoredRun, thresholds: Sequence[Threshold]) -> list[str]:
    """The thresholds that a target fails, a line each: of its cold starts, and of errors of all requests."""
    starts, lines = starts_of(run), []
    for target in run.configuration["targets"]:
        cold = cold_ones(starts, target)
        errors = sum(one.outcome != "ok" for one in starts if one.target == target)
        numbers = dict(zip(_NUMBERS, (float(errors), float(len(cold))), strict=True))
        lines += [f"{target}: {line}" for line in check_thresholds(thresholds, quantities(cold), numbers)]
    return lines


def text_lines(run: StoredRun) -> list[str]:
    """The run in a few lines."""
    lines = [str(run.results.get("title")), *run.marks]
    for target, of in (run.results.get("targets") or {}).items():
        cold, warm = of["measured"], of["warm"]
        steps = ", ".join(f"{name} {seconds:.2f}" for name, seconds in cold["steps"].items())
        lines.append(
            f"{target:10} {cold['starts']} cold starts of {of['requests']} requests"
            + (f"; mean seconds: {steps}" if steps else "")
        )
        if not cold["starts"]:
            why = "min-instances keep some, or --idle is too short, or --burst too small"
            lines.append(f"           none was cold: {why}")
        if "response_s" in warm["quantities"]:
            lines.append(f"           warm beside: {warm['quantities']['response_s']['mean']:.2f}")
        lines += [f"           {count} times: {error}" for error, count in of["errors"].items()]
    paired = run.results.get("paired") or {}
    lines += [
        f"{name:16} {paired['ratio']} {paired[name]['ratio']:.2f}; {paired[name]['verdict']}"
        for name in PAIRED
        if name in paired
    ]
    return [*lines, *usage_lines(run.results.get("cloud") or {})]


def _options(given: Mapping[str, Any]) -> DeployedOptions:
    targets: tuple[Target, ...] = tuple(dict.fromkeys(given["targets"])) or ("container", "function")
    urls: dict[Target, str] = {name: given[f"{name}_url"] for name in targets if given[f"{name}_url"]}
    if len(urls) < len(targets):
        raise click.UsageError(
            "--cloud needs the deployed --container-url and --function-url, or --target and one"
        )
    return DeployedOptions(
        out=given["out"] or Path(f"bench-cold-{time.strftime('%Y%m%d-%H%M%S')}"),
        targets=targets,
        urls=urls,
        store_url=load_settings(store_url=given["store_url"]).store_url,
        idle_s=IDLE_S if given["idle_s"] is None else given["idle_s"],
        burst=given["burst"] or 1,
        **{name: given[name] for name in _SAME},
    )
