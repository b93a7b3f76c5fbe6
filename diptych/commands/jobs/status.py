"""`diptych status`. What it needs is imported when it runs."""

from __future__ import annotations

import click

from diptych.commands.jobs.output import print_lines
from diptych.commands.options import (
    job_argument,
    open_store_of,
    print_json,
    store_options,
)


@click.command()
@job_argument
@store_options
def status(job_id: str, as_json: bool, store_url: str | None) -> None:
    """Show a job's progress, its failures with their causes, and what to do about them.

    \b
    diptych status faces-64-20261124-235512-x7k2
    """
    from pipeline.config.run_file import find_run_file
    from producer.health.stack_health import job_faults
    from producer.job_view import job_as_dict, job_as_lines
    from results.job_state import JobState

    settings, store = open_store_of(job_id, store_url=store_url)
    state = JobState.of(store, job_id)
    faults = [fault.as_dict() for fault in job_faults(settings, state, find_run_file())]
    view = job_as_dict(store, state) | {"faults": faults}
    if as_json:
        return print_json(view)
    return print_lines(job_as_lines(view, settings.broker_url))
