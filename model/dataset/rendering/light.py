"""Studio light: a key lamp with a shadow, a fill from the other side, and soft light from all around."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from model.dataset.assets import Floats, Ints
from model.dataset.rendering.rasteriser import Layer
from model.dataset.streams import RandomStream

SHADOW_SIDE, SHADOW_SPAN = 224, 4.8
SHADOW_CENTRE = np.array([0.0, -0.25], dtype=np.float32)
TAPS = tuple((dx, dy) for dx in (-1.3, 0.0, 1.3) for dy in (-1.3, 0.0, 1.3))


@dataclass(frozen=True)
class Light:
    """The lamps of one portrait.

    Attributes:
        toward: unit vector [3] from the face to the key lamp, in the picture's axes.
        key: strength of the key lamp; colour: its linear RGB [3], about one.
        ambient: linear RGB [3] from all around; fill: strength of the lamp on the other side.
    """

    toward: Floats
    key: float
    colour: Floats
    ambient: Floats
    fill: float


class ShadowMap:
    """The scene's depth as the key lamp sees it."""

    def __init__(self, light: Light) -> None:
        right = np.cross([0.0, 1.0, 0.0], light.toward)
        right /= np.linalg.norm(right)
        self.frame = np.stack([right, np.cross(light.toward, right), light.toward]).astype(np.float32)
        self.layer = Layer(SHADOW_SIDE)

    def points(self, place: Floats) -> Floats:
        """Points [..., 3] of the picture's axes as the map's pixels and depth."""
        out = place @ self.frame.T
        out[..., :2] = (out[..., :2] - SHADOW_CENTRE) * (SHADOW_SIDE / SHADOW_SPAN) + SHADOW_SIDE / 2
        return out.astype(np.float32)

    def add_faces(self, turned: Floats, faces: Ints) -> None:
        """Let triangles throw a shadow."""
        self.layer.triangles(self.points(turned), faces)

    def add_strands(self, turned: Floats, counts: Ints, radius: Floats) -> None:
        """Let strands [N, L, 3] of a radius [N, L] in decimetres throw a shadow."""
        self.layer.lines(self.points(turned), counts, radius * (SHADOW_SIDE / SHADOW_SPAN))

    def lit(self, place: Floats, bias: Floats | float) -> Floats:
        """Share of the key lamp, 0..1, that reaches points [N, 3]; nine taps soften the edge."""
        points = self.points(place)
        depth = self.layer.depth
        share = np.zeros(len(points), dtype=np.float32)
        for dx, dy in TAPS:
            column = np.clip((points[:, 0] + dx).astype(np.int32), 0, SHADOW_SIDE - 1)
            row = np.clip((points[:, 1] + dy).astype(np.int32), 0, SHADOW_SIDE - 1)
            share += points[:, 2] > depth[row, column] - bias
        return share / len(TAPS)


def draw_light(stream: RandomStream) -> Light:
    """Set the lamps: the key from the front half, never from straight above or below.

    Args:
        stream: the face's own "light" stream.
    """
    side, height = stream.between(-1.05, 1.05), stream.between(0.25, 0.9)
    toward = np.array(
        [math.sin(side) * math.cos(height), math.sin(height), math.cos(side) * math.cos(height)]
    )
    warm = stream.near(0.02, 0.03)
    level = stream.between(0.85, 1.15)
    return Light(
        toward=toward.astype(np.float32),
        key=stream.between(0.82, 1.06),
        colour=np.array([1 + warm, 1.0, 1 - warm], dtype=np.float32),
        ambient=(np.array([0.225, 0.215, 0.215]) * level).astype(np.float32),
        fill=stream.between(0.05, 0.20),
    )


def ambient_at(light: Light, normal: Floats) -> Floats:
    """Soft light [N, 3] on a surface: more from above, and the fill lamp."""
    sky = 0.72 + 0.28 * normal[:, 1:2]
    lamp = np.array([-light.toward[0], 0.2, 0.8], dtype=np.float32)
    fill = np.clip(normal @ lamp, 0.0, None)[:, None] * light.fill
    return light.ambient * sky + fill
