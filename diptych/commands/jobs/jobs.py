"""`diptych jobs`. What it needs is imported when it runs."""

from __future__ import annotations

import click

from diptych.commands.jobs.output import print_lines
from diptych.commands.options import (
    default_option,
    print_json,
    settings_of,
    store_of,
    store_options,
)


@click.command()
@default_option("--limit", click.IntRange(1), 20, "Number of jobs to list.")
@store_options
def jobs(limit: int, as_json: bool, store_url: str | None) -> None:
    """List the jobs in the store, newest first."""
    from producer.job_list import latest_jobs

    latest = latest_jobs(store_of(settings_of(store_url=store_url)), limit)
    if as_json:
        return print_json([job.as_dict() for job in latest])
    if not latest:
        click.echo("no jobs yet: submit one with `diptych submit -n 16`", err=True)
    return print_lines(job.as_line() for job in latest)
