"""Publish runs of tasks as messages, in chunks, each marked in the store once acknowledged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pipeline.errors import RequestError
from pipeline.protocol.clock import utc_now
from pipeline.protocol.task_message import TaskMessage
from producer.publisher import Publisher
from results.documents import JSON_TYPE, Manifest, PublishedChunk, dump
from results.errors import ObjectExists, StoreError
from results.naming import MAX_PUBLICATION, published_name
from results.stores.base import Store
from results.targets import Target

CHUNK_TASKS: Final = 500
"""Tasks per marker: the most that a crash can publish twice, and that memory holds at once."""


@dataclass(frozen=True, slots=True)
class Run:
    """Contiguous tasks for the same targets.

    Args:
        first: first task.
        last: last task, inclusive.
    """

    first: int
    last: int
    targets: tuple[Target, ...]

    def chunks(self) -> Iterator[Run]:
        """Split it into runs of at most CHUNK_TASKS tasks."""
        for first in range(self.first, self.last + 1, CHUNK_TASKS):
            yield Run(first, min(first + CHUNK_TASKS - 1, self.last), self.targets)


def all_tasks(manifest: Manifest) -> Run:
    """All tasks of a job as one run."""
    return Run(0, manifest.task_count - 1, manifest.targets)


def publish_runs(
    store: Store, publisher: Publisher, manifest: Manifest, publication: int, runs: Iterable[Run]
) -> int:
    """Publish tasks, chunk by chunk; mark each chunk once the broker has acknowledged it.

    Args:
        publication: 0 for the first submission; each resume or retry has the next number.
        runs: disjoint.
    Returns:
        Messages published: one per task and target.
    Raises:
        BrokerError: the broker failed; marked chunks are safe, `diptych resume` publishes the rest.
        StoreError: a marker could not be written; its tasks are with the broker, and `resume` publishes them
            a second time.
        RequestError: another command is publishing the same job right now.
    """
    if publication > MAX_PUBLICATION:
        raise RequestError(
            f"job {manifest.job_id} was published {publication} times: submit a new job instead"
        )
    started_at, published = utc_now(), 0
    for chunk in (chunk for run in runs for chunk in run.chunks()):
        tasks = range(chunk.first, chunk.last + 1)
        publisher.publish(
            [task_message(manifest, task, publication, started_at, chunk.targets) for task in tasks]
        )
        _mark(store, manifest.job_id, publication, chunk, started_at)
        published += len(tasks) * len(chunk.targets)
    return published


def task_message(
    manifest: Manifest,
    task: int,
    publication: int,
    publication_started_at: datetime,
    targets: tuple[Target, ...],
) -> TaskMessage:
    """Build the message of one task."""
    indices = manifest.task_range(task)
    return TaskMessage(
        job_id=manifest.job_id,
        publication=publication,
        publication_started_at=publication_started_at,
        task_index=task,
        first_index=indices.start,
        image_count=len(indices),
        model=manifest.model,
        model_digest=manifest.model_digest,
        seed=manifest.seed,
        params=manifest.params,
        precision=manifest.precision,
        targets=targets,
        submitted_at=manifest.submitted_at,
    )


def _mark(store: Store, job_id: str, publication: int, chunk: Run, started_at: datetime) -> None:
    marker = PublishedChunk(
        publication=publication,
        first_task=chunk.first,
        last_task=chunk.last,
        targets=chunk.targets,
        publication_started_at=started_at,
        published_at=utc_now(),
    )
    name = published_name(job_id, publication, chunk.first, chunk.last)
    try:
        store.create(name, dump(marker), JSON_TYPE)
    except ObjectExists as error:
        raise RequestError(
            f"another command is publishing job {job_id} right now: see `diptych status {job_id}`"
        ) from error
    except StoreError as error:
        raise StoreError(
            f"{error}; job {job_id} was created: `diptych resume {job_id}` publishes the rest",
            transient=error.transient,
        ) from error
