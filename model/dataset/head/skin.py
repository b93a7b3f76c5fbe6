"""Painting skin in the mesh's own coordinates: blush, lips, brows, freckles, the shadow of hair and beard."""

from __future__ import annotations

import numpy as np

from model.dataset.assets import Floats, load_assets
from model.dataset.hair.scalp import Hairline, beard_area, skull_angles
from model.dataset.head.complexion import Complexion
from model.dataset.head.mesh import bump, ramp
from model.dataset.rendering import noise

LIP_SEAM = 6.607
"""Height at rest of the line between the lips."""


def paint_skin(
    rest: Floats, uv: Floats, who: Complexion, line: Hairline, scalp: float
) -> tuple[Floats, Floats]:
    """Colour the skin.

    Args:
        rest: canonical places [N, 3].
        uv: texture coordinates [N, 2].
        who: the person's colours.
        line: the hairline.
        scalp: how dark hair makes the scalp between its roots, 0..1.
    Returns:
        Albedo [N, 3], linear RGB, and how much of each point is lip [N], for its gloss.
    """
    x, y = np.abs(rest[:, 0]), rest[:, 1]
    front = ramp(0.5, 0.8, rest[:, 2])
    colour = np.broadcast_to(who.skin, rest.shape).copy()
    mottle = noise.read(noise.tile(3.0, 3.0), rest[:, 0] * 40, y * 40, who.offset)
    colour *= 1 + 0.02 * mottle[:, None]
    colour *= 1 - (who.blush * _blush(rest[:, 0], y) * front)[:, None] * [0.02, 0.15, 0.13]
    lids = np.exp(-(((x - 0.31) / 0.19) ** 2 + ((y - 7.365) / 0.07) ** 2)) * front
    colour *= 1 - (lids * (0.16 + 0.45 * who.shadow))[:, None] * [0.7, 1.0, 0.85]
    if who.freckles > 0:
        spots = ramp(1.5, 2.2, noise.read(noise.tile(0.8, 0.8), rest[:, 0] * 30, y * 30, who.offset))
        area = bump(7.0, 0.16, y) * ramp(0.62, 0.35, x) * front
        colour *= 1 - (0.4 * who.freckles * spots * area)[:, None] * [0.4, 0.8, 1.0]
    lip = _lip_mask(uv) * front
    colour = _over(colour, who.lip, lip * who.lip_cover)
    seam = bump(LIP_SEAM, 0.013, y) * ramp(0.27, 0.22, x) * ramp(1.15, 1.25, rest[:, 2])
    colour *= 1 - 0.45 * seam[:, None] * [0.9, 1.0, 1.0]
    colour = _over(colour, who.brow, _brows(rest, who))
    colour = _over(colour, who.hair * 0.8 + 0.05 * who.skin, _stubble(rest, lip, who))
    inside = line.inside(*skull_angles(rest))
    ragged = 1.5 * noise.read(noise.tile(1.2, 1.2), rest[:, 0] * 60, y * 60, who.offset)
    hairy = ramp(-1.5, 6.0, inside + ragged) * ramp(6.2, 6.5, y) * (1 - _ears(rest))
    return _over(colour, 0.75 * who.hair + 0.02 * who.skin, scalp * hairy), lip


def beard_cover(rest: Floats, kind: str) -> Floats:
    """How a kind of beard covers points [N, 3] at rest, 0..1."""
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    moustache = bump(6.765, 0.05, y) * ramp(0.34, 0.22, x) * ramp(1.15, 1.2, z)
    if kind == "moustache":
        return moustache
    full = beard_area(rest)
    if kind == "goatee":
        chin = full * np.exp(-((x / 0.24) ** 4)) * (z > 0.9)
        return np.maximum(moustache, chin).astype(np.float32)
    return full


def _over(below: Floats, above: Floats, cover: Floats) -> Floats:
    """One colour [3] laid over colours [N, 3] with a cover [N], 0..1."""
    share = np.clip(cover, 0.0, 1.0)[:, None]
    return (below * (1 - share) + above * share).astype(np.float32)


def _blush(x: Floats, y: Floats) -> Floats:
    """Where blood shows: cheeks, the tip of the nose, a little on the chin."""
    cheeks = 0.6 * np.exp(-(((np.abs(x) - 0.42) / 0.2) ** 2 + ((y - 6.95) / 0.2) ** 2))
    nose = 0.55 * np.exp(-((x / 0.15) ** 2 + ((y - 6.95) / 0.13) ** 2))
    chin = 0.25 * np.exp(-((x / 0.2) ** 2 + ((y - 6.36) / 0.1) ** 2))
    return (cheeks + nose + chin).astype(np.float32)


def _lip_mask(uv: Floats) -> Floats:
    mask = load_assets().lips
    height, width = mask.shape
    row = np.clip(((1 - uv[:, 1]) * height).astype(np.int32), 0, height - 1)
    column = np.clip((uv[:, 0] * width).astype(np.int32), 0, width - 1)
    inside: Floats = mask[row, column]
    return inside


def _brows(rest: Floats, who: Complexion) -> Floats:
    """Cover of the eyebrows: a bent, tapering stroke with a grain of hairs."""
    x, y = np.abs(rest[:, 0]), rest[:, 1]
    along = (x - 0.115) / 0.45
    inner, outer = np.clip(along, 0.0, 1.0), np.clip(along - 0.55, 0.0, 1.0)
    course = 7.50 + who.brow_height + 0.055 * who.brow_arch * np.sin(2.2 * inner) - 0.06 * outer
    width = who.brow_width * (1.05 - 0.65 * inner)
    stroke = np.exp(-(((y - course) / width) ** 2)) * ramp(-0.08, 0.12, along) * ramp(1.08, 0.8, along)
    grain = noise.read(noise.tile(2.2, 0.8), rest[:, 0] * 75 + y * 30, y * 60, who.offset)
    return (stroke * (rest[:, 2] > 0.9) * who.brow_cover * (0.95 + 0.10 * grain)).astype(np.float32)


def _stubble(rest: Floats, lip: Floats, who: Complexion) -> Floats:
    """Cover of the shadow that a beard, shaved or not, leaves on the skin."""
    if who.beard_cover == 0.0:
        return np.zeros(len(rest), dtype=np.float32)
    grain = noise.read(noise.tile(0.8, 0.8), rest[:, 0] * 70, rest[:, 1] * 70, who.offset)
    soft = 1.0 + 0.08 * grain
    return beard_cover(rest, who.beard) * (1 - lip) * who.beard_cover * soft


def _ears(rest: Floats) -> Floats:
    """1 on the ears, which no hair grows on."""
    x, y, z = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2]
    return ramp(0.69, 0.75, x) * ramp(7.66, 7.58, y) * ramp(0.08, 0.16, z) * ramp(0.94, 0.88, z)
