"""The contact sheet: one PNG with the same images of every target, panel beside panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil, isinf, sqrt
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from results.documents import Manifest
from results.errors import ImageError, ObjectNotFound
from results.imaging.png import decode
from results.imaging.sheet_canvas import Canvas, Tile
from results.imaging.similarity import psnr_db
from results.job_state import load_manifest
from results.naming import image_name
from results.parallel import map_in_order
from results.stores.base import Store
from results.targets import Target

MAX_IMAGES: Final = 400
"""Per panel; more would be too small to see, or too big to open."""
DEFAULT_IMAGES: Final = 64

if TYPE_CHECKING:
    from PIL.Image import Image

_PANEL_SIDE: Final = 640
_MIN_TILE: Final = 48
_MAX_TILE: Final = 256


@dataclass(frozen=True, slots=True)
class Panel:
    """One target's part of the sheet.

    Args:
        target: who generated.
        images: one per sampled index: uint8 [H, W, 3], or a word for why there is none.
    """

    target: Target
    images: Sequence[NDArray[np.uint8] | str]

    @property
    def shown(self) -> int:
        """How many images there are to see."""
        return sum(not isinstance(image, str) for image in self.images)


def contact_sheet(store: Store, job_id: str, *, max_images: int = DEFAULT_IMAGES) -> bytes:
    """Draw a job's contact sheet.

    Args:
        store: where the job is.
        job_id: the job.
        max_images: images per panel, 1..400; if the job has more, they are sampled evenly.
    Returns:
        A PNG.
    Raises:
        ValueError: a bad job name or number of images.
        JobNotFound: there is no such job.
        DocumentError: its manifest is damaged.
        StoreError: the store failed.
    """
    if not 1 <= max_images <= MAX_IMAGES:
        raise ValueError(f"{max_images} images on a panel: use 1 to {MAX_IMAGES}")
    manifest = load_manifest(store, job_id)
    indices = sample_indices(manifest.count, max_images)
    panels = [_read_panel(store, manifest, target, indices) for target in manifest.targets]
    buffer = BytesIO()
    _draw(manifest, indices, panels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def sample_indices(count: int, at_most: int) -> Sequence[int]:
    """Spread up to `at_most` indices evenly over 0..count-1, the first and the last among them."""
    if count <= at_most:
        return range(count)
    if at_most == 1:
        return [0]
    return [step * (count - 1) // (at_most - 1) for step in range(at_most)]


def agreement(panels: Sequence[Panel]) -> str:
    """Say in one line how far the panels agree with the first one, pixel for pixel."""
    if len(panels) == 1:
        return ""
    first, *others = panels
    pairs = [
        (a, b)
        for other in others
        for a, b in zip(first.images, other.images, strict=True)
        if not isinstance(a, str) and not isinstance(b, str)
    ]
    if not pairs:
        return "no image is there on both sides yet"
    similarity = [psnr_db(a, b) for a, b in pairs if a.shape == b.shape]
    equal = sum(isinf(value) for value in similarity)
    if equal == len(pairs):
        return f"all {equal} pairs equal, pixel for pixel"
    lowest = min((value for value in similarity if not isinf(value)), default=0.0)
    return f"{equal} of {len(pairs)} pairs equal, pixel for pixel; the others at least {lowest:.1f} dB PSNR"


def _read_panel(store: Store, manifest: Manifest, target: Target, indices: Sequence[int]) -> Panel:
    names = [image_name(manifest.job_id, target, index) for index in indices]
    return Panel(target, [*map_in_order(lambda name: _read_image(store, name), names)])


def _read_image(store: Store, name: str) -> NDArray[np.uint8] | str:
    try:
        return decode(store.read(name))
    except ObjectNotFound:
        return "missing"
    except ImageError:
        return "damaged"


def _draw(manifest: Manifest, indices: Sequence[int], panels: Sequence[Panel]) -> Image:
    columns = ceil(sqrt(len(indices)))
    canvas = Canvas(
        panels=len(panels),
        columns=columns,
        rows=ceil(len(indices) / columns),
        tile_side=_tile_side(manifest.resolution, columns),
    )
    canvas.title(manifest.job_id, f"{manifest.model} · seed {manifest.seed}")
    for number, panel in enumerate(panels):
        canvas.heading(number, panel.target, f"{panel.shown} of {len(panel.images)}")
        for place, (index, image) in enumerate(zip(indices, panel.images, strict=True)):
            canvas.tile(number, place, Tile(str(index), image))
    sampled = f"{len(indices)} of {manifest.count:,} images per target"
    canvas.footer(" · ".join(part for part in (sampled, agreement(panels)) if part))
    return canvas.image


def _tile_side(resolution: int, columns: int) -> int:
    """As big as the panel allows; a whole multiple of small images' pixels, so that they stay crisp."""
    side = max(_MIN_TILE, min(_MAX_TILE, _PANEL_SIDE // columns))
    return side // resolution * resolution if side >= resolution else side
