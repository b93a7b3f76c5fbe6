"""One bust as a scene: its surfaces with materials, worn clothes, and what of them each pixel sees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from model.dataset.assets import Floats, Ints, load_assets
from model.dataset.head.mesh import ramp, unit, vertex_normals
from model.dataset.rendering.jit import compiled
from model.dataset.rendering.occlusion import ambient_occlusion
from model.dataset.rendering.rasteriser import Layer
from model.dataset.streams import RandomStream

MATERIALS = ("skin", "eyes", "lashes", "teeth", "tongue", "cloth")
SKIN, EYES, LASHES, TEETH, TONGUE, CLOTH = range(6)


@dataclass(frozen=True)
class Surfaces:
    """All triangles of the bust, the clothes' after the body's.

    Attributes:
        faces: [F, 3] into the vertices of the body, then of the cloth (the body's moved outward).
        uv: [F, 3, 2]; material: [F] of MATERIALS.
    """

    faces: Ints
    uv: Floats
    material: Ints


@dataclass(frozen=True)
class Neckline:
    """Where the clothes begin: a height at the throat, and how deep a V is cut (decimetres)."""

    height: float
    depth: float

    def above(self, rest: Floats) -> Floats:
        """Decimetres by which points [..., 3] at rest lie above the clothes' edge."""
        across = np.abs(rest[..., 0])
        edge = self.height + 0.35 * np.clip(across / 0.8, 0.0, 1.0)
        edge = edge - self.depth * np.clip(1.0 - across / 0.45, 0.0, 1.0) * (rest[..., 2] > 0.3)
        return (rest[..., 1] - edge).astype(np.float32)


@dataclass(frozen=True)
class Seen:
    """What the pixels of the bust see; N pixels.

    Attributes:
        row, column: [N]. material: [N]. rest: canonical places [N, 3]. place: [N, 3] in the picture's axes.
        normal: [N, 3] toward the viewer. uv: [N, 2]. open_sky: [N] ambient occlusion.
    """

    row: Ints
    column: Ints
    material: Ints
    rest: Floats
    place: Floats
    normal: Floats
    uv: Floats
    open_sky: Floats


def draw_neckline(stream: RandomStream) -> Neckline:
    """Choose a crew neck, or a V."""
    return Neckline(stream.between(5.62, 5.88), stream.between(0.1, 0.5) if stream.chance(0.4) else 0.0)


@lru_cache(maxsize=1)
def surfaces() -> Surfaces:
    """The bust's triangles, and those of a garment that follows it."""
    assets = load_assets()
    skin = assets.parts["skin"]
    covered = (assets.rest[skin.faces][:, :, 1] < 6.25).any(axis=1)
    parts = [assets.parts[name] for name in MATERIALS[:-1]]
    faces = [part.faces for part in parts] + [skin.faces[covered] + len(assets.rest)]
    uv = [part.uv for part in parts] + [skin.uv[covered]]
    material = np.repeat(np.arange(len(faces), dtype=np.int32), [len(part) for part in faces])
    return Surfaces(np.concatenate(faces), np.concatenate(uv), material)


def dress(vertices: Floats, normals: Floats, neckline: Neckline) -> Floats:
    """The body's vertices [V, 3], then the cloth's: a little outside below the neckline, inside above it."""
    above = neckline.above(load_assets().rest)
    outward = -0.02 + 0.075 * ramp(0.02, -0.10, above)
    return np.concatenate([vertices, vertices + normals * outward[:, None]]).astype(np.float32)


def visible_faces(neckline: Neckline) -> Ints:
    """Indices of the triangles that are drawn: all but the cloth far above its edge."""
    mesh = surfaces()
    rest = load_assets().rest
    centre = rest[mesh.faces % len(rest)].mean(axis=1)
    hidden = (mesh.material == CLOTH) & (neckline.above(centre) > 0.2)
    return np.flatnonzero(~hidden).astype(np.int32)


def look(layer: Layer, drawn: Ints, turned: Floats, neckline: Neckline) -> Seen:
    """Gather what each pixel of a drawn layer sees.

    Args:
        layer: drawn with the faces `surfaces().faces[drawn]`.
        drawn: indices [D] of those faces.
        turned: vertices [2 V, 3], body and cloth, in the picture's axes.
        neckline: bounds the cloth.
    """
    mesh = surfaces()
    rest = load_assets().rest
    row, column = np.nonzero(layer.index >= 0)
    face = drawn[layer.index[row, column]]
    second, third = layer.place[row, column, 0:1], layer.place[row, column, 1:2]
    share = np.concatenate([1 - second - third, second, third], axis=1)
    corners = mesh.faces[face]
    normals = vertex_normals(turned, mesh.faces)
    normal = unit(_blend(normals, corners, share))
    normal *= np.where(normal[:, 2:] < 0, np.float32(-1), np.float32(1))
    at_rest = corners % len(rest)
    canonical = _blend(rest, at_rest, share)
    material = mesh.material[face]
    material = np.where((material == CLOTH) & (neckline.above(canonical) > 0), SKIN, material)
    return Seen(
        row=row,
        column=column,
        material=material,
        rest=canonical,
        place=_blend(turned, corners, share),
        normal=normal,
        uv=np.einsum("nk,nkd->nd", share, mesh.uv[face]),
        open_sky=_blend(ambient_occlusion()[:, None], at_rest, share)[:, 0],
    )


@compiled
def _blend(values: Floats, corners: Ints, share: Floats) -> Floats:
    """Values [V, D] of three corners [N, 3] mixed by shares [N, 3]."""
    out = np.empty((len(corners), values.shape[1]), dtype=np.float32)
    for n in range(len(corners)):
        for d in range(values.shape[1]):
            first, second, third = corners[n, 0], corners[n, 1], corners[n, 2]
            out[n, d] = (
                share[n, 0] * values[first, d]
                + share[n, 1] * values[second, d]
                + share[n, 2] * values[third, d]
            )
    return out
