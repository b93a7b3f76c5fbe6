"""From a job's seed and an image's index to its latents. Never changes: the tests have golden vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MAX_SEED = 2**63


def image_seed(seed: int, index: int) -> int:
    """The RNG seed of one image: the first 63 bits of SHA-256 of ``diptych/1:{seed}:{index}``.

    Args:
        seed: the job's seed, in [0, 2**63).
        index: the image's index in the job, at least 0.
    Returns:
        An integer in [0, 2**63).
    Raises:
        ValueError: an argument is out of range.
    """
    if not 0 <= seed < MAX_SEED:
        raise ValueError(f"seed {seed} is outside 0..2**63-1")
    if index < 0:
        raise ValueError(f"index {index} is negative")
    digest = hashlib.sha256(f"diptych/1:{seed}:{index}".encode("ascii")).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def latents(seeds: Sequence[int], size: int) -> NDArray[np.float32]:
    """Standard normal latents, one independent stream per image.

    numpy guarantees never to change the streams of `RandomState`; its newer generators may change.

    Args:
        seeds: one RNG seed per image, each in [0, 2**63).
        size: length of a latent vector.
    Returns:
        float32 [N, size].
    """
    rows = np.empty((len(seeds), size), dtype=np.float32)
    for row, seed in zip(rows, seeds, strict=True):
        if not 0 <= seed < MAX_SEED:
            raise ValueError(f"seed {seed} is outside 0..2**63-1")
        stream = np.random.RandomState([seed & 0xFFFFFFFF, seed >> 32])
        row[:] = stream.standard_normal(size)
    return rows
