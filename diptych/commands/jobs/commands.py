"""`diptych submit, status, watch, jobs, cancel, resume, retry`. What they need is imported when they run."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast

import click

from diptych.commands.jobs.output import (
    print_lines,
    push_bar,
    show_plan,
    show_republication,
    show_submission,
    watch_job,
)
from diptych.commands.jobs.quote_options import CostOptions, cost_options
from diptych.commands.options import (
    Duration,
    ParamAssignment,
    broker_option,
    checked_job,
    job_argument,
    json_option,
    print_json,
    settings_of,
    store_of,
    store_option,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.settings import Settings
    from producer.publisher import Publisher
    from producer.republish import Republication
    from results.documents import Target
    from results.stores.base import Store

_HELP: Final = {"help_option_names": ["-h", "--help"]}


@click.command(context_settings=_HELP)
@click.option("-n", "--count", type=int, required=True, help="Images, per target: 1 to 100,000,000.")
@click.option("-m", "--model", default="faces-64", show_default=True, help="See `diptych model list`.")
@click.option(
    "-t",
    "--target",
    "targets",
    multiple=True,
    type=click.Choice(["container", "function", "celery"]),
    help="Who generates; may be given again.  [default: container and function]",
)
@click.option(
    "--seed", type=int, help="0 to 2**63-1; the same seed gives the same images.  [default: random]"
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16", "int8"]),
    default="auto",
    show_default=True,
    help="auto: the fastest that the worker's CPU supports and the model allows.",
)
@click.option(
    "--param",
    "params",
    multiple=True,
    type=ParamAssignment(),
    help="A parameter of the model's family; may be given again.",
)
@click.option("--job", "job_id", metavar="NAME", help="Name the job: the same request again is the same job.")
@click.option("--images-per-task", type=int, help="1 to 256.  [default: about 30 s of work]")
@click.option(
    "--no-push", is_flag=True, help="Leave the model's checkpoint out of the store: every worker has it."
)
@click.option("--dry-run", is_flag=True, help="Show the plan; write and publish nothing.")
@click.option("-w", "--watch", "watching", is_flag=True, help="Follow the job to its end.")
@cost_options
@json_option
@store_option
@broker_option
def submit(
    targets: tuple[str, ...],
    params: tuple[tuple[str, Any], ...],
    no_push: bool,
    dry_run: bool,
    watching: bool,
    quoting: bool,
    max_cost: float | None,
    prices_file: Path | None,
    free_tier: bool,
    as_json: bool,
    store_url: str | None,
    broker_url: str | None,
    **request: Any,
) -> None:
    """Ask for N images of a model, from each target. Prints the job's name and returns.

    A checkpoint of your own is put into the store first, where workers that lack it fetch it.

    \b
    diptych submit -n 64 --watch
    diptych submit -n 1000 --seed 7 --target container --job my-batch
    diptych submit -n 1000000 --dry-run
    diptych submit -n 1000000 --quote
    """
    from model.registry import Registry
    from producer.open_publisher import check_broker_reaches, publishing
    from producer.stack_warnings import stack_warnings
    from producer.submit import JobRequest, draft_job
    from producer.submit import submit as submit_draft

    settings = settings_of(store_url=store_url, broker_url=broker_url)
    wanted = cast("tuple[Target, ...]", targets or ("container", "function"))
    draft = draft_job(
        JobRequest(targets=wanted, params=dict(params), **request), Registry(settings.model_dir)
    )
    if CostOptions(quoting, max_cost, prices_file, free_tier).settle(draft, as_json):
        return None
    if dry_run:
        return show_plan(draft, as_json)
    store = store_of(settings)
    check_broker_reaches(settings, wanted)
    for line in filter(None, (*stack_warnings(settings, wanted), draft.plan.warning)):
        click.echo(f"warning: {line}", err=True)
    job_id = draft.manifest.job_id
    bar = push_bar(draft.model)
    try:
        submission = publishing(
            settings,
            lambda publisher: submit_draft(store, publisher, draft, push=not no_push, progress=bar),
        )
    except KeyboardInterrupt:
        click.echo(f"if job {job_id} was begun, `diptych resume {job_id}` publishes the rest of it", err=True)
        raise
    show_submission(submission, as_json)
    if watching:
        watch_job(settings, store, job_id, as_json)
    return None


@click.command(context_settings=_HELP)
@job_argument
@json_option
@store_option
def status(job_id: str, as_json: bool, store_url: str | None) -> None:
    """Say how far a job is, what failed and why, and what can be done.

    \b
    diptych status faces-64-20261124-235512-x7k2
    """
    from pipeline.config.run_file import find_run_file
    from producer.job_view import job_as_dict, job_as_lines
    from producer.stack_health import job_faults
    from results.job_state import JobState

    settings = settings_of(store_url=store_url)
    store = store_of(settings)
    state = JobState.of(store, checked_job(job_id))
    faults = [fault.as_dict() for fault in job_faults(settings, state, find_run_file())]
    view = job_as_dict(store, state) | {"faults": faults}
    if as_json:
        return print_json(view)
    return print_lines(job_as_lines(view, settings.broker_url))


@click.command(context_settings=_HELP)
@job_argument
@json_option
@store_option
def watch(job_id: str, as_json: bool, store_url: str | None) -> None:
    """Follow a job to its end. Ctrl-C leaves the job alone; watch again at any time.

    Exit code 0 if every image was made, 3 if not. With --json, a line whenever something has changed.

    \b
    diptych watch faces-64-20261124-235512-x7k2
    """
    settings = settings_of(store_url=store_url)
    watch_job(settings, store_of(settings), checked_job(job_id), as_json)


@click.command(context_settings=_HELP)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="The latest so many.")
@json_option
@store_option
def jobs(limit: int, as_json: bool, store_url: str | None) -> None:
    """List the jobs in the store, the latest first."""
    from producer.job_list import latest_jobs

    listed = latest_jobs(store_of(settings_of(store_url=store_url)), limit)
    if as_json:
        return print_json([job.as_dict() for job in listed])
    if not listed:
        click.echo("no jobs yet: `diptych submit -n 16` makes one", err=True)
    return print_lines(job.as_line() for job in listed)


@click.command(context_settings=_HELP)
@job_argument
@json_option
@store_option
def cancel(job_id: str, as_json: bool, store_url: str | None) -> None:
    """End a job for good. Workers stop at their next batch; what is stored stays."""
    from producer.republish import cancel as cancel_job

    now = cancel_job(store_of(settings_of(store_url=store_url)), checked_job(job_id))
    if as_json:
        return print_json({"job_id": job_id, "cancelled_now": now})
    return click.echo(f"job {job_id} {'is cancelled' if now else 'was cancelled before'}")


@click.command(context_settings=_HELP)
@job_argument
@click.option(
    "--stalled",
    type=Duration(),
    metavar="AGE",
    help="Publish also what waits on a target that has finished nothing for AGE (90s, 10m, 2h).",
)
@click.option(
    "--lost",
    is_flag=True,
    help="Publish also what waits and yet is neither in the broker's queue nor with a worker: both are"
    " searched, and once more 2 s later if anything is missing. Queued and running tasks are left alone.",
)
@json_option
@store_option
@broker_option
def resume(
    job_id: str,
    stalled: timedelta | None,
    lost: bool,
    as_json: bool,
    store_url: str | None,
    broker_url: str | None,
) -> None:
    """Publish the tasks that never reached the broker; with an option, also those that got lost there.

    A running `diptych up` does what --lost does by itself, every few seconds.
    --lost is for a Redis; Pub/Sub keeps what it has acknowledged until a target has taken it.

    \b
    diptych resume faces-64-20261124-235512-x7k2 --lost
    diptych resume faces-64-20261124-235512-x7k2 --stalled 10m
    """
    from producer.open_publisher import republishing
    from producer.republish import resume as resume_job

    settings = settings_of(store_url=store_url, broker_url=broker_url)
    store, job_id = store_of(settings), checked_job(job_id)
    if lost:
        done = republishing(
            settings, lambda publisher: _resume_lost(store, publisher, settings, job_id, stalled)
        )
    else:
        done = republishing(settings, lambda publisher: resume_job(store, publisher, job_id, stalled))
    nothing = "nothing is unpublished or lost" if lost else "nothing is unpublished"
    show_republication(job_id, done, as_json, nothing=nothing)


def _resume_lost(
    store: Store, publisher: Publisher, settings: Settings, job_id: str, stalled: timedelta | None
) -> Republication:
    from contextlib import closing

    from producer.celery.queue import CeleryQueue
    from producer.pubsub.targets import refuse_search
    from producer.recovery import resume_lost

    refuse_search(settings.broker_url, job_id)
    with closing(CeleryQueue(settings)) as queue:
        return resume_lost(store, publisher, queue, job_id, stalled)


@click.command(context_settings=_HELP)
@job_argument
@json_option
@store_option
@broker_option
def retry(job_id: str, as_json: bool, store_url: str | None, broker_url: str | None) -> None:
    """Publish the failed and dead-lettered tasks of a job again."""
    from producer.open_publisher import republishing
    from producer.republish import retry as retry_job

    settings = settings_of(store_url=store_url, broker_url=broker_url)
    store, job_id = store_of(settings), checked_job(job_id)
    done = republishing(settings, lambda publisher: retry_job(store, publisher, job_id))
    show_republication(job_id, done, as_json, nothing="nothing has failed", again=True)
