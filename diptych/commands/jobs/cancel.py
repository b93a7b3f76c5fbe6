"""`diptych cancel`. What it needs is imported when it runs."""

from __future__ import annotations

import click

from diptych.commands.options import (
    job_argument,
    open_store_of,
    print_json,
    store_options,
)


@click.command()
@job_argument
@store_options
def cancel(job_id: str, as_json: bool, store_url: str | None) -> None:
    """Cancel a job permanently. Workers stop at their next batch; stored images are kept."""
    from producer.republish import cancel as cancel_job

    _, store = open_store_of(job_id, store_url=store_url)
    now = cancel_job(store, job_id)
    if as_json:
        return print_json({"job_id": job_id, "cancelled_now": now})
    return click.echo(f"job {job_id} {'cancelled' if now else 'was already cancelled'}")
