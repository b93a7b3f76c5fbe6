"""Growing strands of hair around the bust at rest: inertia, gravity, a layer to lie in, curls and locks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.dataset.assets import Floats, Ints
from model.dataset.hair.bust_field import LATTICE_STEP, LOW, STEP, bust_field, carry
from model.dataset.hair.growing import grow_strands
from model.dataset.hair.scalp import Roots


@dataclass(frozen=True)
class HairGrowth:
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


def grow(roots: Roots, chosen: Ints, growth: HairGrowth, points: int) -> tuple[Floats, Floats, Ints]:
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
    return grow_strands(
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
