"""The space around the bust at rest: distance to the skin, and a lattice that carries points along."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import sparse
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from model.dataset.assets import Floats, load_assets
from model.dataset.head.mesh import vertex_normals
from model.dataset.rendering.jit import compiled
from model.dataset.rendering.occlusion import ambient_occlusion

LOW = np.array([-2.4, 4.6, -1.7], dtype=np.float32)
HIGH = np.array([2.4, 9.1, 2.5], dtype=np.float32)
STEP = np.float32(0.075)
LATTICE_STEP = 0.30


@dataclass(frozen=True)
class BustField:
    """Precomputed facts about the air around the average bust.

    Attributes:
        distance: [X, Y, Z] decimetres to the skin, negative inside, on a grid of STEP from LOW.
        gradient: [X, Y, Z, 3] its gradient: the way out.
        carriers: sparse [lattice nodes, V]; times the vertices' offsets, the offsets of the lattice.
        lattice_shape: nodes along x, y, z.
    """

    distance: Floats
    gradient: Floats
    carriers: sparse.csr_matrix
    lattice_shape: tuple[int, int, int]

    def lattice(self, offsets: Floats) -> Floats:
        """Offsets [X, Y, Z, 3] of the lattice for vertices that moved by offsets [V, 3]."""
        moved = self.carriers @ offsets
        return np.ascontiguousarray(moved, dtype=np.float32).reshape(*self.lattice_shape, 3)


@lru_cache(maxsize=1)
def bust_field() -> BustField:
    """Measure the field once per process."""
    assets = load_assets()
    faces = assets.parts["skin"].faces
    open_air = ambient_occlusion()[faces].min(axis=1) > 0.12
    faces = faces[open_air]
    corners = assets.rest[faces]
    normals = vertex_normals(assets.rest, faces)[faces]
    blends = np.array([[1, 1, 1], [4, 1, 1], [1, 4, 1], [1, 1, 4]], dtype=np.float32)
    blends /= blends.sum(axis=1, keepdims=True)
    samples = np.einsum("kc,fcd->fkd", blends, corners).reshape(-1, 3)
    facing = np.einsum("kc,fcd->fkd", blends, normals).reshape(-1, 3)
    shape = tuple(int(n) for n in np.ceil((HIGH - LOW) / STEP) + 1)
    nodes = LOW + STEP * np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    far, nearest = cKDTree(samples).query(nodes.reshape(-1, 3))
    outside = ((nodes.reshape(-1, 3) - samples[nearest]) * facing[nearest]).sum(axis=1) > 0
    signed = np.where(outside, far, -far).reshape(shape)
    distance = gaussian_filter(signed, 0.8).astype(np.float32)
    gradient = np.stack(np.gradient(gaussian_filter(distance, 1.0), float(STEP)), axis=-1).astype(np.float32)
    skin = np.unique(faces)
    return BustField(distance, gradient, *_carriers(assets.rest[skin], skin, len(assets.rest)))


def _carriers(points: Floats, index: Floats, count: int) -> tuple[sparse.csr_matrix, tuple[int, int, int]]:
    """Every lattice node follows the sixteen skin vertices nearest to it."""
    shape = tuple(int(n) for n in np.ceil((HIGH - LOW) / LATTICE_STEP) + 1)
    nodes = LOW + LATTICE_STEP * np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    far, nearest = cKDTree(points).query(nodes.reshape(-1, 3), k=16)
    weights = 1.0 / (far + 0.1) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(len(weights)), 16)
    matrix = sparse.csr_matrix((weights.ravel(), (rows, index[nearest].ravel())), shape=(len(weights), count))
    return matrix.astype(np.float32), (shape[0], shape[1], shape[2])


@compiled
def sample_field(
    field: Floats, low: Floats, step: float, x: float, y: float, z: float, channel: int
) -> float:
    """Trilinear value of one channel of a grid [X, Y, Z, C] at a point, held constant outside the grid."""
    gx = min(max((x - low[0]) / step, 0.0), field.shape[0] - 1.001)
    gy = min(max((y - low[1]) / step, 0.0), field.shape[1] - 1.001)
    gz = min(max((z - low[2]) / step, 0.0), field.shape[2] - 1.001)
    i, j, k = int(gx), int(gy), int(gz)
    u, v, w = gx - i, gy - j, gz - k
    total = 0.0
    for a in range(2):
        for b in range(2):
            share = (u if a else 1.0 - u) * (v if b else 1.0 - v)
            near, far = field[i + a, j + b, k, channel], field[i + a, j + b, k + 1, channel]
            total += share * (near * (1.0 - w) + far * w)
    return total


@compiled
def carry(points: Floats, lattice: Floats, low: Floats, step: float) -> Floats:
    """Points [N, 3] at rest, moved by the lattice's offsets."""
    out = np.empty_like(points)
    for n in range(points.shape[0]):
        for c in range(3):
            x, y, z = points[n, 0], points[n, 1], points[n, 2]
            out[n, c] = points[n, c] + sample_field(lattice, low, step, x, y, z, c)
    return out
