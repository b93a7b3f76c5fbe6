"""Storing an image: once, and only if it is the picture that was asked for."""

from __future__ import annotations

import hashlib

import pytest

from results.errors import ImageConflict, ImageError, ObjectNotFound
from results.imaging.png import encode, pixel_sha256
from results.imaging.stored_images import read_stored_image, store_image
from results.stores.base import Store
from tests.support.builders.pictures import picture, provenance

NAME = "jobs/job-a/container/images/00000003.png"
PIXELS = picture(3)
ORIGIN = provenance(3)


def test_an_image_is_created_and_told(store: Store) -> None:
    png = encode(PIXELS, ORIGIN)
    entry = store_image(store, NAME, png, ORIGIN, 99, pixel_sha256(PIXELS))
    assert store.read(NAME) == png
    assert (entry.index, entry.seed, entry.bytes, entry.found) == (3, 99, len(png), False)
    assert entry.sha256 == hashlib.sha256(png).hexdigest()
    assert entry.pixel_sha256 == hashlib.sha256(PIXELS.tobytes()).hexdigest()


def test_a_stored_image_wins(store: Store) -> None:
    stored_pixels = 255 - picture(3)
    stored_origin = provenance(3, engine="torch", precision="bf16", isa="other")
    stored = encode(stored_pixels, stored_origin)
    store_image(store, NAME, stored, stored_origin, 99, pixel_sha256(stored_pixels))
    entry = store_image(store, NAME, encode(PIXELS, ORIGIN), ORIGIN, 99, pixel_sha256(PIXELS))
    assert store.read(NAME) == stored
    assert (entry.found, entry.engine, entry.precision) == (True, "torch", "bf16")
    assert entry.sha256 == hashlib.sha256(stored).hexdigest()
    assert entry.pixel_sha256 == pixel_sha256(stored_pixels)
    assert entry == read_stored_image(store, NAME, ORIGIN, 99)


def test_another_picture_is_a_conflict(store: Store) -> None:
    store_image(store, NAME, encode(PIXELS, ORIGIN), ORIGIN, 99, "")
    other = provenance(3, seed=8)
    with pytest.raises(ImageConflict, match=f"{NAME} is another picture: seed 7 / 8"):
        store_image(store, NAME, encode(PIXELS, other), other, 99, "")


@pytest.mark.parametrize("damaged", [b"", b"GIF89a", encode(PIXELS, ORIGIN)[:-20]])
def test_a_damaged_image_is_told_by_name(store: Store, damaged: bytes) -> None:
    store.create(NAME, damaged, "image/png")
    with pytest.raises(ImageError, match=f"^{NAME}: "):
        read_stored_image(store, NAME, ORIGIN, 99)


def test_a_missing_image_is_told(store: Store) -> None:
    with pytest.raises(ObjectNotFound):
        read_stored_image(store, NAME, ORIGIN, 99)
