"""Reading records, and the values that are derived from them (the design's section 6)."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import groupby
from typing import Final

from results.documents import Manifest, load
from results.errors import DocumentError, ObjectNotFound
from results.naming import record_name, records_prefix
from results.parallel import map_in_order
from results.record import Record
from results.stores.base import ObjectInfo, Store
from results.targets import Target

_log = logging.getLogger(__name__)
_RECORD: Final = re.compile(r"([0-9]{6})\.json")


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record, and when the store says that it came to be.

    Args:
        record: what the worker wrote.
        created_at: the store's own creation time, aware UTC.
    """

    record: Record
    created_at: datetime


def read_record(store: Store, job_id: str, target: Target, task_index: int) -> StoredRecord:
    """Read one task's record.

    Raises:
        ObjectNotFound: the task is not done.
        DocumentError: the record is damaged.
        StoreError: the store failed.
    """
    name = record_name(job_id, target, task_index)
    info = store.stat(name)
    if info is None:
        raise ObjectNotFound(name)
    return _read(store, info)


def iter_records(
    store: Store,
    job_id: str,
    target: Target,
    *,
    after_task: int | None = None,
    left_out: Callable[[str], None] = _log.warning,
) -> Iterator[StoredRecord]:
    """Yield a target's records in the order of their tasks, read ahead by a few threads.

    A damaged record ends nothing.

    Args:
        store: where they are.
        job_id: the job.
        target: who wrote them.
        after_task: begin behind this task.
        left_out: told in a line of each record that is damaged, or gone since it was listed.
    Raises:
        StoreError: the store failed.
    """
    after = None if after_task is None else record_name(job_id, target, after_task)
    infos = store.list(records_prefix(job_id, target), after=after)
    for stored in map_in_order(lambda info: _read_or_why(store, info), infos):
        if isinstance(stored, StoredRecord):
            yield stored
        else:
            left_out(stored)


def iter_checked_records(
    store: Store, manifest: Manifest, target: Target
) -> Iterator[tuple[ObjectInfo, Record | str]]:
    """Yield a target's records in the order of their tasks; those that cannot be trusted end nothing.

    Args:
        store: where they are.
        manifest: the job's.
        target: who wrote them.
    Returns:
        Where each record is, and with it the record, made sure to be of this job, target and task, or in a
        line what is wrong with it: it is damaged, of a newer schema, of another place, or gone.
    Raises:
        StoreError: the store failed.
    """
    prefix = records_prefix(manifest.job_id, target)
    infos = (info for info in store.list(prefix) if _RECORD.fullmatch(info.name, len(prefix)))
    return map_in_order(lambda info: (info, _read_checked(store, manifest, target, info)), infos)


def by_task(streams: Iterable[Iterator[StoredRecord]]) -> Iterator[dict[Target, StoredRecord]]:
    """Yield the records of each task, by target, from a stream for each target in the order of tasks.

    Holds a few records of each target, however many there are.
    """
    for _, of_task in groupby(merge(*streams, key=_task_index), key=_task_index):
        yield {stored.record.target: stored for stored in of_task}


def is_cold(record: Record) -> bool:
    """True for the first task that its instance generated: the load of the model belongs to it.

    What an instance only acknowledged before (`prior_requests`: meant for another target, done already,
    cancelled) generated nothing, and left the load to this task.
    """
    return record.cold_start


def round_trip_s(record: Record, created_at: datetime) -> float:
    """From the start of the publication to the store's creation time of the record.

    The two stamps may be of two clocks: across machines it is as good as their agreement.
    """
    return (created_at - record.publication_started_at).total_seconds()


def latency_s(record: Record, created_at: datetime) -> float:
    """Round trip minus process time: queueing, delivery, start-up, visibility."""
    return round_trip_s(record, created_at) - record.process_s


def process_without_load_s(record: Record) -> float:
    """Process time without the model's load, which only a cold task pays."""
    return max(record.process_s - record.model_load_s, 0.0)


def cpu_s_per_image(record: Record) -> float | None:
    """CPU seconds, user and system, per generated image; None if none was generated."""
    if not record.images_painted:
        return None
    return (record.cpu_user_s + record.cpu_system_s) / record.images_painted


def _task_index(stored: StoredRecord) -> int:
    return stored.record.task_index


def _read_checked(store: Store, manifest: Manifest, target: Target, info: ObjectInfo) -> Record | str:
    task, tasks = int(info.name[-11:-5]), manifest.task_count
    if task >= tasks:
        return f"{info.name} is of task {task}, and the job's last one is {tasks - 1}"
    try:
        record = load(Record, store.read(info.name), info.name)
    except DocumentError as error:
        return str(error)
    except ObjectNotFound:
        return f"{info.name} is gone since it was listed"
    if (record.job_id, record.target, record.task_index) != (manifest.job_id, target, task):
        return (
            f"{info.name} says that it is task {record.task_index} of {record.target} in job"
            f" {record.job_id}: it has been moved or edited"
        )
    indices = {entry.index for entry in record.images}
    if len(indices) < len(record.images) or indices.difference(manifest.task_range(task)):
        return f"{info.name} lists images that are not its task's, or one of them twice: it was edited"
    return record


def _read_or_why(store: Store, info: ObjectInfo) -> StoredRecord | str:
    try:
        return _read(store, info)
    except (DocumentError, ObjectNotFound) as error:
        return str(error)


def _read(store: Store, info: ObjectInfo) -> StoredRecord:
    return StoredRecord(load(Record, store.read(info.name), info.name), info.created_at)
