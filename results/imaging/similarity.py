"""How alike two images are."""

from __future__ import annotations

from math import inf, log10

import numpy as np
from numpy.typing import NDArray


def psnr_db(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of two images, in dB; infinite if they are equal.

    Args:
        a: uint8 [H, W, 3].
        b: uint8 [H, W, 3], of the same shape.
    Raises:
        ValueError: the shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"images of different shapes: {a.shape} and {b.shape}")
    mean_square = float(np.mean((a.astype(np.float64) - b) ** 2))
    return inf if mean_square == 0 else 10 * log10(255**2 / mean_square)
