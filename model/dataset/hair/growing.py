"""The kernels that let a strand of hair grow, step by step, through the space around the bust."""

from __future__ import annotations

import numpy as np

from model.dataset.assets import Floats, Ints
from model.dataset.hair.bust_field import sample_field
from model.dataset.rendering.jit import compiled

FACE_TOP, FACE_MIDDLE = 7.86, 7.0
"""Heights at rest between which the oval that hair keeps free closes; below the middle it stays as wide."""

CHEEKS, MOUTH = 7.1, 6.75
"""Heights at rest: loose hair is swept back below the first, and kept off the neck below the second."""

Vector = tuple[float, float, float]


@compiled
def grow_strands(
    rest: Floats,
    start: Floats,
    length: Floats,
    height: Floats,
    floor: Floats,
    clear: Floats,
    side: Floats,
    pulls: tuple[float, float, float, float],
    tie: Floats,
    count: int,
    distance: Floats,
    gradient: Floats,
    low: Floats,
    step: float,
) -> tuple[Floats, Floats, Ints]:
    """Grow N strands of `count` points; the arguments are fields of `strands.HairGrowth` and `BustField`.

    Args:
        rest: roots [N, 3]. pulls: weight, cling, swept, pull. distance: [X, Y, Z, 1].
    Returns:
        Points [N, L, 3], unit vectors away from the body [N, L, 3], and how many points are in use [N].
    """
    weight, cling, swept, pull = pulls
    total = rest.shape[0]
    points = np.empty((total, count, 3), dtype=np.float32)
    away = np.empty((total, count, 3), dtype=np.float32)
    counts = np.full(total, count, dtype=np.int32)
    for n in range(total):
        at = (rest[n, 0] + 0.0, rest[n, 1] + 0.0, rest[n, 2] + 0.0)
        along = (start[n, 0] + 0.0, start[n, 1] + 0.0, start[n, 2] + 0.0)
        stride = length[n] / (count - 1)
        smooth = _outward(gradient, low, step, at)
        for s in range(count):
            out = _outward(gradient, low, step, at)
            smooth = _mixed(smooth, out)
            if s > 0:
                above = sample_field(distance, low, step, at[0], at[1], at[2], 0)
                lift = height[n] * min(1.0, s * stride / 0.12) - above
                at = _layered(at, out, lift, cling)
                along = _unit(
                    at[0] - points[n, s - 1, 0], at[1] - points[n, s - 1, 1], at[2] - points[n, s - 1, 2]
                )
            for k in range(3):
                points[n, s, k] = at[k]
                away[n, s, k] = smooth[k]
            arrived = pull > 0 and _far(tie, at) < 0.12
            if arrived or (at[1] < floor[n] and s > 1):
                counts[n] = s + 1
                points[n, s + 1 :] = points[n, s]
                away[n, s + 1 :] = away[n, s]
                break
            along = _steered(along, at, tie, pull, weight, swept)
            at = (at[0] + along[0] * stride, at[1] + along[1] * stride, at[2] + along[2] * stride)
            if clear[n] > 0:
                at = _beside_the_face(at, clear[n], side[n])
    return points, away, counts


@compiled
def _unit(x: float, y: float, z: float) -> Vector:
    size = np.sqrt(x * x + y * y + z * z) + 1e-6
    return x / size, y / size, z / size


@compiled
def _far(tie: Floats, at: Vector) -> float:
    """How far a point is from where hair is tied."""
    x, y, z = tie[0] - at[0], tie[1] - at[1], tie[2] - at[2]
    return float(np.sqrt(x * x + y * y + z * z) + 1e-6)


@compiled
def _outward(gradient: Floats, low: Floats, step: float, at: Vector) -> Vector:
    """The way out of the body at a point, as a unit vector."""
    return _unit(
        sample_field(gradient, low, step, at[0], at[1], at[2], 0),
        sample_field(gradient, low, step, at[0], at[1], at[2], 1),
        sample_field(gradient, low, step, at[0], at[1], at[2], 2),
    )


@compiled
def _mixed(old: Vector, new: Vector) -> Vector:
    """A running mean: the field bends sharply at neck and shoulders, the surface of hair does not."""
    return 0.7 * old[0] + 0.3 * new[0], 0.7 * old[1] + 0.3 * new[1], 0.7 * old[2] + 0.3 * new[2]


@compiled
def _layered(at: Vector, out: Vector, lift: float, cling: float) -> Vector:
    """Push a point up to its layer if it is below; above it let it sink back, but only where a head is."""
    near = cling if at[1] > FACE_MIDDLE else 0.0
    move = lift if lift > 0 else near * max(lift, -0.3)
    return at[0] + out[0] * move, at[1] + out[1] * move, at[2] + out[2] * move


@compiled
def _steered(along: Vector, at: Vector, tie: Floats, pull: float, weight: float, swept: float) -> Vector:
    """The next direction: inertia, the tie's pull, gravity, and a push back below the cheeks."""
    x, y, z = along
    if pull > 0:
        far = _far(tie, at)
        x, y, z = (
            x + pull * (tie[0] - at[0]) / far,
            y + pull * (tie[1] - at[1]) / far,
            z + pull * (tie[2] - at[2]) / far,
        )
    x, y, z = x * (1 - weight), y * (1 - weight) - weight, z * (1 - weight)
    if at[1] < CHEEKS:
        z -= swept * weight
    return _unit(x, y, z)


@compiled
def _beside_the_face(at: Vector, clear: float, side: float) -> Vector:
    """Move a point that would hang in the face, or in front of the neck, most of the way to its own side."""
    x, y, z = at
    if y < FACE_TOP and z > (0.45 if y > MOUTH else -0.25):
        high = max(0.0, y - FACE_MIDDLE) / (FACE_TOP - FACE_MIDDLE)
        edge = clear * np.sqrt(1.0 - high * high)
        if x * side < edge:
            x += (edge * side - x) * 0.7
    return x, y, z
