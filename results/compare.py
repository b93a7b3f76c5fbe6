"""What one job says about its targets, side by side. One run describes; it does not prove."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import exp, log
from statistics import fmean, median
from typing import Final

from results.documents import Document, Manifest, Target
from results.job_state import load_manifest
from results.record import Record
from results.records import (
    StoredRecord,
    cpu_s_per_image,
    iter_records,
    latency_s,
    process_without_load_s,
    round_trip_s,
)
from results.stores.base import Store

NOTE: Final = "one run: descriptive"

_SERVERS: Final[Mapping[Target, str]] = {
    "container": "gunicorn",
    "function": "functions-framework",
    "celery": "Celery worker",
}
_CONDITIONS: Final = (
    *("engine", "engine_version", "precision", "isa", "cpu_model", "threads", "batch_size", "preloaded"),
    "model_digest",
)
_QUANTITIES: Final[Mapping[str, Callable[[StoredRecord], float | None]]] = {
    "round_trip_s": lambda stored: round_trip_s(stored.record, stored.created_at),
    "process_s": lambda stored: stored.record.process_s,
    "process_without_load_s": lambda stored: process_without_load_s(stored.record),
    "latency_s": lambda stored: latency_s(stored.record, stored.created_at),
    "cpu_s_per_image": lambda stored: cpu_s_per_image(stored.record),
}
_RATIOS: Final = ("round_trip_s", "process_s", "latency_s", "cpu_s_per_image")


class Spread(Document):
    """A sample of one quantity."""

    n: int
    median: float
    minimum: float
    maximum: float


class TaskGroup(Document):
    """Tasks that may be pooled: all cold, or all warm. A quantity is None if there is no task."""

    tasks: int
    round_trip_s: Spread | None = None
    process_s: Spread | None = None
    process_without_load_s: Spread | None = None
    latency_s: Spread | None = None
    cpu_s_per_image: Spread | None = None


class TargetSummary(Document):
    """What one target did in the job.

    Args:
        target: who.
        server: what served it.
        tasks: records there are.
        left_out: those of them that found images of an earlier delivery: their times are not whole.
        instances: instances that served the rest.
        cold: the first task that each instance served.
        warm: all others.
        rss_peak_bytes: the highest of the rest; None if there is no rest.
    """

    target: Target
    server: str
    tasks: int
    left_out: int
    instances: int
    cold: TaskGroup
    warm: TaskGroup
    rss_peak_bytes: int | None


class Ratio(Document):
    """Geometric mean of first / second over the tasks that were warm on both; None if there are none."""

    quantity: str
    first: Target
    second: Target
    pairs: int
    geometric_mean: float | None


class Comparison(Document):
    """One job's targets, side by side.

    Args:
        differences: conditions that were not equal on all targets, so that the figures may tell of them.
    """

    title: str
    note: str = NOTE
    job_id: str
    model: str
    image_count: int
    images_per_task: int
    targets: tuple[TargetSummary, ...]
    ratios: tuple[Ratio, ...]
    differences: tuple[str, ...]


def compare_job(store: Store, job_id: str) -> Comparison:
    """Summarise what a job's records say of its targets.

    Raises:
        ValueError: the name cannot be a job's.
        JobNotFound: there is no such job.
        DocumentError: the manifest or a record is damaged.
        StoreError: the store failed.
    """
    manifest = load_manifest(store, job_id)
    records = {target: [*map(_light, iter_records(store, job_id, target))] for target in manifest.targets}
    kept = {target: [*_whole(of_target)] for target, of_target in records.items()}
    return Comparison(
        title=_title(store.url, manifest),
        job_id=job_id,
        model=manifest.model,
        image_count=manifest.count,
        images_per_task=manifest.images_per_task,
        targets=tuple(_summary(t, len(records[t]), kept[t]) for t in manifest.targets),
        ratios=_ratios(kept),
        differences=_differences({t: [stored.record for stored in kept[t]] for t in manifest.targets}),
    )


def _title(store_url: str, manifest: Manifest) -> str:
    """Only a store in a directory tells for sure that all ran on this machine."""
    if store_url.startswith("file:"):
        return " against ".join(_SERVERS[target] for target in manifest.targets) + " on this machine"
    return " against ".join(manifest.targets)


def _light(stored: StoredRecord) -> StoredRecord:
    """Without the entries of its images, which are most of it: a big job's records must fit into memory."""
    return StoredRecord(stored.record.model_copy(update={"images": ()}), stored.created_at)


def _whole(records: Iterable[StoredRecord]) -> Iterable[StoredRecord]:
    return (stored for stored in records if not stored.record.images_found)


def _summary(target: Target, tasks: int, kept: Sequence[StoredRecord]) -> TargetSummary:
    return TargetSummary(
        target=target,
        server=_SERVERS[target],
        tasks=tasks,
        left_out=tasks - len(kept),
        instances=len({stored.record.instance_id for stored in kept}),
        cold=_group([stored for stored in kept if stored.record.cold_start]),
        warm=_group([stored for stored in kept if not stored.record.cold_start]),
        rss_peak_bytes=max((stored.record.rss_peak_bytes for stored in kept), default=None),
    )


def _group(records: Sequence[StoredRecord]) -> TaskGroup:
    spreads = {name: _spread([*map(quantity, records)]) for name, quantity in _QUANTITIES.items()}
    return TaskGroup(tasks=len(records), **spreads)


def _spread(values: Iterable[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Spread(n=len(known), median=median(known), minimum=min(known), maximum=max(known))


def _ratios(kept: Mapping[Target, Sequence[StoredRecord]]) -> tuple[Ratio, ...]:
    """Every later target is compared with the first one, task by task."""
    first, *others = kept
    warm = {
        target: {s.record.task_index: s for s in records if not s.record.cold_start}
        for target, records in kept.items()
    }
    return tuple(_ratio(name, first, second, warm) for second in others for name in _RATIOS)


def _ratio(
    name: str, first: Target, second: Target, warm: Mapping[Target, Mapping[int, StoredRecord]]
) -> Ratio:
    quantity = _QUANTITIES[name]
    both = warm[first].keys() & warm[second].keys()
    pairs = [(quantity(warm[first][task]), quantity(warm[second][task])) for task in sorted(both)]
    # Clocks that disagree can make a latency negative, and that has no logarithm.
    logs = [log(a / b) for a, b in pairs if a and b and a > 0 and b > 0]
    mean = exp(fmean(logs)) if logs else None
    return Ratio(quantity=name, first=first, second=second, pairs=len(logs), geometric_mean=mean)


def _differences(records: Mapping[Target, Sequence[Record]]) -> tuple[str, ...]:
    found = []
    for condition in _CONDITIONS:
        values: dict[Target, set[str]] = defaultdict(set)
        for target, of_target in records.items():
            values[target] |= {str(getattr(record, condition)) for record in of_target}
        if len(set().union(*values.values())) > 1:
            told = (f"{target} {' or '.join(sorted(seen))}" for target, seen in values.items() if seen)
            found.append(f"{condition}: {', '.join(told)}")
    return tuple(found)
