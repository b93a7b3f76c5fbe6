"""Publishes again what an emulator that died has taken along. The store says what that was."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pipeline.config.settings import Settings
from pipeline.errors import RequestError
from producer.open_publisher import open_publisher
from producer.publisher import Publisher
from producer.republish import publish_again
from producer.text import counted
from results.errors import DocumentError, JobNotFound
from results.job_state import JobState
from results.naming import jobs_prefix, published_prefix
from results.stores.base import Store
from results.target_state import TaskState
from results.targets import Target

_CHUNK: Final = re.compile(r"(\d{3})-(\d{6})-(\d{6})\.json")
_Chunks = dict[int, list[range]]
"""Tasks by publication."""


@dataclass(frozen=True, slots=True)
class Window:
    """When tasks were published that are in no emulator any more.

    Args:
        since: what was published earlier went through another broker; None: nothing did.
        until: by then the present emulator had every topic and subscription.
    """

    since: datetime | None
    until: datetime

    def __contains__(self, at: datetime) -> bool:
        return at < self.until and (self.since is None or at >= self.since)


def republish_lost(store: Store, settings: Settings, window: Window) -> Iterator[str]:
    """Publish the lost tasks of all jobs: those published in the window that have not ended.

    What a worker has in hand at this moment may be generated twice, and is recorded once.

    Args:
        store: where the jobs are.
        settings: with the emulator's topic as its broker.
        window: see Window.
    Yields:
        A line for people for each job that lost something, or that cannot be looked at.
    Raises:
        BrokerError: the emulator does not answer.
        StoreError: the store cannot be read or written.
    """
    with closing(open_publisher(settings)) as publisher:
        for job_id in [*store.list_folders(jobs_prefix())]:
            try:
                yield from _republish_job(store, publisher, job_id, window)
            except JobNotFound:
                continue
            except (DocumentError, RequestError, ValueError) as error:
                yield f"lost tasks of job {job_id} cannot be published again: {error}"


def _republish_job(store: Store, publisher: Publisher, job_id: str, window: Window) -> Iterator[str]:
    chunks = _chunks(store, job_id, window)
    if not chunks:
        return
    state = JobState.of(store, job_id)
    lost = lost_tasks(state, chunks)
    if any(lost.values()):
        done = publish_again(store, publisher, state, lost, lost=lost)
        yield f"job {job_id}: {counted(done.messages, 'task')} published again, which the emulator had lost"


def lost_tasks(state: JobState, chunks: _Chunks) -> dict[Target, set[int]]:
    """Find what waits for a delivery that cannot come: its latest publication is among these chunks.

    Args:
        state: a job's, refreshed after the chunks were listed.
        chunks: the tasks that were published in the window.
    """
    flags = {publication: _flags(state.manifest.task_count, runs) for publication, runs in chunks.items()}
    return {
        name: {
            task
            for task in target.tasks_in([TaskState.PUBLISHED])
            if target.publication(task) in flags and flags[target.publication(task)][task]
        }
        for name, target in state.targets.items()
    }


def _chunks(store: Store, job_id: str, window: Window) -> _Chunks:
    found: _Chunks = defaultdict(list)
    prefix = published_prefix(job_id)
    for info in store.list(prefix):
        match = _CHUNK.fullmatch(info.name, len(prefix))
        if match and info.created_at in window:
            publication, first, last = map(int, match.groups())
            found[publication].append(range(first, last + 1))
    return found


def _flags(task_count: int, runs: list[range]) -> bytearray:
    """One byte per task, so that a million of them cost a megabyte."""
    flags = bytearray(task_count)
    for run in runs:
        run = run[: max(0, task_count - run.start)]
        flags[run.start : run.stop] = b"\x01" * len(run)
    return flags
