"""The details of one image, on every target of its job."""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.documents import Manifest
from results.errors import DocumentError, ImageError, ObjectNotFound
from results.imaging.png import decode, pixel_sha256, read_provenance
from results.naming import image_name
from results.parallel import map_in_order
from results.record import ImageEntry
from results.records import StoredRecord, read_record
from results.stores.base import Store
from results.targets import Target
from webpage.views.similarity import image_similarity
from webpage.views.task_row import row_of


@dataclass(frozen=True, slots=True)
class ImageSide:
    """One target's image, as far as it can be read.

    Args:
        state: "ok", "missing", "damaged", or "changed": it is not the one that its record lists.
        message: why it is not "ok".
        facts: what is known, ready for JSON.
        pixels: uint8 [H, W, 3]; None if they cannot be read.
    """

    state: str
    message: str
    facts: dict[str, Any]
    pixels: NDArray[np.uint8] | None


def image_detail(store: Store, manifest: Manifest, index: int) -> dict[str, Any]:
    """Read one image on all targets.

    Args:
        index: 0..count-1.
    Raises:
        StoreError: the store failed.
    """
    sides = dict(
        zip(
            manifest.targets,
            map_in_order(lambda target: read_side(store, manifest, target, index), manifest.targets),
            strict=True,
        )
    )
    return {
        "job_id": manifest.job_id,
        "index": index,
        "task": index // manifest.images_per_task,
        "targets": {
            target: {"state": side.state, "message": side.message, **side.facts}
            for target, side in sides.items()
        },
        "similarity": _similarity([*sides.values()][:2]),
        "commands": commands(manifest, index),
    }


def read_side(store: Store, manifest: Manifest, target: Target, index: int) -> ImageSide:
    """Read one target's image and its record. Raises StoreError."""
    name = image_name(manifest.job_id, target, index)
    stored, entry, problem = _recorded(store, manifest, target, index)
    facts: dict[str, Any] = {"object": f"{store.url.partition('?')[0]}/{name}"}
    if stored:
        facts["row"] = row_of(stored)
        facts["worker"] = _worker(stored)
    if entry:
        facts["seed"] = str(entry.seed)
        facts["found"] = entry.found
    try:
        png = store.read(name)
    except ObjectNotFound:
        gone = "its record lists it, but the PNG is gone" if entry else problem or "not generated yet"
        return ImageSide("missing", gone, facts, None)
    facts |= {"bytes": len(png), "sha256": hashlib.sha256(png).hexdigest()}
    try:
        pixels = decode(png)
        facts |= {"height": pixels.shape[0], "width": pixels.shape[1], "pixel_sha256": pixel_sha256(pixels)}
        origin = read_provenance(png)
        facts["provenance"] = origin.model_dump(mode="json") | {"seed": str(origin.seed)}
    except ImageError as error:
        return ImageSide("damaged", str(error), facts, None)
    if entry and entry.sha256 != facts["sha256"]:
        facts["recorded_sha256"] = entry.sha256
        changed = "this is not the PNG that its record lists: it was changed since"
        return ImageSide("changed", changed, facts, pixels)
    return ImageSide("ok", problem, facts, pixels)


def commands(manifest: Manifest, index: int) -> list[dict[str, str]]:
    """What to type to have the image generated again."""
    job, target = manifest.job_id, manifest.targets[0]
    png = f"{job}/{target}/images/{index:08d}.png"
    return [
        {
            "what": "Fetch the images, regenerate this one from what it carries, and compare",
            "command": f"diptych results download {job} -o {job} && diptych results verify {png}",
        },
        {"what": "Generate the whole job again under a new name", "command": submit_command(manifest)},
    ]


def submit_command(manifest: Manifest) -> str:
    """The command that asks for the same images again."""
    words = ["diptych", "submit", "-n", str(manifest.count), "-m", manifest.model]
    words += ["--seed", str(manifest.seed), "--precision", manifest.precision]
    words += ["--images-per-task", str(manifest.images_per_task)]
    for target in manifest.targets:
        words += ["--target", target]
    for name, value in manifest.params.items():
        words += ["--param", f"{name}={_as_param(value)}"]
    return shlex.join(words)


def _as_param(value: str | int | float | bool | None) -> str:
    """As `--param` reads it: JSON, but for text."""
    return value if isinstance(value, str) else json.dumps(value)


def _recorded(
    store: Store, manifest: Manifest, target: Target, index: int
) -> tuple[StoredRecord | None, ImageEntry | None, str]:
    """The record of the image's task and its entry there, or why there is none."""
    try:
        stored = read_record(store, manifest.job_id, target, index // manifest.images_per_task)
    except ObjectNotFound:
        return None, None, "its task is not done yet"
    except DocumentError as error:
        return None, None, str(error)
    entry = next((entry for entry in stored.record.images if entry.index == index), None)
    return stored, entry, "" if entry else "its record does not list it"


def _worker(stored: StoredRecord) -> dict[str, Any]:
    record = stored.record
    return {
        "engine": f"{record.engine} {record.engine_version}",
        "precision": record.precision,
        "isa": record.isa,
        "cpu": record.cpu_model,
        "threads": record.threads,
        "batch_size": record.batch_size,
        "instance": record.instance_id,
        "revision": record.worker_revision,
        "attempt": record.delivery_attempt,
        "delivery": record.delivery_id,
        "received_at": record.received_at.isoformat(),
        "recorded_at": stored.created_at.isoformat(),
    }


def _similarity(sides: list[ImageSide]) -> dict[str, Any] | None:
    """How similar the first two are; None unless both can be seen."""
    if len(sides) < 2 or sides[0].pixels is None or sides[1].pixels is None:
        return None
    try:
        return image_similarity(sides[0].pixels, sides[1].pixels).as_dict()
    except ImageError as error:
        return {"problem": str(error)}
