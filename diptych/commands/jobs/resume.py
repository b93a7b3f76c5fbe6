"""`diptych resume`. What it needs is imported when it runs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from diptych.commands.jobs.output import show_republication
from diptych.commands.options import (
    DURATION,
    broker_options,
    job_argument,
    open_store_of,
)

if TYPE_CHECKING:
    from pipeline.config.settings import Settings
    from producer.publisher import Publisher
    from producer.republish import Republication
    from results.stores.base import Store


@click.command()
@job_argument
@click.option(
    "--stalled",
    type=DURATION,
    metavar="AGE",
    help="Also publish waiting tasks of a target that has finished none for AGE (90s, 10m, 2h).",
)
@click.option(
    "--lost",
    is_flag=True,
    help="Also publish waiting tasks that are neither in the broker's queue nor held by a worker: both are"
    " searched, and again 2 s later if a task is missing. Queued and running tasks are not published again.",
)
@broker_options
def resume(job_id: str, stalled: timedelta | None, lost: bool, as_json: bool, **place: str | None) -> None:
    """Publish tasks that never reached the broker; with an option, stalled or lost ones too.

    A running `diptych up` does what --lost does by itself, every few seconds. --lost
    applies to Redis only: Pub/Sub keeps every message that it has accepted until a target acknowledges it.

    \b
    diptych resume faces-64-20261124-235512-x7k2 --lost
    diptych resume faces-64-20261124-235512-x7k2 --stalled 10m
    """
    from producer.open_publisher import republishing
    from producer.republish import resume as resume_job

    settings, store = open_store_of(job_id, **place)
    if lost:
        done = republishing(
            settings, lambda publisher: _resume_lost(store, publisher, settings, job_id, stalled)
        )
    else:
        done = republishing(settings, lambda publisher: resume_job(store, publisher, job_id, stalled))
    nothing = "no task is unpublished or lost" if lost else "no task is unpublished"
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
