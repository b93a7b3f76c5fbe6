"""Find lost tasks: published and not ended, but with no message in the broker.

kombu's Redis transport pops a message from its list before it records it as unacknowledged; a deliverer or
broker that dies in between loses the message (docs/adr/0006-lost-messages.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from producer.celery.queue import CeleryQueue
from results.job_state import JobState
from results.target_state import TaskState
from results.targets import Target

SCAN_PAUSE_S: Final = 2.0
"""Between two scans: far longer than a healthy deliverer holds a message before recording it."""

LostTasks = dict[Target, set[int]]

_Part = tuple[str, Target]
"""A job's tasks on one target."""


def pause_between_scans() -> None:
    """Wait until messages in transit have arrived."""
    time.sleep(SCAN_PAUSE_S)


def find_lost(
    states: Sequence[JobState], queue: CeleryQueue, pause: Callable[[], object] = pause_between_scans
) -> dict[str, LostTasks]:
    """Find the lost tasks of jobs that were published through this broker.

    A message may be in transit during one scan: just popped, requeued, or acknowledged. A task is lost if two
    scans miss it, the store still lists it as published, and nobody has published it since. A task reported
    lost by mistake costs its work a second time, no more: delivery is at least once.

    Args:
        states: jobs, each refreshed before this call; they are refreshed again if anything seems lost.
        queue: the broker that they were published through.
        pause: called between two scans.
    Returns:
        The lost tasks of each job that has any.
    Raises:
        BrokerError: the broker does not answer.
        StoreError, DocumentError: the store cannot be read.
    """
    seen = _scan(states, queue)
    suspects = {part: tasks for part, tasks in _waiting_unseen(states, seen).items() if tasks}
    if not suspects:
        return {}
    pause()
    suspected = [state for state in states if any(job == state.manifest.job_id for job, _ in suspects)]
    seen = _scan(suspected, queue)
    lost: dict[str, LostTasks] = {}
    for state in suspected:
        state.refresh()
        job_id = state.manifest.job_id
        for name, target in state.targets.items():
            missed = {
                task
                for task, publication in suspects.get((job_id, name), {}).items()
                if not seen[job_id, name][task]
                and target.state(task) is TaskState.PUBLISHED
                and target.publication(task) == publication
            }
            if missed:
                lost.setdefault(job_id, {})[name] = missed
    return lost


def _scan(states: Sequence[JobState], queue: CeleryQueue) -> dict[_Part, bytearray]:
    """Mark the tasks that the broker holds: one byte per task, so that a million cost a megabyte."""
    seen: dict[_Part, bytearray] = {
        (state.manifest.job_id, target): bytearray(state.manifest.task_count)
        for state in states
        for target in state.targets
    }
    for task in queue.tasks(dict.fromkeys(target for _, target in seen)):
        marks = seen.get((task.job_id, task.target))
        if marks is not None and 0 <= task.task_index < len(marks):
            marks[task.task_index] = 1
    return seen


def _waiting_unseen(states: Sequence[JobState], seen: dict[_Part, bytearray]) -> dict[_Part, dict[int, int]]:
    """The published tasks that the scan did not see, with their latest publication."""
    return {
        (state.manifest.job_id, name): {
            task: target.publication(task)
            for task in target.tasks_in([TaskState.PUBLISHED])
            if not seen[state.manifest.job_id, name][task]
        }
        for state in states
        for name, target in state.targets.items()
    }
