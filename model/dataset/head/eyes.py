"""Painting eyeballs: white, iris, pupil, and the lamp's reflection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.dataset.assets import Floats
from model.dataset.head.mesh import ramp, unit
from model.dataset.rendering.light import Light
from model.dataset.streams import RandomStream

WHITE = np.array([0.66, 0.62, 0.59], dtype=np.float32)


@dataclass(frozen=True)
class Gaze:
    """Where the eyes look: unit vector [3] in the picture's axes, and the pupils' size in radians."""

    toward: Floats
    pupil: float


def draw_gaze(stream: RandomStream, turn: Floats) -> Gaze:
    """Look near the lens, or straight ahead of a turned head.

    Args:
        stream: the face's own "gaze" stream.
        turn: the head's rotation [3, 3].
    """
    aside = np.array([stream.near(0.0, 0.05), stream.near(0.0, 0.03), 1.0], dtype=np.float32)
    ahead = turn @ np.array([0.0, 0.0, 1.0], dtype=np.float32)
    share = stream.between(0.0, 0.5)
    return Gaze(unit(((1 - share) * aside + share * ahead).astype(np.float32)), stream.between(0.15, 0.2))


def paint_eyes(
    place: Floats, centres: tuple[Floats, Floats], iris: Floats, gaze: Gaze, light: Light
) -> tuple[Floats, Floats]:
    """Colour the eyeballs.

    Args:
        place: points [N, 3] on either eyeball, in the picture's axes.
        centres: the eyeballs' centres [3].
        iris: linear RGB [3].
        gaze, light: where the eyes look, and the lamps they mirror.
    Returns:
        Albedo [N, 3] and mirrored light [N].
    """
    near = np.stack([((place - centre) ** 2).sum(axis=1) for centre in centres])
    away = unit(place - np.stack(centres)[near.argmin(axis=0)])
    angle = np.arccos(np.clip(away @ gaze.toward, -1.0, 1.0))
    ring = 1.35 - 0.85 * ramp(0.30, 0.47, angle) - 0.25 * ramp(0.30, 0.16, angle)
    coloured = ramp(0.51, 0.45, angle)[:, None]
    colour = WHITE * (1 - coloured) + iris * ring[:, None] * coloured
    colour = colour * (1 - 0.97 * ramp(gaze.pupil + 0.03, gaze.pupil - 0.03, angle)[:, None])
    mirror = unit(0.4 * light.toward + np.array([0.0, 0.28, 0.9], dtype=np.float32))
    glint = np.exp(-((np.arccos(np.clip(away @ mirror, -1.0, 1.0)) / 0.095) ** 2))
    return colour.astype(np.float32), glint.astype(np.float32)
