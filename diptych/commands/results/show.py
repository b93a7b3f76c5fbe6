"""`diptych results show`: a job, one image, or one task."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf
from typing import Any, Final

import click

from diptych.commands.options import json_line, print_json
from diptych.commands.results.output import (
    image_as_dict,
    measured,
    print_fields,
    record_as_dict,
    size,
    stamp,
)
from pipeline.errors import RequestError
from results.browse import StoredImage, read_image, recorded_entry
from results.comparison import metrics
from results.documents import Manifest
from results.errors import DocumentError, ObjectNotFound
from results.imaging.similarity import psnr_db
from results.job_state import JobState
from results.records import StoredRecord, is_cold, read_record
from results.stores.base import Store
from results.targets import Target

NOT_DONE: Final = "none yet: the task is not done"


def show_job(store: Store, manifest: Manifest, targets: Sequence[Target], as_json: bool) -> None:
    """Print what was asked for and how much of it there is."""
    state = JobState(store, manifest)
    state.refresh()
    counts = {target: state.targets[target].counts() for target in targets}
    done = {
        target: {"tasks": c.tasks, "tasks_done": c.done, "images": c.images, "images_done": c.images_done}
        for target, c in counts.items()
    }
    if as_json:
        return print_json(
            {"manifest": manifest.model_dump(mode="json"), "status": state.status, "targets": done}
        )
    fields: dict[str, object] = {
        "status": state.status,
        "model": f"{manifest.model} ({manifest.resolution}x{manifest.resolution})",
        "model digest": manifest.model_digest,
        "images": f"{manifest.count:,} per target, {manifest.images_per_task} per task",
        "seed": manifest.seed,
        "params": json_line(manifest.params),
        "precision": manifest.precision,
        "submitted": stamp(manifest.submitted_at),
        "store": store.url,
    }
    for target, c in counts.items():
        fields[target] = f"{c.done:,} of {c.tasks:,} tasks, {c.images_done:,} of {c.images:,} images"
    return print_fields(f"job {manifest.job_id}", fields)


def show_image(
    store: Store, manifest: Manifest, targets: Sequence[Target], index: int, as_json: bool
) -> None:
    """Print provenance and hashes of one image on each target, and how similar they are.

    A file whose hash is not the one in its record is called changed, one that is gone is called missing.
    """
    if index >= manifest.count:
        raise RequestError(f"job {manifest.job_id} has the images 0 to {manifest.count - 1}, no {index}")
    images = {target: read_image(store, manifest.job_id, target, index) for target in targets}
    checks = {target: _check(store, manifest, target, index, image) for target, image in images.items()}
    if as_json:
        views = {
            target: image and {**_image_as_dict(image), "record": checks[target]}
            for target, image in images.items()
        }
        return print_json({"job_id": manifest.job_id, "index": index, "targets": views})
    for target, image in images.items():
        if image is None:
            missing = "missing, though its task's record lists it"
            click.echo(
                f"{target}: image {index} is {'not there yet' if checks[target] == NOT_DONE else missing}"
            )
        else:
            print_fields(
                f"{target}: image {index}", {**_image_fields(store, image), "record": checks[target]}
            )
    present = [image for image in images.values() if image]
    for other in present[1:]:
        click.echo(_similarity(present[0], other))
    return None


def show_task(store: Store, manifest: Manifest, targets: Sequence[Target], task: int, as_json: bool) -> None:
    """Print the record of one task on each target."""
    if task >= manifest.task_count:
        raise RequestError(f"job {manifest.job_id} has the tasks 0 to {manifest.task_count - 1}, no {task}")
    records = {target: _record(store, manifest, target, task) for target in targets}
    if as_json:
        views = {target: stored and record_as_dict(stored) for target, stored in records.items()}
        return print_json({"job_id": manifest.job_id, "task": task, "targets": views})
    for target, stored in records.items():
        if stored is None:
            click.echo(f"{target}: task {task} has no record (yet); see `diptych status {manifest.job_id}`")
        else:
            print_fields(f"{target}: task {task}", _record_fields(stored))
    return None


def _record(store: Store, manifest: Manifest, target: Target, task: int) -> StoredRecord | None:
    try:
        return read_record(store, manifest.job_id, target, task)
    except ObjectNotFound:
        return None


def _check(store: Store, manifest: Manifest, target: Target, index: int, image: StoredImage | None) -> str:
    """What the record of its task says of the file, in words."""
    try:
        entry = recorded_entry(store, manifest, target, index)
    except DocumentError as error:
        return str(error)
    if entry is None:
        return NOT_DONE
    return (
        "the same file"
        if image and image.sha256 == entry.sha256
        else "CHANGED: the record has another SHA-256"
    )


def _image_as_dict(image: StoredImage) -> dict[str, Any]:
    return {
        **image_as_dict(image.listed),
        "sha256": image.sha256,
        "pixel_sha256": image.pixel_sha256,
        "height": image.pixels.shape[0],
        "width": image.pixels.shape[1],
        "provenance": image.provenance.model_dump(mode="json"),
    }


def _image_fields(store: Store, image: StoredImage) -> dict[str, object]:
    height, width, _ = image.pixels.shape
    origin = image.provenance
    return {
        "where": f"{store.url}/{image.listed.name}",
        "created": stamp(image.listed.created_at),
        "size": f"{width}x{height}, {size(image.listed.size_bytes)}",
        "sha256": image.sha256,
        "pixel sha256": image.pixel_sha256,
        "model": origin.model,
        "model digest": origin.model_digest,
        "seed, index": f"{origin.seed}, {origin.index}",
        "params": json_line(origin.params),
        "engine": f"{origin.engine}, {origin.precision}, {origin.isa}",
    }


def _similarity(a: StoredImage, b: StoredImage) -> str:
    names = f"{a.listed.target} and {b.listed.target}"
    if a.pixels.shape != b.pixels.shape:
        return f"{names}: of different sizes"
    decibels = psnr_db(a.pixels, b.pixels)
    return f"{names}: {'equal, pixel for pixel' if isinf(decibels) else f'{decibels:.1f} dB PSNR'}"


def _record_fields(stored: StoredRecord) -> dict[str, object]:
    record = stored.record
    values = {
        f"  {metric.short_label}" if metric.part_of else metric.label: measured(metric, stored)
        for metric in metrics.METRICS
    }
    return {
        **values,
        "CPU": f"user {record.cpu_user_s:.2f} s, system {record.cpu_system_s:.2f} s",
        "start": "cold" if is_cold(record) else f"warm, after {record.prior_requests} requests",
        "instance": f"{record.instance_id}, revision {record.worker_revision}",
        "delivery": f"{record.delivery_id}, attempt {record.delivery_attempt or 'unknown'}",
        "engine": f"{record.engine} {record.engine_version}, {record.precision}, {record.isa},"
        f" threads {record.threads}, batch size {record.batch_size}",
        "CPU model": record.cpu_model,
        "images": f"{record.images_painted} generated, {record.images_found} found",
        "recorded": stamp(stored.created_at),
    }
