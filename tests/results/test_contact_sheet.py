"""The contact sheet: the same images on every panel, and a place for those that are not there."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from results import naming
from results.documents import JSON_TYPE, Manifest, dump
from results.errors import JobNotFound
from results.imaging.contact_sheet import Panel, agreement, contact_sheet, sample_indices
from results.imaging.png import decode
from results.imaging.sheet_canvas import EMPTY, LABEL_HEIGHT, MARGIN, TILE_GAP, Canvas, Tile
from results.imaging.similarity import psnr_db
from results.stores.base import Store
from tests.support.builders.pictures import JOB, manifest, picture, write_image, write_job


def occurrences(sheet: NDArray[np.uint8], tile: NDArray[np.uint8]) -> int:
    """How often a tile is found in a sheet, pixel for pixel."""
    side = tile.shape[0]
    corners = np.argwhere((sheet[: -side + 1, : -side + 1] == tile[0, 0]).all(axis=2))
    return sum(np.array_equal(sheet[y : y + side, x : x + side], tile) for y, x in corners)


def drawn(index: int, side: int, factor: int) -> NDArray[np.uint8]:
    """An image as the sheet should show it: every pixel a square."""
    return picture(index, side).repeat(factor, 0).repeat(factor, 1)


def test_every_image_is_there_on_both_sides(store: Store) -> None:
    write_job(store)  # 10 images of 16 pixels: 4 columns, tiles of 160
    sheet = decode(contact_sheet(store, JOB))
    for index in range(10):
        assert occurrences(sheet, drawn(index, 16, 10)) == 2


def test_missing_and_damaged_images_leave_an_empty_place(store: Store) -> None:
    job = manifest(count=4)
    store.create(naming.manifest_name(JOB), dump(job), JSON_TYPE)
    for index in (0, 1, 3):
        write_image(store, job, "container", index)
    write_image(store, job, "function", 0)
    store.create(naming.image_name(JOB, "function", 1), b"no PNG", "image/png")
    sheet = decode(contact_sheet(store, JOB))
    counts = [occurrences(sheet, drawn(index, 16, 16)) for index in range(4)]
    assert counts == [2, 1, 0, 1]
    empty_pixels = (sheet == EMPTY).all(axis=2).sum()
    assert 3 < empty_pixels / 256**2 <= 4  # three on the function's side, one on the container's


def test_a_big_job_is_sampled(store: Store) -> None:
    job = Manifest(**(manifest().model_dump() | {"count": 1000}))
    store.create(naming.manifest_name(JOB), dump(job), JSON_TYPE)
    for index in (0, 333, 666, 999):
        write_image(store, job, "container", index)
    sheet = decode(contact_sheet(store, JOB, max_images=4))
    assert [occurrences(sheet, drawn(index, 16, 16)) for index in (0, 333, 666, 999)] == [1] * 4


@given(count=st.integers(1, 10**8), at_most=st.integers(1, 400))
def test_samples_are_spread_evenly(count: int, at_most: int) -> None:
    indices = list(sample_indices(count, at_most))
    assert len(indices) == min(count, at_most)
    assert indices == sorted(set(indices))
    assert indices[0] == 0
    if at_most > 1:
        assert indices[-1] == count - 1
        steps = [b - a for a, b in pairwise(indices)]
        assert not steps or max(steps) - min(steps) <= 1


def test_big_images_are_made_smaller_and_long_names_fit(store: Store) -> None:
    job = manifest(job_id="x" * 63, count=1, resolution=600, targets=("celery",))
    store.create(naming.manifest_name(job.job_id), dump(job), JSON_TYPE)
    write_image(store, job, "celery", 0)
    with Image.open(BytesIO(contact_sheet(store, job.job_id))) as sheet:
        assert sheet.width < 500
        pixels = np.asarray(sheet)
    # Nothing is drawn into the right margin.
    assert (pixels[:, -MARGIN:] == pixels[0, 0]).all()


def test_the_panels_say_how_alike_they_are() -> None:
    one, two = picture(1), picture(2)
    near = np.where(two < 255, two + 1, two).astype(np.uint8)
    assert agreement([Panel("container", [one])]) == ""
    assert agreement([Panel("container", [one, two]), Panel("function", [one, two])]) == (
        "all 2 pairs equal, pixel for pixel"
    )
    assert agreement([Panel("container", ["missing"]), Panel("function", [one])]) == (
        "no image is there on both sides yet"
    )
    some = agreement([Panel("container", [one, two, one]), Panel("function", [one, near, "damaged"])])
    assert some == "1 of 2 pairs equal, pixel for pixel; the others at least 48.1 dB PSNR"


@pytest.mark.parametrize("number", [0, 401])
def test_the_number_of_images_has_limits(store: Store, number: int) -> None:
    with pytest.raises(ValueError, match="use 1 to 400"):
        contact_sheet(store, JOB, max_images=number)


def test_an_unknown_job_is_told(store: Store) -> None:
    with pytest.raises(JobNotFound):
        contact_sheet(store, "nothing")


def test_tiles_stand_in_rows() -> None:
    canvas = Canvas(panels=1, columns=2, rows=2, tile_side=64)
    tile = picture(1, 64)
    canvas.tile(0, 3, Tile("3", tile))
    whole = np.asarray(canvas.image)
    y, x = np.argwhere((whole != whole[0, 0]).any(axis=2)).min(axis=0)
    assert (x, y) == (MARGIN + 64 + TILE_GAP, canvas._top + 64 + LABEL_HEIGHT + TILE_GAP)


def test_similarity_is_peak_signal_to_noise() -> None:
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert psnr_db(black, white) == 0
    assert psnr_db(black, black) == float("inf")
    assert psnr_db(black, black + np.uint8(1)) == pytest.approx(48.13, abs=0.01)
    with pytest.raises(ValueError, match="different shapes"):
        psnr_db(black, black[:2])
