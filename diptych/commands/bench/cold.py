"""`diptych bench cold`."""

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
    store_option,
)
from diptych.commands.bench.load import Duration


@click.command()
@click.option(
    "--repeats", type=click.IntRange(1, 1000), default=20, show_default=True, help="Of each target."
)
@click.option("--target", "targets", type=click.Choice(["container", "function"]), multiple=True)
@click.option("--model", default="faces-64", show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the images.")
@click.option("--timeout", "timeout_s", type=Duration(), default="60s", help="Of a start [60s].")
@click.option(
    "--imports/--no-imports", default=True, show_default=True, help="One more start each, profiled."
)
@click.option("--fail-if", multiple=True, metavar="CONDITION", help="'median(png_s) > 5': exit status 3.")
@click.option("--out", type=click.Path(path_type=Path), help="[bench-cold-DATE-TIME]")
@cloud_option
@click.option("--container-url", help="With --cloud: where it is deployed.")
@click.option("--function-url", help="With --cloud: the same of the function.")
@click.option("--idle", "idle_s", type=Duration(), help="With --cloud: pause between repeats [20m].")
@click.option("--burst", type=click.IntRange(1, 100), help="With --cloud: requests at once [1].")
@store_option
@owned_option
@account_option
@project_option
@click.pass_context
def cold(context: click.Context, /, **given: Any) -> None:
    """Start each worker anew, and measure until its first image is stored.

    The order of the targets alternates. From 20 repeats on there is a verdict on the paired differences.
    With --cloud deployed services start when they must: after a pause, and for a burst of requests.
    """
    check_cloud(given)
    if given["cloud"]:
        from bench.cold.deployed_command import run_command as run_deployed_command

        context.exit(run_deployed_command(given, click.echo))
    from bench.cold.command import run_command

    context.exit(run_command(given, click.echo))
