"""From the options of `diptych bench compare` to its exit status."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from bench.experiment.deployed import deployed_experiment, local_experiment
from bench.experiment.plan import Experiment, load_experiment
from bench.experiment.report import text_lines
from bench.experiment.run import CompareOptions, run_compare
from bench.runs.ending import tell_ending
from bench.runs.read import StoredRun
from bench.runs.thresholds import check_thresholds, thresholds_of
from pipeline.config.settings import load_settings

_RATIO: Final = ("ratio", "low", "high")
_FAILED: Final = "failed_pairs"


def run_command(given: Mapping[str, Any], tell: Callable[[str], None]) -> int:
    """Run; returns the exit status: 0; 1: no pair succeeded; 3: a threshold failed; 4: partial; 130: Ctrl-C.

    Args:
        given: the options by name.
        tell: given lines for the user.
    Raises:
        click.UsageError: options that do not go together.
        BenchError, StackError and others: see run_compare.
    """
    thresholds = thresholds_of(given["fail_if"], (), (*_RATIO, _FAILED))
    folder = given["out"] or Path(f"bench-compare-{time.strftime('%Y%m%d-%H%M%S')}")
    options = CompareOptions(_asked(given, tell), folder, load_settings().model_dir, given["owned"])
    run = run_compare(options, tell)
    status = tell_ending(run, text_lines(run), check_thresholds(thresholds, {}, _figures(run)), tell)
    if run.partial:
        tell(_again(given, folder))
    return status or (0 if run.results["question"]["pairs"] else 1)


def _asked(given: Mapping[str, Any], tell: Callable[[str], None]) -> Experiment:
    path: Path = given["experiment"]
    asked = load_experiment(path)
    if given["cloud"]:
        return deployed_experiment(asked, str(path), account=given["account"], project=given["project"])
    if asked.deployed:
        tell("[deployed] is for --cloud: this runs on this machine")
        return local_experiment(asked)
    return asked


def _figures(run: StoredRun) -> dict[str, float]:
    answer = run.results["question"]
    figures = {name: float("nan") if answer[name] is None else float(answer[name]) for name in _RATIO}
    return {**figures, _FAILED: float(len(run.results["pairs"]["failed"]))}


def _again(given: Mapping[str, Any], folder: Path) -> str:
    """The command that goes on with a partial run."""
    words = ["go on with: diptych bench compare", str(given["experiment"])]
    words += ["--cloud"] if given["cloud"] else []
    words += [f"--i-own-this-host {host}" for host in given["owned"]]
    for flag, name in (("--as-account", "account"), ("--project", "project")):
        words += [f"{flag} {given[name]}"] if given[name] else []
    return " ".join([*words, f"--out {folder}"])
