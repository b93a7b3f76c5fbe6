"""From the options of `diptych bench load` to its exit status."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from bench.cloud.report import usage_lines
from bench.load.analysis import samples_of
from bench.load.jmeter_table import jmeter_lines
from bench.load.report import phases
from bench.load.run import LoadOptions, run_load
from bench.load.schedule import LoadPlan
from bench.load.summary import quantities
from bench.runs.ending import tell_ending
from bench.runs.read import StoredRun
from bench.runs.thresholds import Threshold, check_thresholds, thresholds_of
from pipeline.config.settings import load_settings
from results.documents import Target

_NUMBERS: Final = ("error_rate", "shed_rate", "ok_per_s", "requests", "error")
_FIGURES: Final = (*_NUMBERS, "unsent")


def run_command(given: Mapping[str, Any], tell: Callable[[str], None]) -> int:
    """Run; returns the exit status: 0, 3 a threshold failed, 4 partial, 130 Ctrl-C.

    Args:
        given: the options by name.
        tell: given lines for the user.
    Raises:
        click.UsageError: options that do not go together.
        BenchError, StackError, ModelError: see run_load.
    """
    thresholds = thresholds_of(given["fail_if"], quantities([]), _FIGURES)
    options = _options(given)
    run = run_load(options, tell)
    return tell_ending(run, text_lines(run), failures(run, thresholds), tell)


def failures(run: StoredRun, thresholds: Sequence[Threshold]) -> list[str]:
    """The thresholds that a target fails, a line each."""
    samples = [one for one in samples_of(run) if one.phase == "measured"]
    lines = []
    for target in run.configuration["targets"]:
        found = (run.results["targets"].get(target) or {}).get("measured") or {}
        account = (run.results["targets"].get(target) or {}).get("account") or {}
        numbers = {name: found.get(name) for name in _NUMBERS}
        numbers["unsent"] = account.get("unsent")
        checked = check_thresholds(
            thresholds,
            quantities([one for one in samples if one.target == target]),
            {name: np.nan if value is None else float(value) for name, value in numbers.items()},
            percentiles=not found.get("percentiles_refused"),
        )
        lines += [f"{target}: {line}" for line in checked]
    return lines


def text_lines(run: StoredRun) -> list[str]:
    """The run in a few lines."""
    lines = [str(run.results.get("title")), *run.marks]
    for target, phase, of in phases(run):
        response = of["quantities"].get("response_s")
        says = f"{target:10} {phase:9} {of['requests']:6} requests, {of['shed']} shed, {of['error']} errors"
        if response:
            spread = "" if response["sd"] is None else f" ± {1000 * response['sd']:.1f}"
            says += f"; response {1000 * response['mean']:.1f}{spread} ms"
            if phase == "measured":
                says += (
                    "".join(f", {told}" for told in _percentiles(response)) + f"; {of['ok_per_s']:.1f} ok/s"
                )
        lines.append(says)
        if of["percentiles_refused"] and phase == "measured":
            lines.append(f"  no percentiles: {of['percentiles_refused']}")
        if of["lag_told"] and phase == "measured":
            lines.append(f"  note: {of['lag_told']}")
    lines += jmeter_lines(run.results["jmeter"])
    for target, found in run.results["targets"].items():
        account = found.get("account")  # of a run that was killed there is none
        if account:
            lines.append(f"{target:10} unsent {account['unsent']}, unfinished {account['unfinished']}")
    return [*lines, *usage_lines(run.results.get("cloud") or {})]


def _percentiles(response: Mapping[str, Any]) -> Iterator[str]:
    """Those that the sample is large enough for."""
    for one in response.get("percentiles", ()):
        if one["p"] in (0.5, 0.99) and one["interval"]:
            yield f"p{100 * one['p']:g} {1000 * one['value']:.1f}"


def _options(given: Mapping[str, Any]) -> LoadOptions:
    if bool(given["users"]) == bool(given["rate"]):
        raise click.UsageError("say either --users (closed load) or --rate (open load)")
    if given["warm_up_s"] >= given["duration_s"]:
        raise click.UsageError("--warm-up must be shorter than --duration")
    targets: tuple[Target, ...] = tuple(dict.fromkeys(given["targets"])) or ("container", "function")
    urls: dict[Target, str] = {name: given[f"{name}_url"] for name in targets if given[f"{name}_url"]}
    for name in ("container", "function"):
        if given[f"{name}_url"] and name not in urls:
            raise click.UsageError(f"--{name}-url is of a target that --target leaves out")
    for name, flag in (("account", "--as-account"), ("project", "--project")):
        if given[name] and not given["cloud"]:
            raise click.UsageError(f"{flag} goes with --cloud")
    if given["cloud"] and len(urls) < len(targets):
        raise click.UsageError(
            "--cloud needs the deployed --container-url and --function-url, or --target and one"
        )
    plan = LoadPlan(
        duration_s=given["duration_s"],
        warm_up_s=given["warm_up_s"],
        users=given["users"],
        rate=given["rate"],
        arrivals=given["arrivals"],
        ramp_s=given["ramp_s"],
        seed=given["seed"],
        timeout_s=given["timeout_s"],
    )
    same = ("images", "slots", "model", "cloud", "account", "project", "owned")
    return LoadOptions(
        out=given["out"] or Path(f"bench-load-{time.strftime('%Y%m%d-%H%M%S')}"),
        targets=targets,
        plan=plan,
        urls=urls,
        sample_s=given["sample_s"] or min(60.0, max(0.5, plan.duration_s / 10)),
        model_dir=load_settings().model_dir,
        **{name: given[name] for name in same},
    )
