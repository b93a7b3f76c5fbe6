"""Storing an image once: create it, or find that it is there and is the one that was asked for."""

from __future__ import annotations

import hashlib

from results.errors import ImageConflict, ImageError, ObjectExists
from results.imaging.png import PNG_TYPE, decode, pixel_sha256, read_provenance
from results.imaging.provenance import Provenance
from results.record import ImageEntry
from results.stores.base import Store

__all__ = ["ImageConflict", "read_stored_image", "store_image"]


def store_image(
    store: Store, name: str, png: bytes, provenance: Provenance, seed: int, pixel_digest: str
) -> ImageEntry:
    """Create an image; if one is stored already, that one wins, provided that it is the same picture.

    Args:
        store: where to.
        name: its object name.
        png: the encoded image.
        provenance: what the PNG carries.
        seed: the image's own RNG seed, in [0, 2**63).
        pixel_digest: SHA-256 of its pixels, in hex.
    Returns:
        The record's entry for what is stored now; `found` tells whose it is.
    Raises:
        ImageConflict: the stored one is another picture.
        ImageError: the stored one is damaged.
        StoreError: the store failed.
    """
    try:
        store.create(name, png, PNG_TYPE)
    except ObjectExists:
        return read_stored_image(store, name, provenance, seed)
    return ImageEntry(
        index=provenance.index,
        seed=seed,
        sha256=_sha256(png),
        pixel_sha256=pixel_digest,
        bytes=len(png),
        flagged=provenance.flagged,
    )


def read_stored_image(store: Store, name: str, expected: Provenance, seed: int) -> ImageEntry:
    """Make the record's entry of an image that an earlier delivery has stored.

    Args:
        store: where it is.
        name: its object name.
        expected: what it should come from; engine, precision and instruction set may differ.
        seed: the image's own RNG seed, in [0, 2**63).
    Raises:
        ImageConflict: it is another picture.
        ImageError: it is damaged.
        ObjectNotFound: it is not there.
        StoreError: the store failed.
    """
    png = store.read(name)
    try:
        stored = read_provenance(png)
        pixels = decode(png)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error
    difference = stored.difference(expected)
    if difference:
        raise ImageConflict(name, difference)
    return ImageEntry(
        index=stored.index,
        seed=seed,
        sha256=_sha256(png),
        pixel_sha256=pixel_sha256(pixels),
        bytes=len(png),
        found=True,
        engine=stored.engine,
        precision=stored.precision,
        flagged=stored.flagged,
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
