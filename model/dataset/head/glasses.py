"""Spectacles: rims around the eyes, a bridge, and temples to the ears, as thick lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.dataset.assets import Floats
from model.dataset.hair.strands import Strands
from model.dataset.head.identity import Identity
from model.dataset.streams import RandomStream

FRAMES = np.array(
    [[0.012, 0.012, 0.013], [0.06, 0.03, 0.015], [0.20, 0.19, 0.18], [0.14, 0.02, 0.03], [0.02, 0.04, 0.09]]
)


@dataclass(frozen=True)
class Glasses:
    """Frames as lines in mesh space, and their linear RGB [3]."""

    lines: Strands
    colour: Floats


def draw_glasses(
    stream: RandomStream, who: Identity, left: Floats, right: Floats, nose_z: float
) -> Glasses | None:
    """Choose spectacles, or none for most.

    Args:
        stream: the face's own "glasses" stream.
        who: the person; the old wear them more often.
        left, right: the eyes' centres [3] in mesh space.
        nose_z: how far the nose's root comes forward.
    """
    if not stream.chance(0.04 if who.is_child else 0.07 + 0.13 * who.old):
        return None
    half = np.array([stream.between(0.225, 0.265), stream.between(0.155, 0.215)])
    square, radius = stream.between(2.0, 4.0), stream.between(0.012, 0.026)
    angle = np.linspace(0.0, 2 * np.pi, 33)
    course = [np.sign(f(angle)) * np.abs(f(angle)) ** (2 / square) for f in (np.cos, np.sin)]
    front = nose_z + 0.10
    rows = []
    for eye, side in ((left, 1.0), (right, -1.0)):
        x = eye[0] + side * 0.015 + half[0] * course[0]
        y = eye[1] - 0.015 + half[1] * course[1]
        rows.append(np.stack([x, y, front - 0.22 * np.maximum(np.abs(x) - 0.2, 0.0) ** 1.2], axis=1))
        outer = eye[0] + side * (half[0] + 0.015)
        t = np.linspace(0.0, 1.0, 33)
        temple = [outer + side * 0.13 * np.sqrt(t), eye[1] + 0.06 + 0 * t, front - 0.12 + (0.35 - front) * t]
        rows.append(np.stack(temple, axis=1))
    t = np.linspace(-1.0, 1.0, 33)
    gap = left[0] - half[0] + 0.015
    rows.append(np.stack([gap * t, left[1] + 0.05 - 0.03 * t * t, front + 0.02 * (1 - t * t)], axis=1))
    points = np.stack(rows).astype(np.float32)
    out = np.broadcast_to(np.array([0.0, 0.5, 0.85], dtype=np.float32), points.shape).copy()
    count = len(points)
    lines = Strands(
        points=points,
        out=out,
        counts=np.full(count, 33, dtype=np.int32),
        tint=np.zeros(count, dtype=np.float32),
        depth=np.ones(count, dtype=np.float32),
        radius=np.full(points.shape[:2], radius, dtype=np.float32),
    )
    colour = FRAMES[stream.pick((0.45, 0.2, 0.15, 0.1, 0.1))]
    return Glasses(lines, colour.astype(np.float32))
