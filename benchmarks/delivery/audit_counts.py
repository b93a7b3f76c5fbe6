"""Counts what a job left in its store."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from results.documents import Duplicate, Manifest, load
from results.naming import duplicates_prefix, image_name, images_prefix, job_prefix
from results.records import iter_records
from results.stores.base import Store


@dataclass(frozen=True, slots=True)
class AuditCounts:
    """Numbers over all targets of a job.

    Args:
        tasks: that should have been done.
        lost: tasks without a record, and images that are not there as a record says.
        doubled: images that two records claim, and files beyond those asked for.
        duplicates: deliveries whose work another one had already committed.
        duplicate_images: images that those had generated.
        duplicate_cpu_s: CPU seconds that those took. What a killed process had done is in no meter.
        found_images: images that a delivery found stored by an earlier one, and kept.
        cpu_s: CPU seconds of the work that counts.
    """

    tasks: int
    lost: int
    doubled: int
    duplicates: int
    duplicate_images: int
    duplicate_cpu_s: float
    found_images: int
    cpu_s: float

    @property
    def duplicates_text(self) -> str:
        """What was done twice."""
        return (
            f"work done twice: {self.duplicates} deliveries, {self.duplicate_images} images,"
            f" {self.duplicate_cpu_s:g} CPU seconds beside the {self.cpu_s:g} that count;"
            f" {self.found_images} images of other deliveries were found and kept"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultReport:
    """What came of a job whose delivery was disturbed.

    Args:
        status: the job's.
        wall_s: from submission to the end.
        audit_counts: what was counted in the store.
        kills: who was killed, and after how many recorded tasks.
        unequal_images: images whose bytes differ from those of a run that was not disturbed.
    """

    status: str
    wall_s: float
    audit_counts: AuditCounts
    kills: tuple[str, ...] = ()
    unequal_images: int = 0

    @property
    def sound(self) -> bool:
        """True if the job succeeded and nothing was lost, doubled or changed."""
        counts = self.audit_counts
        return self.status == "succeeded" and counts.lost == counts.doubled == self.unequal_images == 0

    def lines(self) -> list[str]:
        """The same for people."""
        counts = self.audit_counts
        job = f"job {self.status} after {self.wall_s:g} s: {counts.tasks} tasks on both targets together"
        lost = f"lost {counts.lost}, doubled {counts.doubled}"
        return [*(f"killed: {kill}" for kill in self.kills), job, lost, counts.duplicates_text]


def audit_counts(store: Store, manifest: Manifest) -> AuditCounts:
    """Count; every image is read and compared with its record."""
    job = manifest.job_id
    hashes = image_hashes(store, job)
    lost = doubled = found_images = 0
    cpu_s = 0.0
    duplicates: list[Duplicate] = []
    for target in manifest.targets:
        records = [stored.record for stored in iter_records(store, job, target)]
        entries = [image for record in records for image in record.images]
        sound = {
            image.index
            for image in entries
            if hashes.get(_below_job(image_name(job, target, image.index), job)) == image.sha256
        }
        files = sum(1 for _ in store.list(images_prefix(job, target)))
        lost += manifest.task_count - len(records) + manifest.count - len(sound)
        doubled += len(entries) - len({image.index for image in entries}) + max(0, files - manifest.count)
        found_images += sum(record.images_found for record in records)
        cpu_s += sum(record.cpu_user_s + record.cpu_system_s for record in records)
        listed = store.list(duplicates_prefix(job, target))
        duplicates += [load(Duplicate, store.read(info.name), info.name) for info in listed]
    return AuditCounts(
        tasks=manifest.task_count * len(manifest.targets),
        lost=lost,
        doubled=doubled,
        duplicates=len(duplicates),
        duplicate_images=sum(duplicate.images_painted for duplicate in duplicates),
        duplicate_cpu_s=round(
            sum(duplicate.cpu_user_s + duplicate.cpu_system_s for duplicate in duplicates), 3
        ),
        found_images=found_images,
        cpu_s=round(cpu_s, 3),
    )


def image_hashes(store: Store, job_id: str) -> dict[str, str]:
    """SHA-256 of every PNG of a job, by its name below the job: "container/images/00000000.png"."""
    return {
        _below_job(info.name, job_id): hashlib.sha256(store.read(info.name)).hexdigest()
        for info in store.list(job_prefix(job_id))
        if info.name.endswith(".png")
    }


def _below_job(name: str, job_id: str) -> str:
    return name.removeprefix(job_prefix(job_id))
