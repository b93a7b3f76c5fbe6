"""Spherical interpolation of latents (Shoemake 1985, "Animating rotation with quaternion curves": slerp)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def interpolate_latents(stops: NDArray[np.float32], steps: int, *, closed: bool) -> NDArray[np.float32]:
    """Interpolate between latents at equal angles.

    Pixel norm puts every latent on a sphere, where steps of a straight line would be longest in the middle.

    Args:
        stops: float32 [N, Z], N at least 2.
        steps: latents from one stop (inclusive) to the next (exclusive), at least 1.
        closed: return to the first stop, without repeating it; else end at the last.
    Returns:
        float32 [N * steps, Z] if closed, else [(N - 1) * steps + 1, Z], each of length sqrt(Z).
    """
    unit = stops.astype(np.float64) / np.linalg.norm(stops, axis=1, keepdims=True)
    ends = np.roll(unit, -1, axis=0)
    pairs = zip(unit, ends, strict=True) if closed else zip(unit[:-1], ends[:-1], strict=True)
    rows = [_between(start, end, step / steps) for start, end in pairs for step in range(steps)]
    if not closed:
        rows.append(unit[-1])
    scaled: NDArray[np.float32] = (np.stack(rows) * np.sqrt(stops.shape[1])).astype(np.float32)
    return scaled


def _between(start: NDArray[np.float64], end: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    angle = np.arccos(np.clip(start @ end, -1.0, 1.0))
    if np.sin(angle) < 1e-9:
        return start if share < 1 else end
    point: NDArray[np.float64] = np.sin((1 - share) * angle) * start + np.sin(share * angle) * end
    return point / np.sin(angle)
