"""Where hair can grow: the hairline, in angles around the skull, and thousands of fixed places for roots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model.dataset.assets import Floats, Ints, load_assets
from model.dataset.head.mesh import bump, ramp, unit, vertex_normals
from model.dataset.rendering.occlusion import ambient_occlusion
from model.dataset.streams import RandomStream, stream

SKULL_CENTRE = np.array([0.0, 7.55, 0.5], dtype=np.float32)
ROOTS = 16000
GUIDES = 320
"""The first so many roots lead a lock of hair each."""

AZIMUTH = (0, 20, 38, 50, 60, 66, 72, 80, 90, 104, 116, 130, 150, 180)
"""Degrees from the nose around to the nape; the hairline below is read off the mesh at these."""


@dataclass(frozen=True)
class Hairline:
    """A person's hairline, in degrees.

    Attributes:
        front: polar angle from the crown at the middle of the forehead; smaller is higher.
        temples: how far the corners of the forehead run up.
        sideburns: how far hair comes down before the ears.
        widow: how far the middle of the forehead points down.
        bald: polar angle down to which crown and forehead are bare, 0 for none.
    """

    front: float
    temples: float
    sideburns: float
    widow: float
    bald: float

    def inside(self, polar: Floats, azimuth: Floats) -> Floats:
        """Degrees that points lie within the hair; negative outside.

        Args:
            polar: degrees from the crown.
            azimuth: degrees around it, 0 at the nose, positive to the figure's left.
        """
        front, side = self.front, 98.0 + self.sideburns
        table = (
            *(front, front - self.widow, front + 3.0 - self.temples, front + 11.0 - self.temples),
            *(84.0, side, side, 88.0, 85.0, 92.0, 108.0, 121.0, 127.0, 129.0),
        )
        edge = np.interp(np.abs(azimuth), AZIMUTH, table) - polar
        if self.bald > 0:
            below_crown = polar - self.bald + 20.0 * ramp(80.0, 140.0, np.abs(azimuth))
            edge = np.minimum(edge, np.minimum(below_crown, np.abs(azimuth) - 58.0))
        return edge.astype(np.float32)


@dataclass(frozen=True)
class Roots:
    """Places on the skin from which strands grow.

    Attributes:
        corners: vertices [N, 3] of the triangle that each root sits on.
        blend: weights [N, 3] of those corners.
        rest: positions [N, 3] on the bust at rest, and their normals.
        polar, azimuth: degrees [N] around the skull.
        guide: [N] the root that leads this one's lock, below `GUIDES`.
        dice: [N, 4] fixed uniform numbers per root.
    """

    corners: Ints
    blend: Floats
    rest: Floats
    normal: Floats
    polar: Floats
    azimuth: Floats
    guide: Ints
    dice: Floats

    def on(self, vertices: Floats) -> Floats:
        """The roots' positions [N, 3] on deformed vertices [V, 3]."""
        places: Floats = np.einsum("nk,nkd->nd", self.blend, vertices[self.corners]).astype(np.float32)
        return places


def skull_angles(points: Floats) -> tuple[Floats, Floats]:
    """Polar angle from the crown and azimuth from the nose, in degrees, of points [..., 3] at rest."""
    away = points - SKULL_CENTRE
    radius = np.sqrt((away * away).sum(axis=-1)) + 1e-9
    polar = np.degrees(np.arccos(np.clip(away[..., 1] / radius, -1.0, 1.0)))
    azimuth = np.degrees(np.arctan2(away[..., 0], away[..., 2]))
    return polar.astype(np.float32), azimuth.astype(np.float32)


@lru_cache(maxsize=1)
def ear_vertices() -> Ints:
    """Indices of the vertices that make up the ears."""
    targets = load_assets().targets
    moved = []
    for name in ("l-ear-scale-incr", "r-ear-scale-incr"):
        index, offset = targets[name]
        length = np.linalg.norm(offset, axis=1)
        moved.append(index[length > 0.25 * length.max()])
    return np.concatenate(moved)


@lru_cache(maxsize=1)
def scalp_roots() -> Roots:
    """Roots over all skin that any hairline can reach."""
    widest = Hairline(front=76.0, temples=0.0, sideburns=12.0, widow=0.0, bald=0.0)
    return _scatter(ROOTS, lambda p: widest.inside(*skull_angles(p)) > 0)


@lru_cache(maxsize=1)
def beard_roots() -> Roots:
    """Roots over the lower face."""
    return _scatter(6500, lambda p: beard_area(p) > 0.15)


def beard_area(points: Floats) -> Floats:
    """How much a full beard covers points [..., 3] at rest, 0..1: jaw, chin, upper lip, not the lips."""
    x, y, z = np.abs(points[..., 0]), points[..., 1], points[..., 2]
    cheeks = ramp(6.90, 6.68, y - 0.24 * ramp(0.46, 0.70, x)) * ramp(0.2, 0.5, z) * ramp(6.1, 6.25, y)
    mouth = np.exp(-((x / 0.26) ** 2 + ((y - 6.615) / 0.095) ** 2) * 1.6)
    moustache = bump(6.765, 0.055, y) * ramp(0.36, 0.22, x) * ramp(1.15, 1.2, z)
    cover: Floats = np.clip(cheeks * (1.0 - mouth) + moustache, 0.0, 1.0).astype(np.float32)
    return cover


def _scatter(count: int, wanted: Callable[[Floats], NDArray[np.bool_]]) -> Roots:
    """Spread roots evenly by area over the skin where `wanted(points)` holds, ears left out."""
    assets = load_assets()
    dice = stream(0, "roots")
    faces = assets.parts["skin"].faces
    open_air = ambient_occlusion()[faces].min(axis=1) > 0.12
    faces = faces[open_air & ~np.isin(faces, ear_vertices()).any(axis=1)]
    corners = assets.rest[faces]
    faces = faces[wanted(corners.mean(axis=1))]
    corners = assets.rest[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    chosen = np.searchsorted(np.cumsum(area) / area.sum(), dice.random_sample(count)).clip(0, len(faces) - 1)
    blend = _blends(dice, count)
    normals = vertex_normals(assets.rest, assets.parts["skin"].faces)
    rest = np.einsum("nk,nkd->nd", blend, assets.rest[faces[chosen]]).astype(np.float32)
    normal = unit(np.einsum("nk,nkd->nd", blend, normals[faces[chosen]]).astype(np.float32))
    polar, azimuth = skull_angles(rest)
    apart = ((rest[:, None] - rest[None, :GUIDES]) ** 2).sum(axis=-1)
    guide = apart.argmin(axis=1).astype(np.int32)
    numbers = dice.random_sample((count, 4)).astype(np.float32)
    return Roots(faces[chosen], blend, rest, normal, polar, azimuth, guide, numbers)


def _blends(dice: RandomStream, count: int) -> Floats:
    """Corner weights [count, 3] that are uniform over a triangle."""
    first = np.sqrt(dice.random_sample(count))
    second = dice.random_sample(count)
    return np.stack([1.0 - first, first * (1.0 - second), first * second], axis=1).astype(np.float32)
