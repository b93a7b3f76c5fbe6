"""Small facts about triangle meshes: normals, and smooth steps between two values."""

from __future__ import annotations

import numpy as np

from model.dataset.assets import Floats, Ints
from model.dataset.rendering.jit import compiled


@compiled
def vertex_normals(vertices: Floats, faces: Ints) -> Floats:
    """Area-weighted unit normals [V, 3] of triangles [F, 3] over vertices [V, 3]."""
    normals = np.zeros_like(vertices)
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = (
            vertices[b, 0] - vertices[a, 0],
            vertices[b, 1] - vertices[a, 1],
            vertices[b, 2] - vertices[a, 2],
        )
        vx, vy, vz = (
            vertices[c, 0] - vertices[a, 0],
            vertices[c, 1] - vertices[a, 1],
            vertices[c, 2] - vertices[a, 2],
        )
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in range(3):
            v = faces[f, k]
            normals[v, 0] += nx
            normals[v, 1] += ny
            normals[v, 2] += nz
    for v in range(vertices.shape[0]):
        length = np.sqrt(normals[v, 0] ** 2 + normals[v, 1] ** 2 + normals[v, 2] ** 2) + np.float32(1e-9)
        normals[v, 0] /= length
        normals[v, 1] /= length
        normals[v, 2] /= length
    return normals


def ramp(low: float, high: float, x: Floats) -> Floats:
    """Hermite step: 0 at `low`, 1 at `high`, smooth between; `low` above `high` falls instead of rising."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    risen: Floats = (t * t * (3.0 - 2.0 * t)).astype(np.float32)
    return risen


def bump(centre: float, width: float, x: Floats) -> Floats:
    """Gaussian of unit height."""
    height: Floats = np.exp(-(((x - centre) / width) ** 2)).astype(np.float32)
    return height


def unit(vectors: Floats) -> Floats:
    """Vectors [..., 3] scaled to length one."""
    lengths = np.sqrt(np.einsum("...k,...k->...", vectors, vectors))[..., None]
    scaled: Floats = (vectors / np.maximum(lengths, 1e-8)).astype(np.float32)
    return scaled
