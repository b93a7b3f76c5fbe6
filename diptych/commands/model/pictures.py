"""The images that `diptych model` writes: a sheet of samples, an animated loop."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.checkpoint import write_atomically

MAX_PIXELS: Final = 100_000_000
FRAME_MS: Final = 60


def check_suffix(path: Path, *allowed: str) -> None:
    """Raise UsageError for a wrong suffix or a missing folder, before anything is generated."""
    if path.suffix.lower() not in allowed:
        raise click.UsageError(f"the output must end in {' or '.join(allowed)}, not {path.name!r}")
    if not path.parent.is_dir():
        raise click.UsageError(f"folder {path.parent} does not exist")


def check_size(count: int, first: NDArray[np.uint8], columns: int | None) -> None:
    """Raise UsageError if a sheet would be too large, before the rest of it is generated.

    Args:
        count: images on the sheet.
        first: uint8 [H, W, 3], the first image.
        columns: images per row, as in `save_sheet`.
    """
    rows, across = _grid(count, columns)
    if rows * first.shape[0] * across * first.shape[1] > MAX_PIXELS:
        raise click.UsageError(f"the sheet would have more than {MAX_PIXELS:,} pixels; ask for fewer images")


def save_sheet(images: Sequence[NDArray[np.uint8]], path: Path, columns: int | None = None) -> None:
    """Write images side by side as a PNG.

    Args:
        images: uint8 [H, W, 3] each, all of one size.
        path: a .png.
        columns: images per row; by default the sheet is about square.
    """
    check_size(len(images), images[0], columns)
    rows, columns = _grid(len(images), columns)
    height, width, _ = images[0].shape
    sheet = np.full((rows * height, columns * width, 3), 255, dtype=np.uint8)
    for number, image in enumerate(images):
        top, left = number // columns * height, number % columns * width
        sheet[top : top + height, left : left + width] = image
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG")
    _write(path, buffer)


def save_loop(images: Sequence[NDArray[np.uint8]], path: Path) -> None:
    """Write images as an endless animation.

    Args:
        images: uint8 [H, W, 3] each, all of one size.
        path: a .gif or .webp.
    """
    frames = [Image.fromarray(image) for image in images]
    kind = path.suffix.lower().lstrip(".")
    options = {"quality": 90} if kind == "webp" else {}
    buffer = io.BytesIO()
    frames[0].save(
        buffer, kind, save_all=True, append_images=frames[1:], duration=FRAME_MS, loop=0, **options
    )
    _write(path, buffer)


def _grid(count: int, columns: int | None) -> tuple[int, int]:
    """Rows and columns."""
    columns = min(columns or math.ceil(math.sqrt(count)), count)
    return math.ceil(count / columns), columns


def _write(path: Path, buffer: io.BytesIO) -> None:
    write_atomically(path, buffer.getvalue())
