"""Cancel, resume or retry a submitted job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipeline.errors import RequestError
from pipeline.protocol.clock import utc_now
from producer.publish import Run, publish_runs
from producer.publisher import Publisher
from results.documents import Cancellation, create_once
from results.job_state import JobState, JobStatus, load_manifest
from results.naming import cancelled_name
from results.stores.base import Store
from results.target_state import TargetState, TaskState
from results.targets import Target


@dataclass(frozen=True, slots=True)
class Republication:
    """The tasks that a resume or retry published.

    Args:
        publication: its number; None if nothing was published.
        messages: one per task and target.
        stalled: number of these that had been published before without progress.
        lost: number of these that the broker had lost, by target.
        given_back: messages that dead workers held, put back onto their queues; not among `messages`.
    """

    publication: int | None
    messages: int
    stalled: int = 0
    lost: Mapping[Target, int] = field(default_factory=dict)
    given_back: int = 0


def cancel(store: Store, job_id: str) -> bool:
    """Cancel a job permanently. A task in progress may still commit.

    Returns:
        False if it was already cancelled.
    Raises:
        RequestError: every task has ended already.
        JobNotFound, StoreError: see `load_manifest`.
    """
    state = JobState.of(store, job_id)
    if state.status.ended and state.status is not JobStatus.CANCELLED:
        raise RequestError(f"job {job_id} has ended ({state.status}): nothing to cancel")
    marker = Cancellation(cancelled_at=utc_now())
    return create_once(store, cancelled_name(job_id), marker)


def resume(
    store: Store,
    publisher: Publisher,
    job_id: str,
    stalled_for: timedelta | None = None,
    find_lost: Callable[[JobState], Mapping[Target, AbstractSet[int]]] | None = None,
) -> Republication:
    """Publish the tasks that no broker has acknowledged.

    Args:
        stalled_for: also publish queued and running tasks of a target on which no task has ended, and for
            which none was published, for this long.
        find_lost: also publish the tasks that it returns: those whose messages are lost. It may refresh the
            state.
    Raises:
        RequestError: the job is cancelled.
        BrokerError, JobNotFound, StoreError: see these classes.
    """
    state = open_for_publishing(store, job_id)
    lost = find_lost(state) if find_lost else {}
    stalled = 0
    selected: dict[Target, set[int]] = {}
    for name, target in state.targets.items():
        selected[name] = {*target.tasks_in([TaskState.UNPUBLISHED]), *lost.get(name, ())}
        if stalled_for is not None and _is_stalled(state, target, utc_now() - stalled_for):
            waiting = set(target.tasks_in([TaskState.PUBLISHED])) - selected[name]
            stalled += len(waiting)
            selected[name] |= waiting
    return publish_again(store, publisher, state, selected, stalled, lost)


def retry(store: Store, publisher: Publisher, job_id: str) -> Republication:
    """Publish failed and dead-lettered tasks again; raises the same as `resume`."""
    state = open_for_publishing(store, job_id)
    ended = (TaskState.FAILED, TaskState.DEAD)
    selected = {name: set(target.tasks_in(ended)) for name, target in state.targets.items()}
    return publish_again(store, publisher, state, selected)


def publish_again(
    store: Store,
    publisher: Publisher,
    state: JobState,
    selected: Mapping[Target, AbstractSet[int]],
    stalled: int = 0,
    lost: Mapping[Target, AbstractSet[int]] | None = None,
) -> Republication:
    """Publish tasks of a job as a new publication.

    Args:
        state: the job's state, refreshed.
        selected: the tasks, by target.
        stalled: the number of stalled ones, for the report.
        lost: the lost ones, for the report.
    Raises:
        RequestError: another command is publishing the job right now.
        BrokerError, StoreError: see these classes.
    """
    runs = runs_of(
        state.manifest.task_count,
        lambda task: tuple(target for target, tasks in selected.items() if task in tasks),
    )
    if not runs:
        return Republication(None, 0)
    publication = state.next_publication()
    messages = publish_runs(store, publisher, state.manifest, publication, runs)
    counts = {target: len(tasks) for target, tasks in (lost or {}).items()}
    return Republication(publication, messages, stalled, counts)


def runs_of(task_count: int, targets_of: Callable[[int], tuple[Target, ...]]) -> list[Run]:
    """Group consecutive tasks with the same targets into runs; tasks without targets are skipped."""
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
        raise RequestError(f"job {job_id} is cancelled permanently: submit a new job")
    return state


def _is_stalled(state: JobState, target: TargetState, since: datetime) -> bool:
    """True if no task was published, and none ended on this target, since then."""
    times = [time for time in (state.published_at, target.last_progress_at) if time]
    return all(time < since for time in times)
