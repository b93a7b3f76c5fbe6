"""`diptych bench compare`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from bench.cloud_options import account_option, check_cloud, cloud_option, owned_option, project_option


@click.command()
@click.argument("experiment", type=click.Path(path_type=Path))
@click.option("--fail-if", multiple=True, metavar="CONDITION", help="'ratio > 1.1': exit status 3.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="[bench-compare-DATE-TIME]; a part of it is gone on with."
)
@cloud_option
@owned_option
@account_option
@project_option
@click.pass_context
def compare(
    context: click.Context,
    /,
    experiment: Path,
    fail_if: tuple[str, ...],
    out: Path | None,
    **given: Any,
) -> None:
    """Run the paired experiment that a TOML file describes (docs/experiment.md).

    Pairs of fresh instances in random order, the same tasks, and a verdict from 20 pairs on. After a Ctrl-C,
    give the same file and --out again: finished pairs are kept. With --cloud the pairs are of the deployed
    targets that the file names.
    """
    from bench.experiment.deployed import deployed_experiment, local_experiment
    from bench.experiment.plan import load_experiment
    from bench.experiment.report import text_lines
    from bench.experiment.run import CompareOptions, run_compare
    from bench.run_ending import tell_ending
    from bench.run_folder_thresholds import check_thresholds, thresholds_of
    from pipeline.settings import load_settings

    thresholds = thresholds_of(fail_if, (), ("ratio", "low", "high", "failed_pairs"))
    check_cloud(given)
    asked = load_experiment(experiment)
    if given["cloud"]:
        asked = deployed_experiment(
            asked, str(experiment), account=given["account"], project=given["project"]
        )
    elif asked.deployed:
        click.echo("[deployed] is for --cloud: this runs on this machine")
        asked = local_experiment(asked)
    folder = out or Path(f"bench-compare-{time.strftime('%Y%m%d-%H%M%S')}")
    options = CompareOptions(asked, folder, load_settings().model_dir, given["owned"])
    run = run_compare(options, click.echo)
    answer = run.results["question"]
    figures = {
        name: float("nan") if answer[name] is None else answer[name] for name in ("ratio", "low", "high")
    }
    figures["failed_pairs"] = float(len(run.results["pairs"]["failed"]))
    failed = check_thresholds(thresholds, {}, figures)
    status = tell_ending(run, text_lines(run), failed, click.echo)
    if run.partial:
        flags = ["--cloud"] if given["cloud"] else []
        flags += [f"--i-own-this-host {host}" for host in given["owned"]]
        for flag, name in (("--as-account", "account"), ("--project", "project")):
            flags += [f"{flag} {given[name]}"] if given[name] else []
        click.echo(
            " ".join(["go on with: diptych bench compare", str(experiment), *flags, f"--out {folder}"])
        )
    context.exit(status)
