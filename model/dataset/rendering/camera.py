"""Pose, lens and framing: every face is turned a little, then aligned by its eyes and mouth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from model.dataset.assets import Floats
from model.dataset.streams import RandomStream

DISTANCE = 15.0
"""Decimetres between the lens and the eyes: a portrait lens' perspective."""

EYE_LINE = 0.48
"""Height of the point between the eyes in the picture, 0 top … 1 bottom."""

FACE_SCALE = 0.218
"""Size of the face in the picture: see `aim`."""


@dataclass(frozen=True)
class Camera:
    """Where the mesh lands in the picture.

    Attributes:
        turn: rotation [3, 3] from the mesh's axes to the picture's (x right, y up, z to the viewer).
        pivot: the point [3] between the eyes, in mesh space.
        scale: pixels per decimetre at the pivot.
        centre: the pivot's pixel (x, y).
    """

    turn: Floats
    pivot: Floats
    scale: float
    centre: tuple[float, float]

    def turned(self, vertices: Floats) -> Floats:
        """Points [..., 3] in the picture's axes, decimetres from the pivot."""
        return (vertices - self.pivot) @ self.turn.T

    def project(self, turned: Floats) -> Floats:
        """Points [..., 3] as pixels x, y and a depth that grows toward the viewer."""
        nearness = self.scale * DISTANCE / (DISTANCE - turned[..., 2])
        out = np.empty_like(turned)
        out[..., 0] = self.centre[0] + turned[..., 0] * nearness
        out[..., 1] = self.centre[1] - turned[..., 1] * nearness
        out[..., 2] = turned[..., 2]
        return out


def rotation(yaw: float, pitch: float, roll: float) -> Floats:
    """Rotation [3, 3]: yaw about y first, then pitch about x, then roll about z, in radians."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (math.cos, math.sin))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    turn: Floats = (about_z @ about_x @ about_y).astype(np.float32)
    return turn


def aim(stream: RandomStream, left_eye: Floats, right_eye: Floats, mouth: Floats, size: int) -> Camera:
    """Draw a pose and frame the face.

    The eyes' midpoint is put at the same place in every picture, the eyes level but for a degree or so. The
    scale follows from the distances between the eyes and from eyes to mouth, both before the turn, so that a
    turned head is neither enlarged nor shrunk (as the FFHQ alignment does with photographs).

    Args:
        stream: the face's own "camera" stream.
        left_eye, right_eye, mouth: points [3] of the deformed mesh.
        size: the picture's side in pixels.
    """
    yaw, pitch = stream.near(0.0, math.radians(9.5), 2.1), stream.near(math.radians(1.0), math.radians(4.0))
    pivot = ((left_eye + right_eye) / 2).astype(np.float32)
    turn = rotation(yaw, pitch, 0.0)
    across = turn @ (left_eye - right_eye)
    level = -math.atan2(float(across[1]), float(across[0]))
    turn = rotation(yaw, pitch, level + stream.near(0.0, math.radians(1.2)))
    apart = float(np.linalg.norm(left_eye - right_eye))
    drop = float(pivot[1] - mouth[1])
    span = 0.5 * apart + 0.5 * drop
    scale = size * FACE_SCALE / span * (1.0 + stream.near(0.0, 0.02))
    centre = (size * (0.5 + stream.near(0.0, 0.004)), size * (EYE_LINE + stream.near(0.0, 0.004)))
    return Camera(turn, pivot, scale, centre)
