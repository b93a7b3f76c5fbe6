"""`diptych bench cold`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from diptych.commands.bench.options import (
    account_option,
    check_cloud,
    cloud_option,
    duration_option,
    fail_if_option,
    model_option,
    out_option,
    owned_option,
    project_option,
    read_thresholds,
    seed_option,
    store_option,
    target_option,
    urls_of,
)
from diptych.commands.options import number_option, require_extra

if TYPE_CHECKING:
    from bench.runs.read import StoredRun

IDLE_S: Final = 20 * 60.0
"""Cloud Run may keep an instance for 15 minutes after its last request."""
_SAME: Final = ("out", "repeats", "targets", "model", "seed", "timeout_s")


@click.command()
@number_option("--repeats", 1, 1000, 20, "Start each target so many times.")
@target_option("container", "function")
@model_option
@seed_option("images")
@duration_option("--timeout", "60s", "Give up a start after this time.")
@click.option(
    "--imports/--no-imports",
    default=True,
    show_default=True,
    help="Profile the imports of one more start each.",
)
@fail_if_option("median(png_s) > 5")
@out_option("cold")
@cloud_option
@click.option("--container-url", help="With --cloud: measure the container at this URL.")
@click.option("--function-url", help="With --cloud: measure the function at this URL.")
@duration_option("--idle", None, "With --cloud: wait so long between repeats [20m].")
@number_option("--burst", 1, 100, None, "With --cloud: send so many requests at once [1].")
@store_option
@owned_option
@account_option
@project_option
@click.pass_context
def cold(context: click.Context, /, **given: Any) -> None:
    """Start each worker repeatedly, and measure until its first image is stored.

    Alternates the order of the targets. From 20 repeats on it gives a verdict on the paired differences.
    With --cloud it makes deployed services start: after a pause, and by a burst of requests.
    """
    from bench.cold.summary import quantities
    from bench.cold.text import NUMBERS, failures
    from bench.cold.variants import CLOUD, LOCAL
    from bench.runs.ending import tell_ending

    check_cloud(given)
    thresholds = read_thresholds(
        given["fail_if"], quantities([], CLOUD if given["cloud"] else LOCAL), NUMBERS
    )
    run = (_run_cloud if given["cloud"] else _run_local)(given, click.echo)
    status = tell_ending(run, failures(run, thresholds), click.echo)
    reached = all(run.figures(target, "measured").get("ok") for target in run.results["targets"])
    context.exit(status or (0 if reached else 1))


def _run_local(given: Mapping[str, Any], tell: Callable[[str], None]) -> StoredRun:
    from bench.cold.local import LocalColdOptions, run_cold

    return run_cold(LocalColdOptions(imports=given["imports"], **{name: given[name] for name in _SAME}), tell)


def _run_cloud(given: Mapping[str, Any], tell: Callable[[str], None]) -> StoredRun:
    require_extra("bench")
    from bench.cold.cloud import CloudColdOptions, run_cloud_cold
    from pipeline.config.settings import load_settings

    options = CloudColdOptions(
        urls=urls_of(given),
        store_url=load_settings(store_url=given["store_url"]).store_url,
        idle_s=IDLE_S if given["idle_s"] is None else given["idle_s"],
        burst=given["burst"] or 1,
        **{name: given[name] for name in (*_SAME, "owned", "account", "project")},
    )
    return run_cloud_cold(options, tell)
