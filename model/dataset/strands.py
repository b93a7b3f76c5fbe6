"""Growing strands of hair around the bust at rest: inertia, gravity, a layer to lie in, curls and locks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.dataset.assets import Floats, Ints
from model.dataset.bust_field import LATTICE_STEP, LOW, STEP, bust_field, carry, sample_field
from model.dataset.jit import compiled
from model.dataset.scalp import Roots

FACE_TOP, FACE_MIDDLE = 7.86, 7.0
"""Heights at rest between which the oval that hair keeps free closes; below the middle it stays as wide."""


@dataclass(frozen=True)
class Growth:
    """How each of N strands grows.

    Attributes:
        start: directions [N, 3] in which strands leave the skin.
        length: [N] decimetres.
        height: [N] how high above the skin each lies.
        floor: [N] height y at which each is cut; -inf for none.
        weight, cling, swept: as in HairStyle.
        clear: [N] half the width of the face that a strand keeps free, 0 for none.
        side: [N] the side, 1 or -1, to which it gives way.
        tie, pull: the point [3] to which hair is pulled, and how strongly.
    """

    start: Floats
    length: Floats
    height: Floats
    floor: Floats
    weight: float
    cling: float
    swept: float
    clear: Floats
    side: Floats
    tie: Floats
    pull: float


@dataclass
class Strands:
    """N polylines of L points.

    Attributes:
        points: [N, L, 3]; out: [N, L, 3] unit vectors away from the body.
        counts: [N] points in use. tint: [N] -1..1 brightness. depth: [N] 0 innermost … 1 outermost.
        radius: [N, L] decimetres.
    """

    points: Floats
    out: Floats
    counts: Ints
    tint: Floats
    depth: Floats
    radius: Floats

    @staticmethod
    def joined(groups: list[Strands]) -> Strands:
        """Several groups as one, shorter strands padded with their last point."""
        longest = max(group.points.shape[1] for group in groups)

        def padded(array: Floats) -> Floats:
            missing = longest - array.shape[1]
            return np.concatenate([array, np.repeat(array[:, -1:], missing, axis=1)], axis=1)

        return Strands(
            points=np.concatenate([padded(group.points) for group in groups]),
            out=np.concatenate([padded(group.out) for group in groups]),
            counts=np.concatenate([group.counts for group in groups]),
            tint=np.concatenate([group.tint for group in groups]),
            depth=np.concatenate([group.depth for group in groups]),
            radius=np.concatenate([padded(group.radius) for group in groups]),
        )


def grow(roots: Roots, chosen: Ints, growth: Growth, points: int) -> tuple[Floats, Floats, Ints]:
    """Grow strands from the chosen roots on the bust at rest.

    Args:
        roots: where hair can grow.
        chosen: indices [N] into the roots.
        growth: how each strand grows.
        points: L, points per strand.
    Returns:
        Points [N, L, 3], unit vectors away from the body [N, L, 3], and how many points are in use [N].
    """
    field = bust_field()
    return _grow(
        roots.rest[chosen],
        growth.start,
        growth.length,
        growth.height,
        growth.floor,
        growth.clear,
        growth.side,
        (growth.weight, growth.cling, growth.swept, growth.pull),
        growth.tie,
        points,
        field.distance.reshape(*field.distance.shape, 1),
        field.gradient,
        LOW,
        float(STEP),
    )


@compiled
def _grow(
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
    weight, cling, swept, pull = pulls
    total = rest.shape[0]
    points = np.empty((total, count, 3), dtype=np.float32)
    away = np.empty((total, count, 3), dtype=np.float32)
    counts = np.full(total, count, dtype=np.int32)
    for n in range(total):
        x, y, z = rest[n, 0], rest[n, 1], rest[n, 2]
        dx, dy, dz = start[n, 0], start[n, 1], start[n, 2]
        stride = length[n] / (count - 1)
        nx, ny, nz = 0.0, 0.0, 0.0
        for s in range(count):
            gx = sample_field(gradient, low, step, x, y, z, 0)
            gy = sample_field(gradient, low, step, x, y, z, 1)
            gz = sample_field(gradient, low, step, x, y, z, 2)
            size = np.sqrt(gx * gx + gy * gy + gz * gz) + 1e-6
            gx, gy, gz = gx / size, gy / size, gz / size
            if s == 0:
                nx, ny, nz = gx, gy, gz
            nx, ny, nz = 0.7 * nx + 0.3 * gx, 0.7 * ny + 0.3 * gy, 0.7 * nz + 0.3 * gz
            if s > 0:
                above = sample_field(distance, low, step, x, y, z, 0)
                ceiling = height[n] * min(1.0, s * stride / 0.12)
                lift = ceiling - above
                near = cling if y > 7.0 else 0.0
                move = lift if lift > 0 else near * max(lift, -0.3)
                x, y, z = x + gx * move, y + gy * move, z + gz * move
                bx, by, bz = x - points[n, s - 1, 0], y - points[n, s - 1, 1], z - points[n, s - 1, 2]
                size = np.sqrt(bx * bx + by * by + bz * bz) + 1e-6
                dx, dy, dz = bx / size, by / size, bz / size
            points[n, s, 0], points[n, s, 1], points[n, s, 2] = x, y, z
            away[n, s, 0], away[n, s, 1], away[n, s, 2] = nx, ny, nz
            if counts[n] == count and y < floor[n] and s > 1:
                counts[n] = s + 1
                for rest_s in range(s + 1, count):
                    points[n, rest_s] = points[n, s]
                    away[n, rest_s] = away[n, s]
                break
            if pull > 0:
                tx, ty, tz = tie[0] - x, tie[1] - y, tie[2] - z
                far = np.sqrt(tx * tx + ty * ty + tz * tz) + 1e-6
                if far < 0.12:
                    counts[n] = s + 1
                    for rest_s in range(s + 1, count):
                        points[n, rest_s] = points[n, s]
                        away[n, rest_s] = away[n, s]
                    break
                dx, dy, dz = dx + pull * tx / far, dy + pull * ty / far, dz + pull * tz / far
            dx, dy, dz = dx * (1 - weight), dy * (1 - weight) - weight, dz * (1 - weight)
            if y < 7.1:
                dz -= swept * weight
            size = np.sqrt(dx * dx + dy * dy + dz * dz) + 1e-6
            dx, dy, dz = dx / size, dy / size, dz / size
            x, y, z = x + dx * stride, y + dy * stride, z + dz * stride
            if clear[n] > 0 and y < FACE_TOP and z > (0.45 if y > 6.75 else -0.25):
                high = max(0.0, y - FACE_MIDDLE) / (FACE_TOP - FACE_MIDDLE)
                edge = clear[n] * np.sqrt(1.0 - high * high)
                if x * side[n] < edge:
                    x += (edge * side[n] - x) * 0.7
    return points, away, counts


def curl(points: Floats, arc: Floats, phase: Floats, amplitude: float, turns: float) -> Floats:
    """Wind strands around their own course.

    Args:
        points: [N, L, 3].
        arc: length along each strand [N, L].
        phase: [N] radians; equal phases wave together.
        amplitude: radius in decimetres, reached a little way from the root.
        turns: radians per decimetre.
    """
    angle = arc * turns + phase[:, None]
    grown = amplitude * np.clip(arc / 0.15, 0.0, 1.0)
    tangent = np.gradient(points, axis=1)
    right = np.stack([tangent[..., 2], 0 * angle, -tangent[..., 0]], axis=-1)
    right /= np.linalg.norm(right, axis=-1, keepdims=True) + 1e-6
    up = np.cross(tangent, right)
    up /= np.linalg.norm(up, axis=-1, keepdims=True) + 1e-6
    swing = np.cos(angle)[..., None] * right + np.sin(angle)[..., None] * up
    wound: Floats = (points + grown[..., None] * swing).astype(np.float32)
    return wound


def gather(points: Floats, leaders: Ints, amount: float) -> Floats:
    """Pull strands toward the leader of their lock, more toward the tips.

    Args:
        points: [N, L, 3].
        leaders: [N] index of the strand that leads; itself where it has none.
        amount: 0 none … 1 all tips of a lock in one place.
    """
    pull = (amount * np.linspace(0.0, 1.0, points.shape[1]) ** 1.2).astype(np.float32)[None, :, None]
    return points + pull * (points[leaders] - points)


def wear(points: Floats, offsets: Floats, roots: Floats) -> Floats:
    """Carry strands from the bust at rest to a person's head.

    The lattice alone is smooth and would lift or bury roots a little; the rest of a root's way is added to
    its strand, fading toward the tip.

    Args:
        points: [N, L, 3] at rest.
        offsets: what the vertices moved by, [V, 3].
        roots: where the roots really are now, [N, 3].
    """
    lattice = bust_field().lattice(offsets)
    worn = carry(points.reshape(-1, 3), lattice, LOW, LATTICE_STEP).reshape(points.shape)
    fade = np.linspace(1.0, 0.3, points.shape[1], dtype=np.float32)[None, :, None]
    return worn + fade * (roots - worn[:, 0])[:, None]
