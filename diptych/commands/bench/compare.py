"""`diptych bench compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diptych.commands.bench.cloud_options import (
    account_option,
    check_cloud,
    cloud_option,
    owned_option,
    project_option,
)


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
def compare(context: click.Context, /, **given: Any) -> None:
    """Run the paired experiment that a TOML file describes (docs/experiment.md).

    Pairs of fresh instances in random order, the same tasks, and a verdict from 20 pairs on. After a Ctrl-C,
    give the same file and --out again: finished pairs are kept. With --cloud the pairs are of the deployed
    targets that the file names.
    """
    check_cloud(given)
    from bench.experiment.command import run_command

    context.exit(run_command(given, click.echo))
