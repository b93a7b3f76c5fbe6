"""A job's records, read once and kept as columns of numbers: 200 bytes per task, however many images."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan

import numpy as np
from numpy.typing import NDArray

from results.comparison import metrics
from results.comparison.metrics import CONDITIONS, condition, unix_s
from results.comparison.parity import ImageCounts
from results.documents import Manifest
from results.job_state import JobState, JobStatus
from results.records import StoredRecord, by_task, is_cold, iter_checked_records
from results.statistics.missing import too_many_missing
from results.stores.base import Store
from results.target_state import TargetCounts
from results.targets import Target


@dataclass(frozen=True, slots=True)
class TargetColumns:
    """One target's records of one job. Rows are tasks, in order; those with found images have no row.

    Args:
        target: whose.
        counts: how its tasks ended.
        left_out: records that found images of an earlier delivery.
        unreadable: records that are damaged or in a wrong place; they are in nothing but this and `counts`.
        why_unreadable: what is wrong with the first of them; empty if there is none.
        images: in all readable records, those left out included.
        publications: numbers of those that left records.
        first_published_s: start of the earliest publication, Unix seconds; NaN without records.
        last_created_s: creation of the last record; NaN without records.
        task: index of each task: int64 [n].
        cold: see `is_cold`: bool [n].
        instance: position in `instances`: int64 [n].
        instances: their ids, in the order of appearance.
        published_s: start of each task's publication, Unix seconds: float64 [n].
        values: of each metric, by its name: float64 [n], NaN where a record has no such value.
        conditions: the values seen of each condition.
    """

    target: Target
    counts: TargetCounts
    left_out: int
    unreadable: int
    why_unreadable: str
    images: int
    publications: frozenset[int]
    first_published_s: float
    last_created_s: float
    task: NDArray[np.int64]
    cold: NDArray[np.bool_]
    instance: NDArray[np.int64]
    instances: tuple[str, ...]
    published_s: NDArray[np.float64]
    values: Mapping[str, NDArray[np.float64]]
    conditions: Mapping[str, frozenset[str]]

    def of(self, name: str, *, cold: bool | None = None) -> NDArray[np.float64]:
        """One metric of all tasks, or of the cold or the warm ones alone: float64 [n].

        Raises:
            KeyError: there is no such metric.
        """
        column = self.values[name]
        return column if cold is None else column[self.cold == cold]

    @property
    def images_per_s(self) -> float | None:
        """Images over the time from the first publication to the last record.

        None without records, and where so many are damaged that it would reflect the damage.
        """
        if too_many_missing(self.unreadable, len(self.task) + self.left_out):
            return None
        wall_s = self.last_created_s - self.first_published_s
        return self.images / wall_s if self.images and wall_s > 0 else None


@dataclass(frozen=True, slots=True)
class JobColumns:
    """What a comparison needs of one job.

    Args:
        manifest: the job's.
        status: of the job, when it was read.
        targets: in the job's order.
        parity: images compared between the first target and each other one.
    """

    manifest: Manifest
    status: JobStatus
    targets: Mapping[Target, TargetColumns]
    parity: tuple[ImageCounts, ...]


def read_columns(
    store: Store, manifest: Manifest, *, on_progress: Callable[[int], None] | None = None
) -> JobColumns:
    """Read all records of a job, once; the targets' records of a task are read side by side.

    Records that are damaged, of a newer schema, or not where they belong are counted and left out.

    Args:
        store: where the job is.
        manifest: the job's.
        on_progress: called with the number of records that have been read since it was called last.
    Raises:
        DocumentError: the note of a later publication is damaged.
        StoreError: the store failed.
    """
    state = JobState(store, manifest)
    state.refresh()
    building = {target: _Building(target) for target in manifest.targets}
    first, *others = manifest.targets
    parity = {other: ImageCounts(manifest.job_id, first, other) for other in others}
    for at_hand in by_task(_sound(store, manifest, of_target) for of_target in building.values()):
        for target, stored in at_hand.items():
            building[target].add(stored)
        for other, images in parity.items():
            if first in at_hand and other in at_hand:
                images.add(at_hand[first].record.images, at_hand[other].record.images)
        if on_progress:
            on_progress(len(at_hand))
    columns = {target: growing.done(state.targets[target].counts()) for target, growing in building.items()}
    return JobColumns(manifest, state.status, columns, tuple(parity.values()))


def _sound(store: Store, manifest: Manifest, of_target: _Building) -> Iterator[StoredRecord]:
    """A target's records; those that cannot be trusted are counted on the way."""
    for info, read in iter_checked_records(store, manifest, of_target.target):
        if isinstance(read, str):
            of_target.add_unreadable(read)
        else:
            yield StoredRecord(read, info.created_at)


@dataclass
class _Building:
    """A target's columns while they grow."""

    target: Target
    left_out: int = 0
    unreadable: int = 0
    why_unreadable: str = ""
    images: int = 0
    publications: set[int] = field(default_factory=set)
    first_published_s: float = nan
    last_created_s: float = nan
    task: array[int] = field(default_factory=lambda: array("q"))
    cold: array[int] = field(default_factory=lambda: array("b"))
    instance: array[int] = field(default_factory=lambda: array("q"))
    instances: dict[str, int] = field(default_factory=dict)
    published_s: array[float] = field(default_factory=lambda: array("d"))
    values: dict[str, array[float]] = field(
        default_factory=lambda: {metric.name: array("d") for metric in metrics.METRICS}
    )
    conditions: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add_unreadable(self, why: str) -> None:
        self.unreadable += 1
        self.why_unreadable = self.why_unreadable or why

    def add(self, stored: StoredRecord) -> None:
        record = stored.record
        published_s, created_s = unix_s(record.publication_started_at), unix_s(stored.created_at)
        self.images += record.image_count
        self.publications.add(record.publication)
        # min and max pass over a NaN that comes second.
        self.first_published_s = min(published_s, self.first_published_s)
        self.last_created_s = max(created_s, self.last_created_s)
        if record.images_found:
            self.left_out += 1
            return
        self.task.append(record.task_index)
        self.cold.append(is_cold(record))
        self.instance.append(self.instances.setdefault(record.instance_id, len(self.instances)))
        self.published_s.append(published_s)
        for metric in metrics.METRICS:
            value = metric.of(stored)
            self.values[metric.name].append(nan if value is None else value)
        for name in CONDITIONS:
            self.conditions[name].add(condition(record, name))

    def done(self, counts: TargetCounts) -> TargetColumns:
        return TargetColumns(
            target=self.target,
            counts=counts,
            left_out=self.left_out,
            unreadable=self.unreadable,
            why_unreadable=self.why_unreadable,
            images=self.images,
            publications=frozenset(self.publications),
            first_published_s=self.first_published_s,
            last_created_s=self.last_created_s,
            task=np.array(self.task, dtype=np.int64),
            cold=np.array(self.cold, dtype=np.bool_),
            instance=np.array(self.instance, dtype=np.int64),
            instances=tuple(self.instances),
            published_s=np.array(self.published_s, dtype=np.float64),
            values={name: np.array(column, dtype=np.float64) for name, column in self.values.items()},
            conditions={name: frozenset(seen) for name, seen in self.conditions.items()},
        )


def seen_conditions(columns: Sequence[TargetColumns], name: str) -> frozenset[str]:
    """The values of a condition that any of these columns has seen."""
    return frozenset[str]().union(*(of_job.conditions.get(name, frozenset()) for of_job in columns))
