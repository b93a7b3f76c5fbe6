"""Publishes lost tasks again: of one job when a user asks, or of all jobs after something died."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

from pipeline.config.settings import Settings
from pipeline.errors import RequestError
from producer.celery.publisher import CeleryPublisher
from producer.celery.queue import CeleryQueue
from producer.lost_tasks import LostTasks, find_lost, pause_between_looks
from producer.publisher import Publisher
from producer.republish import Republication, publish_again, resume
from results.errors import DocumentError, JobNotFound
from results.job_state import JobState, JobStatus
from results.stores.base import Store
from results.target_state import TaskState

_FINAL = (JobStatus.SUCCEEDED, JobStatus.CANCELLED)
"""Ends that no `retry` undoes."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What an audit of all jobs of a broker came to.

    Args:
        jobs: running jobs that were looked at.
        republished: what was published again, by job.
        problems: jobs that could not be audited or published, in a line each.
    """

    jobs: int
    republished: dict[str, Republication]
    problems: tuple[str, ...] = ()

    def as_lines(self) -> list[str]:
        """For people: a line for each job that lost something, and for each problem."""
        found = []
        for job_id, done in self.republished.items():
            tasks = "task" if done.messages == 1 else "tasks"
            found.append(f"job {job_id}: {done.messages:,} lost {tasks} published again")
        return [*found, *self.problems]


def recover_lost(
    store: Store, settings: Settings, pause: Callable[[], object] = pause_between_looks
) -> Recovery:
    """Publish the lost tasks of every running job that was published through this broker.

    Args:
        store: where the jobs are; one that it does not hold is left alone.
        settings: its `broker_url` must be set.
        pause: called between two looks at the broker, if anything seems lost.
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
    pause: Callable[[], object] = pause_between_looks,
) -> Republication:
    """Do what `resume` does, and publish the job's lost tasks too.

    Raises:
        RequestError: the job is cancelled, or was not published through this broker.
        BrokerError, JobNotFound, StoreError: as they say.
    """

    def lost(state: JobState) -> LostTasks:
        waiting = any(
            next(target.tasks_in([TaskState.PUBLISHED]), None) is not None
            for target in state.targets.values()
        )
        if waiting and job_id not in queue.jobs():
            raise RequestError(
                f"this broker knows nothing of job {job_id}: give the --broker that it was published"
                f" through; if that has lost all it held, `diptych resume {job_id} --stalled 0s`"
            )
        return find_lost([state], queue, pause).get(job_id, {})

    return resume(store, publisher, job_id, stalled_for, lost)


def _running_jobs(store: Store, queue: CeleryQueue) -> tuple[list[JobState], list[str]]:
    """The broker's jobs that have not ended, and what is wrong with others. What is final is forgotten."""
    running, problems, final = [], [], []
    for job_id in sorted(queue.jobs()):
        try:
            state = JobState.of(store, job_id)
        except JobNotFound:
            continue  # of another store, whose stack will see to it
        except (DocumentError, ValueError) as error:
            problems.append(f"job {job_id} cannot be audited: {error}")
            continue
        if not state.status.ended:
            running.append(state)
        elif state.status in _FINAL:
            final.append(job_id)
    queue.forget(final)
    return running, problems
