"""The random parameters of one portrait: the person, the haircut, the studio."""

from __future__ import annotations

from dataclasses import dataclass

from model.dataset.hair.hair_style import HairStyle
from model.dataset.hair.haircut_sampling import draw_hairline, draw_style
from model.dataset.hair.scalp import Hairline
from model.dataset.head.complexion import Complexion, draw_complexion
from model.dataset.head.expression import draw_expression
from model.dataset.head.identity import Identity, draw_identity
from model.dataset.rendering.light import Light, draw_light
from model.dataset.rendering.scene import Neckline, draw_neckline
from model.dataset.streams import stream


@dataclass(frozen=True)
class PortraitParameters:
    """All random parameters of one portrait, sampled before rendering."""

    identity: Identity
    style: HairStyle
    line: Hairline
    complexion: Complexion
    expression: dict[str, float]
    neckline: Neckline
    light: Light


def draw_portrait_parameters(seed: int) -> PortraitParameters:
    """Draw a person and the studio from a seed in [0, 2**63)."""
    identity = draw_identity(stream(seed, "identity"))
    cut = stream(seed, "style")
    style = draw_style(cut, identity)
    return PortraitParameters(
        identity=identity,
        style=style,
        line=draw_hairline(cut, identity, style),
        complexion=draw_complexion(stream(seed, "complexion"), identity),
        expression=draw_expression(stream(seed, "expression")),
        neckline=draw_neckline(stream(seed, "clothes")),
        light=draw_light(stream(seed, "light")),
    )
