"""`diptych bench load`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from diptych.commands.bench.options import (
    DURATION,
    RATE,
    arrivals_option,
    check_cloud,
    fail_if_option,
    model_option,
    out_option,
    read_thresholds,
    seed_option,
    target_option,
    urls_of,
)

if TYPE_CHECKING:
    from bench.load.run import LoadOptions

_PLAN: Final = ("duration_s", "warm_up_s", "users", "rate", "arrivals", "ramp_s", "seed", "timeout_s")
_SAME: Final = ("out", "targets", "images", "slots", "model", "cloud", "account", "project", "owned")


@click.command()
@click.option(
    "--users", type=click.IntRange(1, 800), help="Closed load: users, each waiting for its response."
)
@click.option("--rate", type=RATE, help="Open load: requests per second, such as 5/s.")
@arrivals_option
@click.option(
    "--duration", "duration_s", type=DURATION, default="1m", help="Send load at each target for so long [1m]."
)
@click.option(
    "--warm-up",
    "warm_up_s",
    type=DURATION,
    default="5s",
    help="Report the first part of the duration separately [5s].",
)
@click.option(
    "--ramp", "ramp_s", type=DURATION, default="0s", help="Start the users evenly over this time [0s]."
)
@target_option("container", "function")
@click.option("--container-url", help="Measure the container at this URL instead of starting one.")
@click.option("--function-url", help="Measure the function at this URL instead of starting one.")
@click.option(
    "--i-own-this-host", "owned", multiple=True, metavar="HOST", help="Allow load on this other machine."
)
@click.option("--cloud", is_flag=True, help="Send ID tokens to the deployed URLs.")
@click.option("--as-account", "account", default="", help="With --cloud: impersonate this service account.")
@click.option(
    "--project", default="", help="With --cloud: read instance counts and billed time of this project."
)
@model_option
@click.option(
    "--images",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Request so many images at a time.",
)
@click.option(
    "--slots",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Start workers with so many slots.",
)
@seed_option("arrivals and the images")
@click.option(
    "--timeout", "timeout_s", type=DURATION, default="60s", help="Give up a request after this time [60s]."
)
@click.option(
    "--sample",
    "sample_s",
    type=DURATION,
    help="Sample CPU and memory at this interval [1m or a tenth of the duration].",
)
@fail_if_option("p99(response_s) > 2")
@out_option("load")
@click.pass_context
def load(context: click.Context, /, **given: Any) -> None:
    """Send real pushes to both HTTP workers, one after the other, and measure.

    Starts fresh workers on this machine unless URLs are given. --users 100 --duration 10m corresponds to a
    JMeter thread group of 100.
    """
    from bench.load.run import run_load
    from bench.load.summary import quantities
    from bench.load.text import NUMBERS, failures
    from bench.runs.ending import tell_ending

    thresholds = read_thresholds(given["fail_if"], quantities([]), NUMBERS)
    run = run_load(_options(given), click.echo)
    context.exit(tell_ending(run, failures(run, thresholds), click.echo))


def _options(given: Mapping[str, Any]) -> LoadOptions:
    from bench.load.generator.schedule import LoadPlan
    from bench.load.run import LoadOptions
    from pipeline.config.settings import load_settings

    if bool(given["users"]) == bool(given["rate"]):
        raise click.UsageError("give either --users (closed load) or --rate (open load)")
    if given["warm_up_s"] >= given["duration_s"]:
        raise click.UsageError("--warm-up must be shorter than --duration")
    for name in ("container", "function"):
        if given[f"{name}_url"] and name not in given["targets"]:
            raise click.UsageError(f"--{name}-url names a target that --target leaves out")
    check_cloud(given, "account", "project")
    return LoadOptions(
        plan=LoadPlan(**{name: given[name] for name in _PLAN}),
        urls=urls_of(given),
        sample_s=given["sample_s"] or min(60.0, max(0.5, given["duration_s"] / 10)),
        model_dir=load_settings().model_dir,
        **{name: given[name] for name in _SAME},
    )
