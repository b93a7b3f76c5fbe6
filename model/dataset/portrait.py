"""One seeded portrait: draw a person, pose, light and backdrop, and render them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from model.dataset.assets import Floats, Ints, load_assets
from model.dataset.hair.hair import make_beard, make_hair
from model.dataset.hair.hair_style import SHORT
from model.dataset.hair.scalp import beard_roots
from model.dataset.hair.strands import Strands
from model.dataset.head.eyes import draw_gaze, paint_eyes
from model.dataset.head.glasses import draw_glasses
from model.dataset.head.mesh import ramp, vertex_normals
from model.dataset.head.shapes import load_shapes
from model.dataset.head.skin import beard_cover, paint_skin
from model.dataset.portrait_parameters import PortraitParameters, draw_portrait_parameters
from model.dataset.rendering.background import draw_background
from model.dataset.rendering.camera import Camera, aim
from model.dataset.rendering.light import ShadowMap
from model.dataset.rendering.rasteriser import Layer
from model.dataset.rendering.scene import (
    CLOTH,
    EYES,
    LASHES,
    SKIN,
    TEETH,
    TONGUE,
    Seen,
    dress,
    look,
    surfaces,
    visible_faces,
)
from model.dataset.rendering.shading import develop, shade_strands, shade_surfaces
from model.dataset.streams import RandomStream, stream

SUPERSAMPLING = 2

CLOTHES = np.array(
    [
        [0.012, 0.014, 0.022],
        [0.48, 0.48, 0.49],
        [0.10, 0.016, 0.02],
        [0.017, 0.045, 0.11],
        [0.045, 0.085, 0.06],
        [0.21, 0.16, 0.10],
        [0.02, 0.02, 0.02],
        [0.17, 0.075, 0.12],
        [0.085, 0.16, 0.25],
        [0.13, 0.13, 0.14],
    ]
)
"""Linear RGB of plain garments."""


def render_portrait(seed: int, size: int) -> NDArray[np.uint8]:
    """Render a synthetic face.

    Args:
        seed: the face's seed, in [0, 2**63).
        size: side in pixels, even; the renderer is made for 32 to 512.
    Returns:
        uint8 [size, size, 3], RGB; the same for a seed and size in every process of a machine.
    Raises:
        AssetsError: the 3D data is not installed.
    """
    parameters = draw_portrait_parameters(seed)
    head = _Head(seed, parameters, size * SUPERSAMPLING)
    picture = draw_background(stream(seed, "background"), head.size)
    return develop(head.paint(picture), SUPERSAMPLING)


@lru_cache(maxsize=1)
def _places() -> dict[str, Ints]:
    """Vertices by which eyes, mouth and the root of the nose are found."""
    assets = load_assets()
    eyes = np.unique(assets.parts["eyes"].faces)
    skin = np.unique(assets.parts["skin"].faces)
    rest = assets.rest[skin]
    nose = np.abs(rest - np.array([0.0, 7.27, 1.48])).sum(axis=1)
    mouth = np.abs(rest - np.array([0.0, 6.607, 1.5])).sum(axis=1)
    return {
        "left": eyes[assets.rest[eyes, 0] > 0],
        "right": eyes[assets.rest[eyes, 0] < 0],
        "nose": skin[np.argsort(nose)[:4]],
        "mouth": skin[np.argsort(mouth)[:8]],
    }


class _Head:
    """A portrait's geometry in front of the camera, and the steps that paint it."""

    def __init__(self, seed: int, parameters: PortraitParameters, size: int) -> None:
        self.seed, self.parameters, self.size = seed, parameters, size
        weights = dict(parameters.identity.weights)
        for name, weight in parameters.expression.items():
            weights[name] = weights.get(name, 0.0) + weight
        calm = load_shapes().deform(parameters.identity.weights)
        self.vertices = load_shapes().deform(weights)
        left, right, nose, mouth = (calm[index].mean(axis=0) for index in _places().values())
        self.eyes = (
            self.vertices[_places()["left"]].mean(axis=0),
            self.vertices[_places()["right"]].mean(axis=0),
        )
        self.camera: Camera = aim(stream(seed, "camera"), left, right, mouth, size)
        normals = vertex_normals(self.vertices, surfaces().faces[surfaces().material != CLOTH])
        self.turned = self.camera.turned(dress(self.vertices, normals, parameters.neckline))
        self.drawn = visible_faces(parameters.neckline)
        self.hair = make_hair(stream(seed, "hair"), parameters.style, parameters.line, self.vertices)
        self.beard = self._beard(stream(seed, "beard"))
        self.glasses = draw_glasses(stream(seed, "glasses"), parameters.identity, *self.eyes, float(nose[2]))

    def paint(self, picture: Floats) -> Floats:
        """Paint the bust, then hair, beard and glasses, over a backdrop [S, S, 3]."""
        solid = Layer(self.size)
        solid.triangles(self.camera.project(self.turned), surfaces().faces[self.drawn])
        seen = look(solid, self.drawn, self.turned, self.parameters.neckline)
        groups = [
            (self.hair, self.parameters.complexion.hair, self._shine()),
            (self.beard, self._beard_colour(), 0.2),
        ]
        if self.glasses is not None:
            groups.append((self.glasses.lines, self.glasses.colour, 1.5))
        shadow = self._shadow()
        layers = []
        depth = solid.depth
        for strands, colour, shine in groups:
            if strands is not None:
                layer, turned = self._strands(strands, depth)
                out = strands.out @ self.camera.turn.T
                layers.append(
                    shade_strands(layer, strands, turned, out, colour, self.parameters.light, shadow, shine)
                )
                depth = np.maximum(depth, layer.depth)
        near_hair = self._near_hair(layers) if self.hair is not None else np.zeros_like(depth)
        picture[seen.row, seen.column] = self._surface_colours(seen, shadow, near_hair[seen.row, seen.column])
        for row, column, colour in layers:
            picture[row, column] = colour
        return picture

    def _strands(self, strands: Strands, depth: Floats) -> tuple[Layer, Floats]:
        """Draw lines into a layer in front of what is there already."""
        turned = self.camera.turned(strands.points)
        counts = strands.counts
        if strands is self.hair and self.parameters.style.top < SHORT:
            hidden = strands.out[:, 0] @ self.camera.turn[2] < -0.4
            counts = np.where(hidden, 0, counts).astype(np.int32)
        layer = Layer(self.size, depth)
        radius = np.maximum(strands.radius * self.camera.scale, 0.75)
        layer.lines(self.camera.project(turned), counts, radius)
        return layer, turned

    def _shadow(self) -> ShadowMap:
        """The key lamp's view of the bust and a part of the hair."""
        shadow = ShadowMap(self.parameters.light)
        material = surfaces().material[self.drawn]
        shadow.add_faces(self.turned, surfaces().faces[self.drawn[(material == SKIN) | (material == CLOTH)]])
        if self.hair is not None:
            every = slice(None, None, 4)
            turned = self.camera.turned(self.hair.points[every])
            shadow.add_strands(turned, self.hair.counts[every], 1.9 * self.hair.radius[every])
        return shadow

    def _near_hair(self, layers: list[tuple[Ints, Ints, Floats]]) -> Floats:
        """How much hair is around each pixel [S, S], 0..1: it keeps ambient light away."""
        mask = np.zeros((self.size, self.size), dtype=np.float32)
        mask[layers[0][0], layers[0][1]] = 1.0
        around: Floats = gaussian_filter(mask, self.size / 50)
        return around

    def _surface_colours(self, seen: Seen, shadow: ShadowMap, near_hair: Floats) -> Floats:
        """Albedo by material, then light."""
        who = self.parameters.complexion
        albedo = np.zeros_like(seen.rest)
        lip, glint = np.zeros(len(albedo), dtype=np.float32), np.zeros(len(albedo), dtype=np.float32)
        open_sky = seen.open_sky * (1 - 0.45 * near_hair)
        skin, eyes, teeth = (seen.material == kind for kind in (SKIN, EYES, TEETH))
        albedo[skin], lip[skin] = paint_skin(
            seen.rest[skin], seen.uv[skin], who, self.parameters.line, self._scalp()
        )
        centres = tuple(self.camera.turned(eye) for eye in self.eyes)
        gaze = draw_gaze(stream(self.seed, "gaze"), self.camera.turn)
        albedo[eyes], glint[eyes] = paint_eyes(
            seen.place[eyes], (centres[0], centres[1]), who.iris, gaze, self.parameters.light
        )
        open_sky[eyes] = 0.55 + 0.45 * ramp(7.42, 7.30, seen.rest[eyes, 1])
        albedo[teeth] = [0.84, 0.80, 0.71]
        open_sky[teeth] = 0.45 + 0.55 * ramp(0.36, 0.08, np.abs(seen.rest[teeth, 0]))
        albedo[seen.material == TONGUE] = [0.30, 0.07, 0.07]
        albedo[seen.material == LASHES] = 0.25 * who.hair + 0.08 * who.skin
        albedo[seen.material == CLOTH] = self._cloth(stream(self.seed, "cloth"))
        return shade_surfaces(seen, albedo, lip, glint, open_sky, self.parameters.light, shadow)

    def _cloth(self, dice: RandomStream) -> Floats:
        colour = (
            CLOTHES[dice.randint(len(CLOTHES))] * dice.between(0.7, 1.4) * (1 + dice.uniform(-0.1, 0.1, 3))
        )
        dyed: Floats = np.clip(colour, 0.008, 0.8).astype(np.float32)
        return dyed

    def _scalp(self) -> float:
        """How dark the scalp is: as dense as the hair on it."""
        return {"bald": 0.22, "buzz": 0.75}.get(self.parameters.style.name, 0.92)

    def _shine(self) -> float:
        return 0.3 if self.parameters.style.name in ("curly", "afro", "buzz") else 1.0

    def _beard_colour(self) -> Floats:
        return 0.85 * self.parameters.complexion.hair

    def _beard(self, dice: RandomStream) -> Strands | None:
        lengths = {
            "short": (0.03, 0.06),
            "full": (0.10, 0.22),
            "goatee": (0.05, 0.12),
            "moustache": (0.05, 0.08),
        }
        kind = self.parameters.complexion.beard
        if kind not in lengths:
            return None
        cover = beard_cover(beard_roots().rest, kind)
        return make_beard(dice, dice.between(*lengths[kind]), cover, self.vertices)
