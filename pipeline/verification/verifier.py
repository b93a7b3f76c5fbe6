"""Verifying pictures: generate them again from what their PNGs say of their origin, and compare."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from math import isinf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError
from model.precision_gate import MIN_PSNR_DB
from model.seeds import image_seed
from pipeline.verification.regenerator import Regenerated, Regenerator
from results.errors import ImageError
from results.imaging.png import decode, pixel_sha256, read_provenance
from results.imaging.provenance import Provenance
from results.imaging.similarity import psnr_db
from results.record import ImageEntry, Record

BATCH: Final = 8
"""Images generated at a time; pixels do not depend on it."""


class ImageFinding(StrEnum):
    """What came of one picture. The first two are good."""

    SAME = "same"
    ALIKE = "alike"
    DIFFERENT = "different"
    CHANGED = "changed"
    DAMAGED = "damaged"
    MISSING = "missing"
    UNCHECKED = "unchecked"

    @property
    def good(self) -> bool:
        """True if the picture is what it says it is."""
        return self in (ImageFinding.SAME, ImageFinding.ALIKE)


@dataclass(frozen=True, slots=True)
class VerifiedImage:
    """What is said of one picture.

    Args:
        name: its file or object.
        finding: the word.
        detail: the reason, in words.
        psnr_db: against what was generated now; infinite if equal, None if nothing was generated.
    """

    name: str
    finding: ImageFinding
    detail: str
    psnr_db: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture to verify.

    Args:
        name: its file or object.
        png: its content; None if it is missing.
        record: that of its task, and `entry`: what it says of this image; None for a file on its own.
    """

    name: str
    png: bytes | None
    record: Record | None = None
    entry: ImageEntry | None = None


@dataclass(frozen=True, slots=True)
class _Sound:
    """A candidate that decodes and agrees with its record: what is left is to generate it again."""

    candidate: Candidate
    pixels: NDArray[np.uint8]
    origin: Provenance


class Verifier:
    """Verifies pictures, a batch at a time.

    Args:
        regenerator: generates them again.
    """

    def __init__(self, regenerator: Regenerator) -> None:
        self._regenerator = regenerator

    def verify(self, candidates: Iterable[Candidate]) -> Iterator[VerifiedImage]:
        """Yield what is said of each candidate, in order; a few are held in memory at a time.

        Raises:
            StoreError: the store failed as a pushed model was fetched.
            CacheError: a pushed model can be kept nowhere here.
        """
        held: list[_Sound | VerifiedImage] = []
        for candidate in candidates:
            held.append(_inspect(candidate))
            if len(held) == BATCH:
                yield from self._settle(held)
                held = []
        yield from self._settle(held)

    def _settle(self, held: Sequence[_Sound | VerifiedImage]) -> Iterator[VerifiedImage]:
        for _, group in groupby(held, key=_kind):
            together = [*group]
            sound = [item for item in together if isinstance(item, _Sound)]
            if sound:
                yield from self._regenerate(sound)
            else:
                yield from (item for item in together if isinstance(item, VerifiedImage))

    def _regenerate(self, sound: Sequence[_Sound]) -> Iterator[VerifiedImage]:
        origin = sound[0].origin
        seeds = [image_seed(picture.origin.seed, picture.origin.index) for picture in sound]
        try:
            regenerated = self._regenerator.generate(origin, seeds)
        except ModelError as error:
            for picture in sound:
                yield VerifiedImage(
                    picture.candidate.name, ImageFinding.UNCHECKED, f"cannot be generated again: {error}"
                )
            return
        for picture, image in zip(sound, regenerated.images, strict=True):
            yield _compare(picture, image, regenerated)


def _kind(item: _Sound | VerifiedImage) -> tuple[object, ...]:
    """Neighbours of one kind are generated together. Params as text: 1, 1.0 and true are not the same."""
    if isinstance(item, VerifiedImage):
        return ()
    origin = item.origin
    fields = (origin.model_digest, origin.model, origin.engine, origin.precision, repr(origin.params))
    return (*fields, item.pixels.shape)


def _inspect(candidate: Candidate) -> _Sound | VerifiedImage:
    """What can be told without generating."""
    name, png, entry = candidate.name, candidate.png, candidate.entry
    if png is None:
        return VerifiedImage(name, ImageFinding.MISSING, "it is not there, though its task's record lists it")
    if entry and hashlib.sha256(png).hexdigest() != entry.sha256:
        return VerifiedImage(name, ImageFinding.CHANGED, "its SHA-256 is not the one in its task's record")
    try:
        pixels, origin = decode(png), read_provenance(png)
    except ImageError as error:
        return VerifiedImage(name, ImageFinding.DAMAGED, str(error))
    if entry and pixel_sha256(pixels) != entry.pixel_sha256:
        return VerifiedImage(
            name, ImageFinding.CHANGED, "the SHA-256 of its pixels is not the one in its task's record"
        )
    difference = _difference(candidate, origin)
    if difference:
        return VerifiedImage(
            name, ImageFinding.CHANGED, f"it says another origin than its task's record: {difference}"
        )
    return _Sound(candidate, pixels, origin)


def _difference(candidate: Candidate, origin: Provenance) -> str:
    record, entry = candidate.record, candidate.entry
    if record is None or entry is None:
        return ""
    expected = origin.model_copy(
        update={
            "model_digest": record.model_digest,
            "seed": record.seed,
            "index": entry.index,
            "params": record.params,
        }
    )
    return origin.difference(expected)


def _compare(picture: _Sound, image: NDArray[np.uint8], regenerated: Regenerated) -> VerifiedImage:
    name = picture.candidate.name
    if picture.pixels.shape != image.shape:
        height, width, _ = picture.pixels.shape
        size = f"{width}x{height} pixels, generated again {image.shape[1]}x{image.shape[0]}"
        return VerifiedImage(name, ImageFinding.DIFFERENT, size)
    decibels = psnr_db(picture.pixels, image)
    if isinf(decibels):
        return VerifiedImage(name, ImageFinding.SAME, "equal, pixel for pixel", decibels)
    other = _other_conditions(picture, regenerated)
    text = f"{decibels:.1f} dB PSNR"
    if decibels < MIN_PSNR_DB:
        return VerifiedImage(
            name, ImageFinding.DIFFERENT, f"{text}, under {MIN_PSNR_DB:g}: another picture", decibels
        )
    if not other:
        detail = f"{text}, but engine, its version, precision and CPU agree: it should be equal"
        return VerifiedImage(name, ImageFinding.DIFFERENT, detail, decibels)
    return VerifiedImage(name, ImageFinding.ALIKE, f"{text} ({other})", decibels)


def _other_conditions(picture: _Sound, regenerated: Regenerated) -> str:
    """What differs between then and now, so that last bits may; "" if all is known to be equal."""
    origin, record, entry = picture.origin, picture.candidate.record, picture.candidate.entry
    # An image that was found was generated by an engine whose version this record does not tell.
    then = record.engine_version if record and entry and not entry.found else ""
    pairs = (
        ("engine", origin.engine, regenerated.engine),
        ("precision", origin.precision, regenerated.precision),
        ("CPU", origin.isa, regenerated.isa),
        ("engine version", then or "unknown", regenerated.version),
    )
    return ", ".join(f"{what} {a}, here {b}" for what, a, b in pairs if a != b)
