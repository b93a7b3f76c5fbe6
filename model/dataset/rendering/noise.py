"""Smooth noise that repeats without a seam, made once and read at an offset of each face's own."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter

from model.dataset.assets import Floats
from model.dataset.streams import stream

TILE = 256


@lru_cache(maxsize=16)
def tile(down: float, across: float) -> Floats:
    """Noise [TILE, TILE] of deviation one, blurred by so many cells down and across."""
    white = stream(0, f"noise {down} {across}").standard_normal((TILE, TILE))
    smooth = gaussian_filter(white, (down, across), mode="wrap")
    even: Floats = (smooth / smooth.std()).astype(np.float32)
    return even


def read(noise: Floats, u: Floats, v: Floats, offset: float) -> Floats:
    """Bilinear values of a tile at cells (u across, v down), shifted by `offset` tiles.

    Args:
        noise: a tile.
        u, v: cells [N], any real number.
        offset: the face's own shift, 0..1.
    """
    u = u + TILE * offset
    v = v + TILE * offset * 1.618
    i, j = np.floor(v).astype(np.int64), np.floor(u).astype(np.int64)
    b, a = (v - i).astype(np.float32), (u - j).astype(np.float32)
    i0, j0, i1, j1 = i % TILE, j % TILE, (i + 1) % TILE, (j + 1) % TILE
    upper = noise[i0, j0] * (1 - a) + noise[i0, j1] * a
    lower = noise[i1, j0] * (1 - a) + noise[i1, j1] * a
    return (upper * (1 - b) + lower * b).astype(np.float32)
