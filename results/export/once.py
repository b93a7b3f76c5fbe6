"""A job that several targets generated, each image once: whose images are exported, and how many differ."""

from __future__ import annotations

from results.documents import Manifest
from results.naming import records_prefix
from results.records import iter_checked_records
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
    hashes = _hashes(store, manifest, chosen)
    return {
        other: sum(hashes.get(index, digest) != digest for index, digest in found.items())
        for other in manifest.targets
        if other != chosen and (found := _hashes(store, manifest, other))
    }


def _hashes(store: Store, manifest: Manifest, target: Target) -> dict[int, bytes]:
    return {
        entry.index: bytes.fromhex(entry.sha256)
        for _, record in iter_checked_records(store, manifest, target)
        if not isinstance(record, str)
        for entry in record.images
    }
