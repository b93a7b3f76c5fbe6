"""Writing a gallery, page by page: memory does not grow with the job."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from io import BytesIO
from typing import Final

from results.documents import Manifest
from results.errors import ImageError, ObjectNotFound
from results.gallery.html import page_file, page_html
from results.gallery.place import Place
from results.gallery.tile import GalleryTile
from results.imaging.png import PNG_TYPE
from results.imaging.thumbnails import THUMBNAIL_SUFFIX, THUMBNAIL_TYPE, thumbnail
from results.naming import image_name
from results.parallel import map_in_order
from results.stores.base import Store
from results.targets import Target

PER_PAGE: Final = 240
"""Images of each target on one page."""
HTML_TYPE: Final = "text/html; charset=utf-8"


def write_gallery(
    store: Store, job: Manifest, place: Place, targets: tuple[Target, ...]
) -> Iterator[GalleryTile]:
    """Write a gallery of a job as it is now; yields each tile once its files are written.

    The thumbnails of a page are written before the page, and the first page last: whoever sees it sees a
    whole gallery.

    Args:
        store: where the job is.
        place: where the gallery goes.
        targets: whose images, in the order of their panels.
    Raises:
        StoreError: the store failed.
        OSError: the folder cannot be written.
    """
    pages = -(-job.count // PER_PAGE)
    for page in (*range(1, pages), 0):
        indices = range(page * PER_PAGE, min(job.count, (page + 1) * PER_PAGE))
        panels: dict[Target, list[GalleryTile]] = {}
        for target in targets:
            tiles = panels[target] = []
            for tile in map_in_order(partial(_write_tile, store, job, place, target), indices):
                tiles.append(tile)
                yield tile
        place.write(page_file(page), page_html(job, panels, page, pages).encode(), HTML_TYPE)


def _write_tile(store: Store, job: Manifest, place: Place, target: Target, index: int) -> GalleryTile:
    name = image_name(job.job_id, target, index)
    try:
        png = store.read(name)
        small = thumbnail(png)
    except ObjectNotFound:
        return GalleryTile(index, "missing")
    except ImageError:
        return GalleryTile(index, "damaged")
    file = f"thumbnails/{target}/{index:08d}{THUMBNAIL_SUFFIX}"
    place.write(file, small, THUMBNAIL_TYPE)
    original = place.original(job.job_id, name)
    if place.keeps_originals:
        place.write(original, png, PNG_TYPE)
    width, height = _size(small)
    return GalleryTile(index, "ok", file, original, width, height)


def _size(picture: bytes) -> tuple[int, int]:
    from PIL import Image

    with Image.open(BytesIO(picture)) as image:
        return image.size
