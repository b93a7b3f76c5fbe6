"""Plain studio backgrounds: one muted tone, a slow gradient, sometimes a soft glow behind the head."""

from __future__ import annotations

import math

import numpy as np

from model.dataset.assets import Floats
from model.dataset.streams import RandomStream

TINTS = np.array(
    [[0, 0, 0], [0.035, 0.008, -0.03], [-0.03, 0.0, 0.04], [-0.015, 0.018, -0.004], [0.02, -0.004, 0.01]]
)


def draw_background(stream: RandomStream, size: int) -> Floats:
    """Paint a backdrop.

    Args:
        stream: the face's own "background" stream.
        size: side in pixels.
    Returns:
        Linear RGB [size, size, 3].
    """
    level = stream.between(0.30, 0.84) ** 2.2
    tint = TINTS[stream.pick((0.3, 0.2, 0.25, 0.12, 0.13))] * stream.between(0.3, 1.6)
    tone = np.clip(level * (1 + tint / 0.35), 0.02, 0.9)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    angle = stream.between(0.0, 2 * math.pi)
    slope = stream.near(0.0, 0.28) * (x * math.cos(angle) + y * math.sin(angle))
    glow = stream.between(-0.1, 0.35) * np.exp(-(x * x + (y + 0.05) ** 2) / 0.16)
    backdrop: Floats = np.clip(tone * (1 + slope + glow)[..., None], 0.01, 0.95).astype(np.float32)
    return backdrop
