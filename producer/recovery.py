"""Publish lost tasks again: of one job on request, or of all jobs after a crash."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

from pipeline.config.settings import Settings
from pipeline.errors import RequestError
from producer.celery.lost_tasks import LostTasks, find_lost, pause_between_scans
from producer.celery.publisher import CeleryPublisher
from producer.celery.queue import CeleryQueue
from producer.publisher import Publisher
from producer.republish import Republication, publish_again, resume
from producer.text import counted
from results.errors import DocumentError, JobNotFound
from results.job_state import JobState, JobStatus
from results.stores.base import Store
from results.target_state import TaskState

_FINAL = (JobStatus.SUCCEEDED, JobStatus.CANCELLED)
"""Final states, which no `retry` changes."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """The result of an audit of all jobs of a broker.

    Args:
        jobs: number of running jobs audited.
        republished: tasks published again, by job.
        problems: one line per job that could not be audited or published.
    """

    jobs: int
    republished: dict[str, Republication]
    problems: tuple[str, ...] = ()

    def as_lines(self) -> list[str]:
        """A line for each job with lost tasks, and for each problem."""
        lines = [
            f"job {job_id}: {counted(done.messages, 'lost task')} published again"
            for job_id, done in self.republished.items()
        ]
        return [*lines, *self.problems]


def recover_lost(
    store: Store, settings: Settings, pause: Callable[[], object] = pause_between_scans
) -> Recovery:
    """Publish the lost tasks of every running job that was published through this broker.

    Args:
        store: where the jobs are stored; jobs of other stores are ignored.
        settings: `broker_url` must be set.
        pause: called between two scans of the broker, if a task seems lost.
    Raises:
        BrokerError: the broker does not answer.
        StoreError: the store cannot be read or written.
    """
    with closing(CeleryQueue(settings)) as queue, closing(CeleryPublisher(settings)) as publisher:
        running, problems = _running_jobs(store, queue)
        lost = find_lost(running, queue, pause)
        republished: dict[str, Republication] = {}
        for state in running:
            job_id = state.manifest.job_id
            if job_id not in lost:
                continue
            try:
                republished[job_id] = publish_again(store, publisher, state, lost[job_id], lost=lost[job_id])
            except RequestError as error:
                problems.append(str(error))
    return Recovery(len(running), republished, tuple(problems))


def resume_lost(
    store: Store,
    publisher: Publisher,
    queue: CeleryQueue,
    job_id: str,
    stalled_for: timedelta | None = None,
    pause: Callable[[], object] = pause_between_scans,
) -> Republication:
    """Resume a job, and publish its lost tasks too.

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

    return resume(store, publisher, job_id, stalled_for, lost)


def _running_jobs(store: Store, queue: CeleryQueue) -> tuple[list[JobState], list[str]]:
    """Read the broker's running jobs, and problems with others; the broker forgets the final ones."""
    running, problems, final = [], [], []
    for job_id in sorted(queue.jobs()):
        try:
            state = JobState.of(store, job_id)
        except JobNotFound:
            continue  # of another store, whose own stack audits it
        except (DocumentError, ValueError) as error:
            problems.append(f"job {job_id} could not be audited: {error}")
            continue
        if not state.status.ended:
            running.append(state)
        elif state.status in _FINAL:
            final.append(job_id)
    queue.forget(final)
    return running, problems
