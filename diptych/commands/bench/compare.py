"""`diptych bench compare`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diptych.commands.bench.options import (
    account_option,
    check_cloud,
    cloud_option,
    fail_if_option,
    out_option,
    owned_option,
    project_option,
    read_thresholds,
)
from diptych.commands.options import require_extra

if TYPE_CHECKING:
    from bench.experiment.plan import Experiment


@click.command()
@click.argument("experiment", type=click.Path(path_type=Path))
@fail_if_option("ratio > 1.1")
@out_option("compare", ", or continue the one it holds")
@cloud_option
@owned_option
@account_option
@project_option
@click.pass_context
def compare(context: click.Context, /, **given: Any) -> None:
    """Run the paired experiment that a TOML file describes (docs/experiment.md).

    Compares pairs of fresh instances in random order on the same tasks; from 20 pairs on it gives a verdict.
    After a Ctrl-C, give the same file and --out again to continue with the finished pairs. With --cloud it
    compares the deployed targets that the file names.
    """
    require_extra("bench")
    from bench.experiment.run import CompareOptions, run_compare
    from bench.experiment.text import NUMBERS, failures
    from bench.runs.ending import tell_ending
    from pipeline.config.settings import load_settings

    check_cloud(given)
    thresholds = read_thresholds(given["fail_if"], (), NUMBERS)
    experiment = _experiment(given, click.echo)
    options = CompareOptions(experiment, given["out"], load_settings().model_dir, given["owned"])
    run = run_compare(options, click.echo)
    status = tell_ending(run, failures(run, thresholds), click.echo)
    if run.partial:
        click.echo(_again(given))
    context.exit(status or (0 if run.results["question"]["pairs"] else 1))


def _experiment(given: Mapping[str, Any], tell: Callable[[str], None]) -> Experiment:
    from bench.experiment.deployed import deployed_experiment, local_experiment
    from bench.experiment.plan import load_experiment

    path: Path = given["experiment"]
    experiment = load_experiment(path)
    if given["cloud"]:
        return deployed_experiment(experiment, str(path), account=given["account"], project=given["project"])
    if experiment.deployed:
        tell("[deployed] is for --cloud: measuring on this machine")
        return local_experiment(experiment)
    return experiment


def _again(given: Mapping[str, Any]) -> str:
    """The command that continues a partial run."""
    words = ["continue with: diptych bench compare", str(given["experiment"])]
    words += ["--cloud"] if given["cloud"] else []
    words += [f"--i-own-this-host {host}" for host in given["owned"]]
    for flag, name in (("--as-account", "account"), ("--project", "project")):
        words += [f"{flag} {given[name]}"] if given[name] else []
    return " ".join([*words, f"--out {given['out']}"])
