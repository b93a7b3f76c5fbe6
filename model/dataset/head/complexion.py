"""A person's colours: skin, lips, hair, brows, iris; and freckles, make-up and the cut of a beard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.dataset.assets import Floats
from model.dataset.head.identity import Identity
from model.dataset.streams import RandomStream

SKIN_TONES = np.array(
    [[0.84, 0.585, 0.465], [0.60, 0.350, 0.220], [0.32, 0.165, 0.098], [0.10, 0.049, 0.032]]
)
"""Linear RGB at melanin 0, 0.35, 0.65 and 1."""

HAIR_TONES = np.array(
    [
        [0.012, 0.010, 0.009],
        [0.030, 0.018, 0.012],
        [0.070, 0.038, 0.021],
        [0.150, 0.085, 0.046],
        [0.330, 0.215, 0.115],
        [0.520, 0.385, 0.235],
        [0.210, 0.075, 0.028],
    ]
)
"""Linear RGB: black, dark brown, brown, light brown, blond, light blond, red."""

GREY = np.array([0.46, 0.45, 0.43])
IRIS_TONES = np.array(
    [
        [0.035, 0.017, 0.009],
        [0.085, 0.040, 0.018],
        [0.13, 0.085, 0.030],
        [0.09, 0.13, 0.06],
        [0.10, 0.17, 0.25],
    ]
)
LIPSTICKS = np.array([[0.42, 0.035, 0.05], [0.36, 0.07, 0.08], [0.50, 0.12, 0.14], [0.28, 0.03, 0.06]])
BEARDS = {"none": 0.57, "stubble": 0.17, "short": 0.11, "full": 0.06, "goatee": 0.05, "moustache": 0.04}


@dataclass(frozen=True)
class Complexion:
    """Colours are linear RGB [3].

    Attributes:
        blush: how red cheeks and nose are. freckles: 0..1.
        lip: colour of the lips, and how much of it covers the skin (lip_cover).
        brow_height, brow_width, brow_arch: decimetres above the usual place, half the thickness, the bend.
        brow_cover: how dense the brows are, 0..1.
        beard: a key of BEARDS; beard_cover: how dense its shadow is on the skin.
        shadow: eye shadow, 0..1.
        offset: the face's own shift of all noise, 0..1.
    """

    skin: Floats
    blush: float
    freckles: float
    lip: Floats
    lip_cover: float
    hair: Floats
    brow: Floats
    brow_height: float
    brow_width: float
    brow_arch: float
    brow_cover: float
    beard: str
    beard_cover: float
    shadow: float
    iris: Floats
    offset: float


def draw_complexion(stream: RandomStream, who: Identity) -> Complexion:
    """Choose colours that go together: fair hair and eyes go with fair skin.

    Args:
        stream: the face's own "complexion" stream.
        who: the person.
    """
    skin = _skin(stream, who.melanin)
    hair = _hair(stream, who)
    made_up = not who.is_male and not who.is_child and stream.chance(0.55)
    lip = skin * [0.80, 0.50, 0.52]
    if made_up:
        lip = 0.35 * lip + 0.65 * LIPSTICKS[stream.randint(len(LIPSTICKS))] * (1 - 0.4 * who.melanin)
    bearded = who.is_male and not who.is_child
    beard = tuple(BEARDS)[stream.pick(tuple(BEARDS.values()))] if bearded else "none"
    cover = {"none": (0.0, 0.12), "stubble": (0.2, 0.42), "moustache": (0.1, 0.3)}.get(beard, (0.62, 0.85))
    fair = max(0.0, 1.0 - 2.2 * who.melanin)
    return Complexion(
        skin=skin.astype(np.float32),
        blush=stream.between(0.4, 1.2) + 0.3 * float(made_up),
        freckles=stream.between(0.3, 1.0) if stream.chance(0.18 * fair) else 0.0,
        lip=lip.astype(np.float32),
        lip_cover=0.85 if made_up else 0.62,
        hair=hair.astype(np.float32),
        brow=np.minimum(0.45 * hair + 0.004, 0.28 * skin).astype(np.float32),
        brow_height=stream.near(0.0, 0.012),
        brow_width=stream.between(0.028, 0.044) * (0.8 + 0.4 * who.male),
        brow_arch=stream.between(0.3, 1.0) * (1.1 - 0.5 * who.male),
        brow_cover=stream.between(0.85, 1.25),
        beard=beard,
        beard_cover=stream.between(*cover) if bearded else 0.0,
        shadow=stream.between(0.2, 0.9) if made_up else 0.0,
        iris=(IRIS_TONES[_iris(stream, who)] * stream.between(0.8, 1.25)).astype(np.float32),
        offset=stream.between(0.0, 1.0),
    )


def _skin(stream: RandomStream, melanin: float) -> Floats:
    tone = np.array([np.interp(melanin, (0.0, 0.35, 0.65, 1.0), SKIN_TONES[:, c]) for c in range(3)])
    return np.clip(tone * (1 + stream.near(0.0, 0.04)) * (1 + stream.uniform(-0.03, 0.03, 3)), 0.01, 0.95)


def _hair(stream: RandomStream, who: Identity) -> Floats:
    fair = max(0.0, 1.0 - 1.7 * who.melanin) ** 1.5 * (0.25 + 0.75 * who.ancestry[2])
    weights = (
        0.12 + 1.6 * who.melanin,
        0.5 + 0.5 * who.melanin,
        0.1 + 1.2 * fair,
        *(f * fair for f in (1.0, 0.85, 0.6, 0.4)),
    )
    tone = HAIR_TONES[stream.pick(weights)] * stream.between(0.8, 1.25)
    grey = float(np.clip((who.old - 0.5) * 2.3 + stream.near(0.0, 0.15), 0.0, 1.0)) if who.old > 0.3 else 0.0
    mixed: Floats = np.clip(tone * (1 - grey) + grey * GREY * stream.between(0.7, 1.3), 0.008, 0.8)
    return mixed


def _iris(stream: RandomStream, who: Identity) -> int:
    fair = max(0.0, 1.0 - 1.9 * who.melanin) * who.ancestry[2]
    return stream.pick((0.5 + 2 * who.melanin, 0.6, 0.5 * fair, 0.5 * fair, 0.9 * fair))
