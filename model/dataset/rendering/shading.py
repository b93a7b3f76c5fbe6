"""Light on surfaces and on hair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.dataset.assets import Floats, Ints
from model.dataset.hair.strands import Strands
from model.dataset.head.mesh import unit
from model.dataset.rendering.light import Light, ShadowMap, ambient_at
from model.dataset.rendering.rasteriser import Layer
from model.dataset.rendering.scene import EYES, SKIN, TEETH, Seen

VIEW = np.array([0.0, 0.0, 1.0], dtype=np.float32)


def shade_surfaces(
    seen: Seen, albedo: Floats, lip: Floats, glint: Floats, open_sky: Floats, light: Light, shadow: ShadowMap
) -> Floats:
    """Light the bust.

    Skin scatters light under its surface: the light wraps around its edges, redder in the shade.

    Args:
        seen: what the pixels see [N].
        albedo: linear RGB [N, 3].
        lip: how much of each point is lip [N]: lips shine more.
        glint: the lamp's mirror image in the eyes [N].
        open_sky: share of the ambient light that arrives [N].
        light, shadow: the lamps.
    Returns:
        Linear RGB [N, 3].
    """
    skin = seen.material == SKIN
    facing = seen.normal @ light.toward
    lit = shadow.lit(seen.place, 0.05 + 0.09 * (1 - np.clip(facing, 0.0, 1.0)))
    lit = np.where(seen.material == TEETH, np.maximum(lit, 0.75), lit)
    wrapped = np.clip((facing + 0.25) / 1.25, 0.0, 1.0) * (0.10 + 0.90 * lit)
    red = np.where(skin[:, None], [0.84, 1.0, 1.06], 1.0).astype(np.float32)
    direct = np.maximum(wrapped, 1e-4)[:, None] ** red * light.colour * light.key
    ambient = ambient_at(light, seen.normal) * open_sky[:, None]
    halfway = unit(light.toward + VIEW)
    mirror = np.clip(seen.normal @ halfway, 0.0, 1.0)
    gloss = (
        np.where(skin, 0.055 * mirror**14 + 0.035 * mirror**45 + 0.10 * lip * mirror**50, 0.0)
        * lit
        * light.key
    )
    rim = np.where(skin, 0.045 * (1 - np.clip(seen.normal[:, 2], 0.0, 1.0)) ** 3, 0.0) * open_sky
    shine = gloss + rim + np.where(seen.material == EYES, 0.75 * glint, 0.0)
    return (albedo * (direct + ambient) + shine[:, None] * light.colour).astype(np.float32)


def shade_strands(
    layer: Layer,
    strands: Strands,
    turned: Floats,
    out: Floats,
    colour: Floats,
    light: Light,
    shadow: ShadowMap,
    shine: float,
) -> tuple[Ints, Ints, Floats]:
    """Light hair, after Kajiya and Kay (1989): a strand is a thin cylinder, lit across its length.

    The volume's own normal keeps the head round; strands deep inside get less light from all around.

    Args:
        layer: drawn with the strands' lines.
        strands: N polylines of L points.
        turned, out: points and outward vectors [N, L, 3] in the picture's axes.
        colour: linear RGB [3].
        light, shadow: the lamps.
        shine: strength of the highlight.
    Returns:
        Rows, columns [M] and linear RGB [M, 3] of the pixels that show a strand.
    """
    row, column = np.nonzero(layer.index >= 0)
    which, segment = np.divmod(layer.index[row, column], turned.shape[1])
    across = layer.place[row, column, 1]
    place, tangent = _on_strands(turned, which, segment, layer.place[row, column, 0:1])
    normal = unit(out[which, segment])
    depth = strands.depth[which]
    lit = shadow.lit(place, 0.07)
    facing = np.clip((normal @ light.toward + 0.35) / 1.35, 0.0, 1.0)
    across_light = np.sqrt(np.clip(1 - (tangent @ light.toward) ** 2, 0.0, 1.0))
    direct = facing * (0.45 + 0.55 * across_light) * (0.15 + 0.85 * lit) * light.key
    openness = (0.55 + 0.45 * depth) * (0.70 + 0.30 * np.clip(normal[:, 2], 0.0, 1.0)) * (1 - 0.2 * across)
    ambient = ambient_at(light, normal)
    halfway = unit(light.toward + VIEW)
    tilt = tangent @ halfway + 0.06 * strands.tint[which]
    highlight = np.clip(1 - tilt * tilt, 0.0, 1.0) ** 24 * np.clip(normal @ halfway, 0.0, 1.0) * lit
    hue = colour * (1 + 0.12 * strands.tint[which])[:, None]
    body = hue * (direct[:, None] * light.colour + ambient) * openness[:, None]
    gloss = shine * (0.07 + 0.30 * colour.mean()) * light.key * highlight * (0.5 + 0.5 * depth)
    return row, column, (body + gloss[:, None] * (0.4 + 0.6 * colour / colour.max())).astype(np.float32)


def _on_strands(turned: Floats, which: Ints, segment: Ints, along: Floats) -> tuple[Floats, Floats]:
    """Places [M, 3] on segments of strands [N, L, 3], and tangents that turn smoothly along them."""
    start, end = turned[which, segment], turned[which, segment + 1]
    after = turned[which, np.minimum(segment + 2, turned.shape[1] - 1)]
    tangent = unit((1 - along) * (end - start) + along * (after - start) / 2)
    return start + along * (end - start), tangent


def develop(linear: Floats, factor: int) -> NDArray[np.uint8]:
    """Tone-map, encode as sRGB (gamma 2.2) and average `factor` x `factor` pixels into one.

    Args:
        linear: linear RGB [S, S, 3].
        factor: supersampling.
    Returns:
        uint8 [S / factor, S / factor, 3].
    """
    size = linear.shape[0] // factor
    toned = np.clip(1.12 * linear / (1 + 0.12 * linear), 0.0, 1.0)
    small = (toned ** np.float32(1 / 2.2)).reshape(size, factor, size, factor, 3).mean(axis=(1, 3))
    encoded: NDArray[np.uint8] = (small * 255 + 0.5).astype(np.uint8)
    return encoded
