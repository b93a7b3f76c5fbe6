"""`diptych retry`. What it needs is imported when it runs."""

from __future__ import annotations

import click

from diptych.commands.jobs.output import show_republication
from diptych.commands.options import (
    broker_options,
    job_argument,
    open_store_of,
)


@click.command()
@job_argument
@broker_options
def retry(job_id: str, as_json: bool, **place: str | None) -> None:
    """Publish a job's failed and dead-lettered tasks again."""
    from producer.open_publisher import republishing
    from producer.republish import retry as retry_job

    settings, store = open_store_of(job_id, **place)
    done = republishing(settings, lambda publisher: retry_job(store, publisher, job_id))
    show_republication(job_id, done, as_json, nothing="no task has failed", again=True)
