"""Looking at a job's images one by one, without listing what was not asked for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from results.documents import Manifest, load
from results.errors import DocumentError, ImageError, ObjectNotFound
from results.imaging.png import decode, pixel_sha256, read_provenance
from results.imaging.provenance import Provenance
from results.naming import image_name, images_prefix, record_name
from results.record import ImageEntry, Record
from results.stores.base import Store
from results.targets import Target

_IMAGE: Final = re.compile(r"([0-9]{8})\.png")


@dataclass(frozen=True, slots=True)
class ListedImage:
    """One image, as the store lists it.

    Args:
        target: who generated it.
        index: its index in the job.
        name: its object name.
        size_bytes: of the PNG.
        created_at: the store's own creation time, aware UTC.
    """

    target: Target
    index: int
    name: str
    size_bytes: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One image that has been read.

    Args:
        listed: what the store knows of it.
        sha256: of the PNG, in hex.
        pixel_sha256: of its RGB bytes, in hex.
        provenance: what the PNG carries.
        pixels: uint8 [H, W, 3].
    """

    listed: ListedImage
    sha256: str
    pixel_sha256: str
    provenance: Provenance
    pixels: NDArray[np.uint8]


def list_images(
    store: Store, job_id: str, target: Target, *, after_index: int | None = None
) -> Iterator[ListedImage]:
    """Yield a target's images in the order of their indices, a page at a time.

    Args:
        store: where they are.
        job_id: the job.
        target: who generated them.
        after_index: begin behind this index.
    Raises:
        StoreError: the store failed.
    """
    prefix = images_prefix(job_id, target)
    after = None if after_index is None else image_name(job_id, target, after_index)
    for info in store.list(prefix, after=after):
        match = _IMAGE.fullmatch(info.name, len(prefix))
        if match:
            yield ListedImage(target, int(match[1]), info.name, info.size_bytes, info.created_at)


def recorded_entry(store: Store, manifest: Manifest, target: Target, index: int) -> ImageEntry | None:
    """What the record of its task says of an image; None if the task is not done.

    Raises:
        DocumentError: the record is damaged, or does not list that image.
        StoreError: the store failed.
    """
    name = record_name(manifest.job_id, target, index // manifest.images_per_task)
    try:
        record = load(Record, store.read(name), name)
    except ObjectNotFound:
        return None
    for entry in record.images:
        if entry.index == index:
            return entry
    raise DocumentError(f"{name} does not list image {index}: it was changed")


def read_image(store: Store, job_id: str, target: Target, index: int) -> StoredImage | None:
    """Read one image and what it carries; None if it is not there.

    Raises:
        ImageError: it is damaged, or carries no provenance.
        StoreError: the store failed.
    """
    name = image_name(job_id, target, index)
    info = store.stat(name)
    if info is None:
        return None
    png = store.read(name)
    try:
        pixels, provenance = decode(png), read_provenance(png)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error
    return StoredImage(
        listed=ListedImage(target, index, name, info.size_bytes, info.created_at),
        sha256=hashlib.sha256(png).hexdigest(),
        pixel_sha256=pixel_sha256(pixels),
        provenance=provenance,
        pixels=pixels,
    )
