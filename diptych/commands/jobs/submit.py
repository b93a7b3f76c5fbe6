"""`diptych submit`. What it needs is imported when it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from diptych.commands.jobs.output import push_bar, show_plan, show_submission
from diptych.commands.jobs.quote_options import CostOptions, cost_options
from diptych.commands.jobs.watch import watch_job
from diptych.commands.options import (
    broker_options,
    checked_job,
    params_option,
    precision_option,
    settings_of,
    store_of,
    targets_option,
)
from results.targets import DEFAULT_TARGETS

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.settings import Settings
    from producer.submit import JobRequest


@click.command()
@click.option("-n", "--count", type=int, help="Images per target: 1 to 100,000,000.")
@click.option(
    "--like",
    metavar="JOB",
    help="Repeat the request of a job, with the model as it is now; options change it.",
)
@click.option(
    "-m",
    "--model",
    default="faces-64",
    show_default=True,
    help="Model to generate with; see `diptych model list`.",
)
@targets_option("Target that generates; repeatable.  [default: container and function]")
@click.option("--seed", type=int, help="0 to 2**63-1; equal seeds give equal images.  [default: random]")
@precision_option
@params_option
@click.option("--job", "job_id", metavar="NAME", help="Name of the job; submitting it again is idempotent.")
@click.option("--images-per-task", type=int, help="1 to 256.  [default: about 30 s of work per task]")
@click.option("--no-push", is_flag=True, help="Do not upload the checkpoint: every worker already has it.")
@click.option("--dry-run", is_flag=True, help="Show the plan without writing or publishing anything.")
@click.option("-w", "--watch", "watching", is_flag=True, help="Watch the job until it ends.")
@cost_options
@broker_options
@click.pass_context
def submit(
    context: click.Context,
    /,
    like: str | None,
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
    """Submit a job: N images of a model from each target.

    Prints the job's name and returns. A checkpoint of your own is uploaded to the store first, where workers
    that lack it download it.

    \b
    diptych submit -n 64 --watch
    diptych submit -n 1000 --seed 7 --target container --job my-batch
    diptych submit -n 1000000 --dry-run
    diptych submit -n 1000000 --quote
    diptych submit --like my-batch --param steps=30
    """
    from model.registry import Registry
    from producer.health.stack_warnings import stack_warnings
    from producer.open_publisher import check_broker_reaches, publishing
    from producer.submit import draft_job
    from producer.submit import submit as submit_draft

    settings = settings_of(store_url=store_url, broker_url=broker_url)
    given = {**request, "targets": targets or DEFAULT_TARGETS, "params": dict(params)}
    draft = draft_job(_request(context, settings, like, given), Registry(settings.model_dir))
    chosen = draft.manifest.targets
    if CostOptions(quoting, max_cost, prices_file, free_tier).settle(draft, as_json):
        return None
    if dry_run:
        return show_plan(draft, as_json)
    store = store_of(settings, may_be_new=True)
    check_broker_reaches(settings, chosen)
    for line in filter(None, (*stack_warnings(settings, chosen), draft.plan.warning)):
        click.echo(f"warning: {line}", err=True)
    job_id = draft.manifest.job_id
    bar = push_bar(draft.model)
    try:
        submission = publishing(
            settings,
            lambda publisher: submit_draft(store, publisher, draft, push=not no_push, progress=bar),
        )
    except KeyboardInterrupt:
        click.echo(
            f"if job {job_id} was created, `diptych resume {job_id}` publishes its remaining tasks", err=True
        )
        raise
    show_submission(submission, as_json)
    if watching:
        watch_job(settings, store, job_id, as_json)
    return None


def _request(
    context: click.Context, settings: Settings, like: str | None, given: dict[str, Any]
) -> JobRequest:
    """What the options ask for; with --like, the other job's request, changed by the options given."""
    from producer.submit import JobRequest, request_like
    from results.job_state import load_manifest

    if like is None:
        if given["count"] is None:
            raise click.UsageError("Missing option '-n' / '--count', or --like JOB.", context)
        return JobRequest(**given)
    request = request_like(load_manifest(store_of(settings), checked_job(like)))
    given["params"] = {**(request.params or {}), **given["params"]}
    named = {
        name: value
        for name, value in given.items()
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    return replace(request, **named)
