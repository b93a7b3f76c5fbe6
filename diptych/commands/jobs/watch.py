"""`diptych watch`, which `submit --watch` also calls. What it needs is imported when it runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from diptych.commands.jobs.output import print_lines
from diptych.commands.options import job_argument, json_line, open_store_of, store_options

if TYPE_CHECKING:
    from pipeline.config.settings import Settings
    from producer.watch import Display
    from results.job_state import JobState
    from results.stores.base import Store

NOT_ALL_DONE_EXIT: Final = 3
"""Exit code of `watch` and `submit --watch` when a job ended partial, failed or cancelled."""


@click.command()
@job_argument
@store_options
def watch(job_id: str, as_json: bool, store_url: str | None) -> None:
    """Watch a job until it ends. Ctrl-C stops watching, not the job.

    Exit code 0 if every image was generated, else 3. With --json, prints a line at every change.

    \b
    diptych watch faces-64-20261124-235512-x7k2
    """
    settings, store = open_store_of(job_id, store_url=store_url)
    watch_job(settings, store, job_id, as_json)


def watch_job(settings: Settings, store: Store, job_id: str, as_json: bool) -> None:
    """Watch a job and set the exit code: 0 if every image was generated, else NOT_ALL_DONE_EXIT."""
    from pipeline.config.run_file import find_run_file
    from producer.health.fault_notices import FaultNotices
    from producer.health.stack_health import job_faults
    from producer.job_view import job_as_dict, job_as_lines
    from producer.watch import watch
    from results.job_state import JobState, JobStatus, load_manifest

    state = JobState(store, load_manifest(store, job_id))
    display = FaultNotices(
        _display(store, as_json),
        lambda: job_faults(settings, JobState.of(store, job_id), find_run_file()),
        lambda line: click.echo(f"! {line}", err=True),
    )
    try:
        watch(state, display)
    except KeyboardInterrupt:
        click.echo(f"the job continues; `diptych watch {job_id}` resumes watching it", err=True)
        raise
    if not as_json:
        print_lines(job_as_lines(job_as_dict(store, state)))
    if state.status is not JobStatus.SUCCEEDED:
        click.get_current_context().exit(NOT_ALL_DONE_EXIT)


def _display(store: Store, as_json: bool) -> Display:
    from producer.watch import Bars, PlainLines

    if as_json:
        return PlainLines(click.echo, lambda state: _json_line(store, state), every_s=0.0)
    if sys.stdout.isatty():
        return Bars()
    return PlainLines(click.echo, plain_line)


def _json_line(store: Store, state: JobState) -> str:
    from producer.job_view import job_as_dict

    view = job_as_dict(store, state)
    # It changes with the clock: every poll would print a line.
    del view["idle_s"]
    return json_line(view)


def plain_line(state: JobState) -> str:
    parts = []
    for target, part in state.targets.items():
        counts = part.counts()
        lost = counts.failed + counts.dead
        parts.append(
            f"{target} {counts.images_done:,}/{counts.images:,}"
            + (f" (tasks failed: {lost})" if lost else "")
        )
    return f"{state.manifest.job_id} {state.status}: {', '.join(parts)}"
