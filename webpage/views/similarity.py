"""Two targets' pictures of the same image, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from math import isinf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.errors import ImageError
from results.imaging.similarity import psnr_db


@dataclass(frozen=True, slots=True)
class ImageSimilarity:
    """How similar two images are.

    Args:
        psnr: in dB; None if they are equal, pixel for pixel.
        largest: the largest difference of a channel, 0..255.
        pixels: share of pixels that differ at all, 0..1.
    """

    psnr: float | None
    largest: int
    pixels: float

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; `gain` is that of `difference_png`."""
        return {
            "psnr_db": None if self.psnr is None else round(self.psnr, 2),
            "largest": self.largest,
            "differing": self.pixels,
            "gain": _gain(self.largest),
        }


def image_similarity(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> ImageSimilarity:
    """Compare two images, uint8 [H, W, 3]. Raises ImageError if they are of different sizes."""
    difference = _difference(a, b)
    psnr = psnr_db(a, b)
    return ImageSimilarity(
        psnr=None if isinf(psnr) else psnr,
        largest=int(difference.max()),
        pixels=float(difference.any(axis=2).mean()),
    )


def difference_png(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> bytes:
    """Draw where two images differ, as a PNG: black where they agree, the largest difference full bright.

    Raises:
        ImageError: they are of different sizes.
    """
    from PIL import Image

    difference = _difference(a, b)
    bright = difference.astype(np.uint16) * _gain(int(difference.max()))
    buffer = BytesIO()
    Image.fromarray(np.minimum(bright, 255).astype(np.uint8)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if a.shape != b.shape:
        raise ImageError(f"the two are of different sizes: {a.shape[1::-1]} and {b.shape[1::-1]} pixels")
    difference: NDArray[np.uint8] = np.abs(a.astype(np.int16) - b).astype(np.uint8)
    return difference


def _gain(largest: int) -> int:
    """A whole factor, so that equal differences stay equal."""
    return max(1, 255 // largest) if largest else 1
