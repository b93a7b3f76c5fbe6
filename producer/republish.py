"""What a user does to a job after submitting it: cancel it, resume it, retry it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipeline.errors import RequestError
from pipeline.protocol.clock import utc_now
from producer.publish import Run, publish_runs
from producer.publisher import Publisher
from results.documents import Cancellation, Target, create_once
from results.job_state import JobState, JobStatus, load_manifest
from results.naming import cancelled_name
from results.stores.base import Store
from results.target_state import TargetState, TaskState


@dataclass(frozen=True, slots=True)
class Republication:
    """What a resume or retry published.

    Args:
        publication: its number; None if there was nothing to do.
        messages: one per task and target.
        stalled: of these, how many had been published before without progress.
        lost: of these, how many the broker had lost, by target.
    """

    publication: int | None
    messages: int
    stalled: int = 0
    lost: Mapping[Target, int] = field(default_factory=dict)


def cancel(store: Store, job_id: str) -> bool:
    """End a job for good. What is in flight may still commit.

    Returns:
        False if it had been cancelled before.
    Raises:
        RequestError: every task has ended already.
        JobNotFound, StoreError: see `load_manifest`.
    """
    state = JobState.of(store, job_id)
    if state.status.ended and state.status is not JobStatus.CANCELLED:
        raise RequestError(f"job {job_id} has ended ({state.status}): there is nothing to cancel")
    marker = Cancellation(cancelled_at=utc_now())
    return create_once(store, cancelled_name(job_id), marker)


def resume(
    store: Store,
    publisher: Publisher,
    job_id: str,
    stalled_for: timedelta | None = None,
    find_lost: Callable[[JobState], Mapping[Target, AbstractSet[int]]] | None = None,
) -> Republication:
    """Publish the tasks that no broker acknowledged.

    Args:
        stalled_for: publish also what is queued or running on a target on which nothing ended, and for
            which nothing was published, for this long.
        find_lost: publish also what it finds: tasks whose messages are gone. It may refresh the state.
    Raises:
        RequestError: the job is cancelled.
        BrokerError, JobNotFound, StoreError: as they say.
    """
    state = open_for_publishing(store, job_id)
    lost = find_lost(state) if find_lost else {}
    stalled = 0
    wanted: dict[Target, set[int]] = {}
    for name, target in state.targets.items():
        wanted[name] = {*target.tasks_in([TaskState.UNPUBLISHED]), *lost.get(name, ())}
        if stalled_for is not None and _is_stalled(state, target, utc_now() - stalled_for):
            waiting = set(target.tasks_in([TaskState.PUBLISHED])) - wanted[name]
            stalled += len(waiting)
            wanted[name] |= waiting
    return publish_again(store, publisher, state, wanted, stalled, lost)


def retry(store: Store, publisher: Publisher, job_id: str) -> Republication:
    """Publish failed and dead-lettered tasks again; raises as `resume`."""
    state = open_for_publishing(store, job_id)
    ended = (TaskState.FAILED, TaskState.DEAD)
    wanted = {name: set(target.tasks_in(ended)) for name, target in state.targets.items()}
    return publish_again(store, publisher, state, wanted)


def publish_again(
    store: Store,
    publisher: Publisher,
    state: JobState,
    wanted: Mapping[Target, AbstractSet[int]],
    stalled: int = 0,
    lost: Mapping[Target, AbstractSet[int]] | None = None,
) -> Republication:
    """Publish tasks of a job as a publication of their own.

    Args:
        state: the job's, refreshed.
        wanted: the tasks, by target.
        stalled: how many of them are stalled, for the report.
        lost: those of them that are lost, for the report.
    Raises:
        RequestError: another command is publishing the job at this moment.
        BrokerError, StoreError: as they say.
    """
    runs = runs_of(
        state.manifest.task_count,
        lambda task: tuple(target for target, tasks in wanted.items() if task in tasks),
    )
    if not runs:
        return Republication(None, 0)
    publication = state.next_publication()
    messages = publish_runs(store, publisher, state.manifest, publication, runs)
    counts = {target: len(tasks) for target, tasks in (lost or {}).items()}
    return Republication(publication, messages, stalled, counts)


def runs_of(task_count: int, targets_of: Callable[[int], tuple[Target, ...]]) -> list[Run]:
    """Group tasks into runs of neighbours that go to the same targets; those that go to none are left out."""
    runs: list[Run] = []
    for task in range(task_count):
        targets = targets_of(task)
        if not targets:
            continue
        if runs and runs[-1].last == task - 1 and runs[-1].targets == targets:
            runs[-1] = Run(runs[-1].first, task, targets)
        else:
            runs.append(Run(task, task, targets))
    return runs


def open_for_publishing(store: Store, job_id: str) -> JobState:
    """Read a job's state. Raises RequestError if it is cancelled; JobNotFound, StoreError."""
    store.check()
    state = JobState(store, load_manifest(store, job_id))
    state.refresh()
    if state.cancelled:
        raise RequestError(f"job {job_id} is cancelled, and that is final: submit a new job")
    return state


def _is_stalled(state: JobState, target: TargetState, since: datetime) -> bool:
    """True if nothing was published, and nothing ended on this target, since then."""
    times = [time for time in (state.published_at, target.last_progress_at) if time]
    return all(time < since for time in times)
