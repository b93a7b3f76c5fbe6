"""How much of the sky each point of the bust sees: computed once, on the average head."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from model.dataset.assets import Floats, Ints, load_assets
from model.dataset.head.mesh import unit, vertex_normals
from model.dataset.head.shapes import load_shapes
from model.dataset.rendering.rasteriser import Layer

DIRECTIONS, SIDE, SPAN = 80, 200, 4.4
CENTRE = np.array([0.0, 7.2, 0.5], dtype=np.float32)


@lru_cache(maxsize=1)
def ambient_occlusion() -> Floats:
    """Share of light from above and around that reaches each vertex [V], 0 hidden … 1 open.

    Depth maps from many directions (a spiral over the sphere, none from below) vote, weighted by the cosine.
    """
    assets = load_assets()
    sexes = [
        f"{people}-{sex}-young" for people in ("african", "asian", "caucasian") for sex in ("male", "female")
    ]
    vertices = load_shapes().deform(dict.fromkeys(sexes, 1 / 6))
    faces = np.concatenate([part.faces for part in assets.parts.values()])
    normals = vertex_normals(vertices, faces)
    seen = np.zeros(len(vertices), dtype=np.float32)
    total = np.full(len(vertices), 1e-6, dtype=np.float32)
    for direction in _spiral():
        cosine = np.clip(normals @ direction, 0.0, None)
        seen += cosine * _visible(vertices, assets.parts["skin"].faces, direction)
        total += cosine
    return _smoothed((seen / total).astype(np.float32), faces)


def _spiral() -> Floats:
    """Evenly spread unit vectors [N, 3] with y above -0.45."""
    k = np.arange(DIRECTIONS) + 0.5
    y = 1.0 - 1.45 * k / DIRECTIONS
    angle = k * np.pi * (3.0 - np.sqrt(5.0))
    radius = np.sqrt(1.0 - y * y)
    return np.stack([radius * np.cos(angle), y, radius * np.sin(angle)], axis=1).astype(np.float32)


def _visible(vertices: Floats, faces: Ints, direction: Floats) -> Floats:
    """1.0 for every vertex that is seen from far away in that direction."""
    up = np.array([0.0, 0.0, 1.0] if abs(direction[1]) > 0.9 else [0.0, 1.0, 0.0], dtype=np.float32)
    right = unit(np.cross(up, direction).astype(np.float32))
    frame = np.stack([right, np.cross(direction, right), direction], axis=1)
    points = ((vertices - CENTRE) @ frame).astype(np.float32)
    points[:, :2] = points[:, :2] * (SIDE / SPAN) + SIDE / 2
    layer = Layer(SIDE)
    layer.triangles(points, faces)
    pixel = np.clip(points[:, :2].astype(int), 0, SIDE - 1)
    seen: Floats = (points[:, 2] > layer.depth[pixel[:, 1], pixel[:, 0]] - 0.035).astype(np.float32)
    return seen


def _smoothed(values: Floats, faces: Ints) -> Floats:
    """Twice the mean over neighbouring vertices: few directions give noisy votes."""
    for _ in range(2):
        total, count = np.zeros_like(values), np.zeros_like(values)
        for a in range(3):
            for b in range(3):
                np.add.at(total, faces[:, a], values[faces[:, b]])
                np.add.at(count, faces[:, a], 1.0)
        values = np.where(count > 0, total / np.maximum(count, 1.0), values).astype(np.float32)
    return values
