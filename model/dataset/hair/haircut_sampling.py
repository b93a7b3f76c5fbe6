"""Who wears which haircut, and which hairline."""

from __future__ import annotations

from dataclasses import replace

from model.dataset.hair.hair_style import HairStyle
from model.dataset.hair.haircuts import HAIRCUTS
from model.dataset.hair.scalp import Hairline
from model.dataset.head.identity import Identity
from model.dataset.streams import RandomStream

FEMALE_STYLES = {"crop": 0.06, "curly": 0.07, "afro": 0.0, "bob": 0.27, "long": 0.40, "tied": 0.16}
MALE_STYLES = {
    **{"bald": 0.05, "buzz": 0.13, "crop": 0.25, "side": 0.22, "back": 0.13},
    **{"curly": 0.12, "afro": 0.0, "mid": 0.07, "long": 0.03},
}


def draw_style(stream: RandomStream, who: Identity) -> HairStyle:
    """Choose a haircut that the person might wear."""
    styles = dict(MALE_STYLES if who.is_male else FEMALE_STYLES)
    african = who.ancestry[0]
    styles["afro"] = 0.28 * african
    styles["curly"] *= 0.5 + 1.5 * african
    styles["bald"] = styles.get("bald", 0.0) * (1.0 + 2.0 * who.old)
    if who.is_child:
        styles.update(bald=0.0, back=0.0)
    name = tuple(styles)[stream.pick(tuple(styles.values()))]
    style = HAIRCUTS[name](stream)
    if who.is_male and name in ("crop", "side", "curly", "back") and stream.chance(0.55):
        style = replace(style, fade=stream.between(0.35, 1.0))
    return style


def draw_hairline(stream: RandomStream, who: Identity, style: HairStyle) -> Hairline:
    """Choose a hairline: higher and with corners on older men."""
    recede = max(0.0, stream.near(0.1, 0.25) + 0.5 * who.old) * float(who.is_male and not who.is_child)
    bald = 0.0
    if style.name in ("bald", "buzz") and who.is_male and stream.chance(0.35):
        bald = stream.between(45.0, 66.0)
    return Hairline(
        front=stream.near(69.0, 1.8) - 5.0 * recede,
        temples=stream.between(0.0, 2.5) + 6.0 * recede,
        sideburns=stream.between(-2.0, 8.0) if who.is_male else -6.0,
        widow=stream.near(0.0, 1.0),
        bald=bald,
    )
