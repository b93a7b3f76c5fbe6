"""`diptych bench load`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from diptych.commands.bench.options import (
    RATE,
    account_option,
    arrivals_option,
    check_cloud,
    duration_option,
    fail_if_option,
    model_option,
    out_option,
    owned_option,
    project_option,
    read_thresholds,
    seed_option,
    target_option,
    urls_of,
)
from diptych.commands.options import number_option, require_extra

if TYPE_CHECKING:
    from bench.load.run import LoadOptions

_PLAN: Final = ("duration_s", "warm_up_s", "users", "rate", "arrivals", "ramp_s", "seed", "timeout_s")
_SAME: Final = ("out", "targets", "images", "slots", "model", "cloud", "account", "project", "owned")


@click.command()
@number_option("--users", 1, 800, None, "Closed load: users, each waiting for its response.")
@click.option("--rate", type=RATE, help="Open load: requests per second, such as 5/s.")
@arrivals_option
@duration_option("--duration", "1m", "Send load at each target for so long.")
@duration_option("--warm-up", "5s", "Report the first part of the duration separately.")
@duration_option("--ramp", "0s", "Start the users evenly over this time.")
@target_option("container", "function")
@click.option("--container-url", help="Measure the container at this URL instead of starting one.")
@click.option("--function-url", help="Measure the function at this URL instead of starting one.")
@owned_option
@click.option("--cloud", is_flag=True, help="Send ID tokens to the deployed URLs.")
@account_option
@project_option
@model_option
@number_option("--images", 1, 256, 1, "Request so many images at a time.")
@number_option("--slots", 1, 64, 1, "Start workers with so many slots.")
@seed_option("arrivals and the images")
@duration_option("--timeout", "60s", "Give up a request after this time.")
@duration_option("--sample", None, "Sample CPU and memory at this interval [1m or a tenth of the duration].")
@fail_if_option("p99(response_s) > 2")
@out_option("load")
@click.pass_context
def load(context: click.Context, /, **given: Any) -> None:
    """Send real pushes to both HTTP workers, one after the other, and measure.

    Starts fresh workers on this machine unless URLs are given. --users 100 --duration 10m corresponds to a
    JMeter thread group of 100.
    """
    require_extra("bench")
    from bench.load.run import run_load
    from bench.load.summary import quantities
    from bench.load.text import NUMBERS, failures
    from bench.runs.ending import tell_ending, tell_nothing_succeeded

    thresholds = read_thresholds(given["fail_if"], quantities([]), NUMBERS)
    run = run_load(_options(given), click.echo)
    status = tell_ending(run, failures(run, thresholds), click.echo)
    context.exit(status or tell_nothing_succeeded(run, click.echo))


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
