"""A walk on the latents' sphere (Shoemake 1985, "Animating rotation with quaternion curves": slerp)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def walk(stops: NDArray[np.float32], steps: int, *, closed: bool) -> NDArray[np.float32]:
    """Latents at even angles from stop to stop.

    Pixel norm puts every latent on a sphere, so straight lines between latents would hurry in the middle.

    Args:
        stops: float32 [N, Z], N at least 2.
        steps: latents from one stop to just before the next, at least 1.
        closed: go back to the first stop, without generating it twice; else end on the last.
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
