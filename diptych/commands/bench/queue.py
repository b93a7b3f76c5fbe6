"""`diptych bench queue`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diptych.commands.bench.cloud_options import check_cloud, cloud_option, project_option, store_option
from diptych.commands.bench.load import Duration, Rate


@click.command()
@click.option("--jobs", type=click.IntRange(1, 100_000), default=100, show_default=True)
@click.option("--images", type=click.IntRange(1, 10_000), default=4, show_default=True, help="Of each job.")
@click.option("--images-per-task", type=click.IntRange(1, 256), help="[default: as `diptych submit` plans]")
@click.option("--rate", type=Rate(), default="2/s", show_default=True, help="Jobs submitted per second.")
@click.option("--arrivals", type=click.Choice(["poisson", "constant"]), default="poisson", show_default=True)
@click.option(
    "--warm-up", "warm_up", type=click.IntRange(0), default=0, show_default=True, help="First jobs, apart."
)
@click.option("--target", "targets", type=click.Choice(["container", "function", "celery"]), multiple=True)
@click.option("--running", is_flag=True, help="Use the stack that runs in this folder, not a fresh one.")
@click.option("--broker", default="", help="celery or pubsub [celery]; with --cloud: pubsub://PROJECT/TOPIC.")
@click.option(
    "--slots", type=click.IntRange(1, 64), help="Of each target [half the cores; of a running one: as seen]."
)
@click.option("--model", default="faces-64", show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option(
    "--timeout", "timeout_s", type=Duration(), default="10m", help="After the last submission [10m]."
)
@click.option("--fail-if", multiple=True, metavar="CONDITION", help="'p99(round_trip_s) > 2': exit status 3.")
@click.option("--out", type=click.Path(path_type=Path), help="[bench-queue-DATE-TIME]")
@cloud_option
@store_option
@project_option
@click.pass_context
def queue(context: click.Context, /, **given: Any) -> None:
    """Send jobs through the queue, and measure from their submission to their visible records.

    A stack is started in a temporary folder, and ended, unless --running, or --cloud, which takes what is
    deployed. The first task of each worker process is apart, as cold. The same seed gives the same
    schedule.
    """
    check_cloud(given)
    from bench.queue.command import run_command

    context.exit(run_command(given, click.echo))
