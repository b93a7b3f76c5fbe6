"""`diptych bench queue`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from diptych.commands.bench.options import (
    RATE,
    arrivals_option,
    check_cloud,
    cloud_option,
    duration_option,
    fail_if_option,
    model_option,
    out_option,
    project_option,
    read_thresholds,
    seed_option,
    store_option,
    target_option,
)
from diptych.commands.options import number_option

if TYPE_CHECKING:
    from bench.queue.run import QueueOptions

_BROKERS: Final = ("", "celery", "pubsub")


@click.command()
@number_option("--jobs", 1, 100_000, 100, "Submit so many jobs.")
@number_option("--images", 1, 10_000, 4, "Request so many images in each job.")
@number_option("--images-per-task", 1, 256, None, "Generate so many images per task [as `submit` plans].")
@click.option("--rate", type=RATE, default="2/s", show_default=True, help="Submit jobs at this rate.")
@arrivals_option
@number_option("--warm-up", 0, None, 0, "Report the first so many jobs separately.")
@target_option("container", "function", "celery")
@click.option("--running", is_flag=True, help="Use the stack that runs in this folder, not a fresh one.")
@click.option(
    "--broker", default="", help="Use celery or pubsub [celery]; with --cloud: pubsub://PROJECT/TOPIC."
)
@number_option("--slots", 1, 64, None, "Give each target so many slots [half the cores; --running: as seen].")
@model_option
@seed_option("schedule and the images")
@duration_option("--timeout", "10m", "Stop waiting so long after the last submission.")
@fail_if_option("p99(round_trip_s) > 2")
@out_option("queue")
@cloud_option
@store_option
@project_option
@click.pass_context
def queue(context: click.Context, /, **given: Any) -> None:
    """Send jobs through the queue, and measure from submission to visible record.

    Starts a stack in a temporary folder and stops it at the end, unless --running or --cloud is given.
    Reports the first task of each worker process separately, as cold. Equal seeds give equal schedules.
    """
    from bench.queue.run import run_queue
    from bench.queue.summary import quantities
    from bench.queue.text import NUMBERS, failures
    from bench.runs.ending import tell_ending, tell_nothing_succeeded

    check_cloud(given)
    thresholds = read_thresholds(given["fail_if"], quantities([], {}), NUMBERS)
    run = run_queue(_options(given), click.echo)
    status = tell_ending(run, failures(run, thresholds), click.echo)
    context.exit(status or tell_nothing_succeeded(run, click.echo))


def _options(given: Mapping[str, Any]) -> QueueOptions:
    from bench.queue.run import QueueOptions
    from local.options import default_slots

    if given["warm_up"] >= given["jobs"]:
        raise click.UsageError("--warm-up must be smaller than --jobs")
    if given["cloud"] and given["running"]:
        raise click.UsageError("--running uses a stack of this machine: give either --running or --cloud")
    if given["cloud"] and given["slots"]:
        raise click.UsageError("--slots does not apply to --cloud: the platform starts instances as needed")
    if not given["cloud"] and given["broker"] not in _BROKERS:
        raise click.UsageError("--broker must be celery or pubsub; an address needs --cloud")
    known = not (given["running"] or given["cloud"])
    return QueueOptions(
        **{
            **{name: value for name, value in given.items() if name != "fail_if"},
            "broker": given["broker"] or ("" if given["cloud"] else "celery"),
            "store_url": given["store_url"] or "",
            "slots": given["slots"] or (default_slots() if known else None),
        }
    )
