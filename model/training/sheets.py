"""Sample sheets: one picture of many pictures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MIN_TILE = 64


def save_sheet(images: NDArray[np.uint8], path: Path, columns: int) -> None:
    """Lay images out in rows and save a PNG; tiny ones are enlarged, pixel by pixel.

    Args:
        images: uint8 [N, R, R, 3].
        path: the PNG; its folder is made.
        columns: images per row, at least 1.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sheet_png(images, columns))


def sheet_png(images: NDArray[np.uint8], columns: int) -> bytes:
    """The same as a PNG's bytes."""
    factor = max(1, MIN_TILE // images.shape[1])
    tiles = images.repeat(factor, axis=1).repeat(factor, axis=2)
    side = tiles.shape[1]
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * side, columns * side, 3), 255, dtype=np.uint8)
    for index, tile in enumerate(tiles):
        top, left = index // columns * side, index % columns * side
        sheet[top : top + side, left : left + side] = tile
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG")
    return buffer.getvalue()
