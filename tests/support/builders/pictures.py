"""Pictures, provenance and records for the tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from results import naming
from results.documents import JSON_TYPE, Manifest, dump
from results.imaging.png import encode, pixel_sha256
from results.imaging.provenance import Provenance
from results.imaging.stored_images import store_image
from results.record import ImageEntry, Record
from results.stores.base import Store
from results.targets import Target

DIGEST = "sha256:" + "ab" * 32
START = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
JOB = "job-a"


def picture(seed: int, side: int = 16) -> NDArray[np.uint8]:
    """A smooth ramp with noise, like a small photograph: uint8 [side, side, 3]."""
    stream = np.random.RandomState(seed)
    ramp = np.linspace(0, 200, side)[:, None, None] + np.linspace(0, 40, side)[None, :, None]
    noise = stream.normal(0, 3, (side, side, 3))
    return np.clip(ramp + noise + stream.randint(0, 15, 3), 0, 255).astype(np.uint8)


def provenance(index: int = 0, **changes: Any) -> Provenance:
    """Provenance of one image of the job."""
    values: dict[str, Any] = {
        "model": "faces-64",
        "model_digest": DIGEST,
        "seed": 7,
        "index": index,
        "engine": "openvino",
        "precision": "fp32",
        "isa": "avx2",
    }
    return Provenance(**(values | changes))


def manifest(**changes: Any) -> Manifest:
    """A job of 10 images in tasks of 4, for container and function."""
    values: dict[str, Any] = {
        "job_id": JOB,
        "model": "faces-64",
        "model_digest": DIGEST,
        "resolution": 16,
        "count": 10,
        "seed": 7,
        "targets": ("container", "function"),
        "images_per_task": 4,
        "submitted_at": START,
    }
    return Manifest(**(values | changes))


def record(task: int, target: Target, images: tuple[ImageEntry, ...] = (), **changes: Any) -> Record:
    """A record of one task: 2 s of work, received 1 s after the publication started."""
    values: dict[str, Any] = {
        "job_id": JOB,
        "task_index": task,
        "publication": 0,
        "target": target,
        "submitted_at": START,
        "publication_started_at": START,
        "received_at": START + timedelta(seconds=1),
        "finished_at": START + timedelta(seconds=3),
        "instance_started_at": START - timedelta(seconds=5),
        "model_load_s": 0.0,
        "generate_s": 1.5,
        "encode_s": 0.2,
        "store_s": 0.3,
        "process_s": 2.0,
        "cpu_user_s": 1.6,
        "cpu_system_s": 0.4,
        "images_painted": 4,
        "images_found": 0,
        "rss_peak_bytes": 300 * 2**20,
        "cold_start": False,
        "prior_requests": 3,
        "preloaded": False,
        "instance_id": f"{target}-1",
        "delivery_id": f"d{task}",
        "message_id": f"m{task}",
        "worker_revision": "0.1.0",
        "engine": "openvino",
        "engine_version": "2026.1",
        "precision": "fp32",
        "cpu_model": "A CPU",
        "isa": "avx2",
        "threads": 1,
        "batch_size": 8,
        "model": "faces-64",
        "model_digest": DIGEST,
        "seed": 7,
        "image_count": 4,
        "images": images,
    }
    return Record(**(values | changes))


def write_job(store: Store, job: Manifest | None = None) -> Manifest:
    """Write a whole job as the workers would: images first, then the record of each task."""
    job = job or manifest()
    store.create(naming.manifest_name(job.job_id), dump(job), JSON_TYPE)
    for target in job.targets:
        for task in range(job.task_count):
            write_task(store, job, target, task)
    return job


def write_task(store: Store, job: Manifest, target: Target, task: int) -> None:
    """Write one task's images and record."""
    entries = tuple(write_image(store, job, target, index) for index in job.task_range(task))
    done = record(
        task,
        target,
        entries,
        job_id=job.job_id,
        cold_start=task == 0,
        prior_requests=task,
        image_count=len(entries),
        images_painted=len(entries),
    )
    store.create(naming.record_name(job.job_id, target, task), dump(done), JSON_TYPE)


def write_image(store: Store, job: Manifest, target: Target, index: int) -> ImageEntry:
    """Write one image."""
    pixels = picture(index, job.resolution)
    origin = provenance(index, seed=job.seed)
    name = naming.image_name(job.job_id, target, index)
    return store_image(store, name, encode(pixels, origin), origin, 1000 + index, pixel_sha256(pixels))
