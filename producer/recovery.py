"""Publish the lost tasks of one job again, on request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from pipeline.errors import RequestError
from producer.celery.lost_tasks import LostTasks, find_lost, pause_between_scans
from producer.celery.queue import CeleryQueue
from producer.publisher import Publisher
from producer.republish import Republication, resume
from results.job_state import JobState
from results.stores.base import Store
from results.target_state import TaskState


def resume_lost(
    store: Store,
    publisher: Publisher,
    queue: CeleryQueue,
    job_id: str,
    stalled_for: timedelta | None = None,
    pause: Callable[[], object] = pause_between_scans,
) -> Republication:
    """Resume a job, give back what dead workers hold, and publish the job's lost tasks too.

    Raises:
        RequestError: the job is cancelled, or was not published through this broker.
        BrokerError, JobNotFound, StoreError: see these classes.
    """

    def lost(state: JobState) -> LostTasks:
        waiting = any(
            next(target.tasks_in([TaskState.PUBLISHED]), None) is not None
            for target in state.targets.values()
        )
        if waiting and job_id not in queue.jobs():
            raise RequestError(
                f"this broker does not know job {job_id}: give the --broker through which it was"
                f" published; if that broker has lost its data, run `diptych resume {job_id} --stalled 0s`"
            )
        return find_lost([state], queue, pause).get(job_id, {})

    given_back = give_back_abandoned(queue, pause)
    return replace(resume(store, publisher, job_id, stalled_for, lost), given_back=given_back)


def give_back_abandoned(queue: CeleryQueue, pause: Callable[[], object]) -> int:
    """Give back what is held by workers that two looks at the broker do not find there; return how much."""
    suspects = queue.abandoned()
    if not suspects:
        return 0
    pause()
    again = queue.abandoned()
    return queue.give_back(tag for holder in suspects for tag in again.get(holder, ()))
