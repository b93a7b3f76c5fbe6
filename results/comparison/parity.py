"""Are the images of two targets the same? Counted by hash for all, measured in pixels for a sample."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from random import Random
from typing import Final

import numpy as np

from results.browse import StoredImage, read_image
from results.documents import Document
from results.errors import ImageError
from results.imaging.similarity import psnr_db
from results.record import ImageEntry
from results.stores.base import Store
from results.targets import Target

SAMPLE: Final = 8
"""Pairs of differing images that are looked at, per job and pair of targets."""


class Parity(Document):
    """The images that two targets both have.

    Args:
        first: target.
        second: target.
        images: indices that both have.
        same_bytes: of those, PNGs with equal hashes.
        same_pixels: of those, images with equal pixels.
        looked_at: differing images that were read and measured: a sample.
        largest_difference: of any channel of any pixel of those, 0..255; None if none was looked at.
        lowest_psnr_db: of those; None if none was looked at.
        unreadable: of the sample, pairs that could not be measured.
        why_unreadable: the first reason.
    """

    first: Target
    second: Target
    images: int
    same_bytes: int
    same_pixels: int
    looked_at: int = 0
    largest_difference: int | None = None
    lowest_psnr_db: float | None = None
    unreadable: int = 0
    why_unreadable: str = ""


class ImageCounts:
    """Counts equal images of two targets, task by task, and keeps a random sample of the differing ones.

    Args:
        job_id: whose images.
        first: target.
        second: target.
    """

    def __init__(self, job_id: str, first: Target, second: Target) -> None:
        self.job_id = job_id
        self.first: Target = first
        self.second: Target = second
        self.images = 0
        self.same_bytes = 0
        self.same_pixels = 0
        self.sample: list[int] = []
        self._stream = Random(job_id)

    def add(self, first: Sequence[ImageEntry], second: Sequence[ImageEntry]) -> None:
        """Compare the images of one task."""
        by_index = {entry.index: entry for entry in second}
        for entry in first:
            other = by_index.get(entry.index)
            if other is None:
                continue
            self.images += 1
            self.same_bytes += entry.sha256 == other.sha256
            if entry.pixel_sha256 == other.pixel_sha256:
                self.same_pixels += 1
            else:
                self._keep(entry.index)

    def _keep(self, index: int) -> None:
        """Reservoir sampling (Vitter 1985, algorithm R): each differing image is as likely to be kept."""
        if len(self.sample) < SAMPLE:
            self.sample.append(index)
            return
        place = self._stream.randrange(self.images - self.same_pixels)
        if place < SAMPLE:
            self.sample[place] = index


def measure_parity(store: Store, counts_of_jobs: Sequence[ImageCounts]) -> Parity:
    """Add up the counts of one pair of targets over jobs, and look at the samples.

    Args:
        store: where the images are.
        counts_of_jobs: at least one, all of the same two targets.
    Raises:
        StoreError: the store failed.
    """
    differences: list[int] = []
    decibels: list[float] = []
    reasons: list[str] = []
    for counts in counts_of_jobs:
        for index in sorted(counts.sample):
            try:
                first, second = (_read(store, counts, t, index) for t in (counts.first, counts.second))
                decibels.append(_psnr(first, second))
                differences.append(_largest_difference(first, second))
            except ImageError as error:
                reasons.append(str(error))
    return Parity(
        first=counts_of_jobs[0].first,
        second=counts_of_jobs[0].second,
        images=sum(counts.images for counts in counts_of_jobs),
        same_bytes=sum(counts.same_bytes for counts in counts_of_jobs),
        same_pixels=sum(counts.same_pixels for counts in counts_of_jobs),
        looked_at=len(differences),
        largest_difference=max(differences, default=None),
        lowest_psnr_db=min(decibels, default=None),
        unreadable=len(reasons),
        why_unreadable=reasons[0] if reasons else "",
    )


def _read(store: Store, counts: ImageCounts, target: Target, index: int) -> StoredImage:
    image = read_image(store, counts.job_id, target, index)
    if image is None:
        raise ImageError(f"image {index} of {target} in job {counts.job_id} is gone")
    return image


def _psnr(first: StoredImage, second: StoredImage) -> float:
    if first.pixels.shape != second.pixels.shape:
        raise ImageError(f"{first.listed.name} and {second.listed.name} are of different sizes")
    decibels = psnr_db(first.pixels, second.pixels)
    if decibels == inf:
        raise ImageError(
            f"{first.listed.name} and {second.listed.name} are equal, and their records say that they are not"
        )
    return decibels


def _largest_difference(first: StoredImage, second: StoredImage) -> int:
    return int(np.abs(first.pixels.astype(np.int16) - second.pixels).max())
