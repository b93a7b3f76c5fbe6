"""A job that several targets generated, each image once: whose images are exported, and how many differ."""

from __future__ import annotations

from collections.abc import Iterator

from results.comparison.parity import ImageCounts
from results.documents import Manifest
from results.naming import records_prefix
from results.records import StoredRecord, by_task, iter_checked_records
from results.stores.base import Store
from results.targets import Target


def fullest_target(store: Store, manifest: Manifest) -> Target:
    """The target with the most records; of equal ones the first of the job's."""
    counts = {
        target: sum(1 for _ in store.list(records_prefix(manifest.job_id, target)))
        for target in manifest.targets
    }
    return max(manifest.targets, key=lambda target: counts[target])


def differing_images(store: Store, manifest: Manifest, chosen: Target) -> dict[Target, int]:
    """How many images of each other target are not, byte for byte, those of `chosen`, by their records."""
    counts = {
        other: ImageCounts(manifest.job_id, chosen, other) for other in manifest.targets if other != chosen
    }
    for of_task in by_task(_sound(store, manifest, target) for target in manifest.targets):
        for other, images in counts.items():
            if chosen in of_task and other in of_task:
                images.add(of_task[chosen].record.images, of_task[other].record.images)
    return {other: images.images - images.same_bytes for other, images in counts.items()}


def _sound(store: Store, manifest: Manifest, target: Target) -> Iterator[StoredRecord]:
    for info, read in iter_checked_records(store, manifest, target):
        if not isinstance(read, str):
            yield StoredRecord(read, info.created_at)
