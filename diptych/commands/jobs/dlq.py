"""`diptych dlq list, show, redrive`. What they need is imported when they run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, cast

import click

from diptych.commands.jobs.output import print_lines, show_republication
from diptych.commands.options import (
    broker_options,
    checked_job,
    default_option,
    job_argument,
    open_store_of,
    print_json,
    settings_of,
    store_of,
    target_option,
)

if TYPE_CHECKING:
    from pipeline.config.settings import Settings
    from results.job_state import JobState
    from results.stores.base import Store
    from results.targets import Target

LISTED: Final = 50


@click.group()
def dlq() -> None:
    """Inspect dead-lettered tasks and redrive them.

    A task that its target has rejected for the maximum number of deliveries (100) becomes a dead letter: it
    leaves the queue, is stored under the job's deadletters/, and the job continues without it. On Celery, a
    target that is busy or down does not count as a rejection; on Pub/Sub it does.

    \b
    diptych dlq list                           list the dead letters of all jobs
    diptych dlq show my-batch 12               show why a task was dead-lettered
    diptych dlq redrive my-batch --task 12     publish it again
    """


@dlq.command("list", short_help="List dead letters.")
@click.argument("job_id", metavar="[JOB]", required=False)
@click.option("--settled", is_flag=True, help="Include tasks that were since completed or published again.")
@default_option("--limit", click.IntRange(1), LISTED, "Maximum number to list.")
@broker_options
def list_letters(job_id: str | None, settled: bool, limit: int, as_json: bool, **place: str | None) -> None:
    """List the dead letters of one job or of all jobs: task, attempts, last error.

    On Pub/Sub, messages in the dead-letter pull subscription are first written to the store.

    \b
    diptych dlq list
    diptych dlq list my-batch --json
    """
    from diptych.commands.jobs.dlq_output import next_steps, table
    from producer.dead_letters import jobs_with_letters, letters_of, read_letters
    from producer.text import counted
    from results.job_state import JobState

    settings = settings_of(**place)
    store = store_of(settings)
    _collect(settings, store)
    states = [JobState.of(store, checked_job(job_id))] if job_id else _states(store, jobs_with_letters(store))
    infos = [letter for state in states for letter in letters_of(store, state, settled=settled)]
    letters = [*read_letters(store, infos[:limit])]
    if as_json:
        return print_json({"total": len(infos), "letters": [letter.as_dict() for letter in letters]})
    if not infos:
        where = f"job {job_id}" if job_id else "this store"
        return click.echo(f"{where}: no {'' if settled else 'open '}dead letters", err=True)
    print_lines(table(letters))
    if len(infos) > limit:
        click.echo(
            f"{counted(len(infos) - limit, 'more dead letter')}: --limit {len(infos)} lists all", err=True
        )
    for line in next_steps(letters):
        click.echo(line, err=True)
    return None


@dlq.command(short_help="Show one dead-lettered task.")
@job_argument
@click.argument("task_index", metavar="TASK", type=click.IntRange(0))
@broker_options
def show(job_id: str, task_index: int, as_json: bool, **place: str | None) -> None:
    """Show one dead-lettered task: its dead letters, the failures of its deliveries and its logs.

    \b
    diptych dlq show my-batch 12
    diptych dlq show my-batch 12 --json
    """
    from diptych.commands.jobs.dlq_output import DeadTask, log_hints
    from pipeline.errors import RequestError
    from producer.dead_letters import failures_of, letters_of, read_letters
    from results.job_state import JobState

    settings, store = open_store_of(job_id, **place)
    _collect(settings, store)
    state = JobState.of(store, job_id)
    infos = [letter for letter in letters_of(store, state, settled=True) if letter.task_index == task_index]
    if not infos:
        raise RequestError(
            f"job {job_id} has no dead letter for task {task_index}: see `diptych dlq list {job_id}`"
        )
    letters = [*read_letters(store, infos)]
    dead_tasks = [
        DeadTask(
            state.manifest,
            [letter for letter in letters if letter.info.target == target],
            failures_of(store, job_id, target, task_index),
        )
        for target in dict.fromkeys(info.target for info in infos)
    ]
    hints = log_hints(job_id, task_index, settings.broker_url)
    if as_json:
        return print_json(
            {"job_id": job_id, "cases": [dead_task.as_dict() for dead_task in dead_tasks], "logs": hints}
        )
    click.echo(f"job      {job_id}, task {task_index}")
    for dead_task in dead_tasks:
        print_lines(dead_task.as_lines())
    return print_lines(f"log      {hint}" for hint in hints)


@dlq.command(short_help="Publish dead-lettered tasks again.")
@job_argument
@click.option("--task", "tasks", multiple=True, type=click.IntRange(0), help="Task to redrive; repeatable.")
@click.option("--all", "whole", is_flag=True, help="Redrive all dead-lettered tasks.")
@target_option
@broker_options
def redrive(
    job_id: str,
    tasks: tuple[int, ...],
    whole: bool,
    targets: tuple[str, ...],
    as_json: bool,
    **place: str | None,
) -> None:
    """Publish a job's dead-lettered tasks again, as a new publication. Stored images are kept.

    Fix the cause first: `diptych dlq show` displays it. `diptych retry` publishes failed and dead-lettered
    tasks alike.

    \b
    diptych dlq redrive my-batch --task 12 --task 40
    diptych dlq redrive my-batch --all --target function
    """
    from producer.dead_letters import redrive as redrive_tasks
    from producer.open_publisher import republishing

    if whole == bool(tasks):
        raise click.UsageError("give --task N (repeatable) or --all")
    settings, store = open_store_of(job_id, **place)
    settings.require_broker_url()
    _collect(settings, store)
    chosen, of_targets = frozenset(tasks) if tasks else None, cast("tuple[Target, ...]", targets)
    done = republishing(
        settings, lambda publisher: redrive_tasks(store, publisher, job_id, chosen, of_targets)
    )
    show_republication(job_id, done, as_json, nothing="no task is dead-lettered", again=True)


def _collect(settings: Settings, store: Store) -> None:
    """Write the messages of the dead-letter pull subscription to the store; a failure is only a note."""
    from pipeline.config.pubsub_settings import PubSubAddress, is_pubsub

    if not is_pubsub(settings.broker_url):
        return
    from contextlib import closing

    from diptych.commands.jobs.dlq_output import dead_letter_pull_notes
    from pipeline.errors import BrokerError
    from producer.pubsub.dead_letter_pull import DeadLetterPull

    with closing(DeadLetterPull(PubSubAddress.parse(settings.broker_url))) as dead_letter_pull:
        try:
            notes = dead_letter_pull_notes(dead_letter_pull.collect(store))
        except BrokerError as error:
            notes = [f"the dead-letter pull subscription could not be read: {error}"]
    for note in notes:
        click.echo(f"note: {note}", err=True)


def _states(store: Store, job_ids: Iterable[str]) -> Iterator[JobState]:
    """Read jobs' states. One that cannot be read is a note: it must not hide the others."""
    from results.errors import DocumentError, JobNotFound
    from results.job_state import JobState

    for job_id in job_ids:
        try:
            yield JobState.of(store, job_id)
        except (DocumentError, JobNotFound) as error:
            click.echo(f"note: {error}", err=True)
