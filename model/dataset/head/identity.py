"""Who is shown: age, sex, ancestry and the many small choices that make one face differ from the next."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from model.dataset.head.shapes import ShapeBank, load_shapes
from model.dataset.streams import RandomStream

ANCESTRIES = ("african", "asian", "caucasian")
"""The mesh's own names for its three sets of head shapes; a face is a mix of them."""

OPPOSITES = (
    ("-incr", "-decr"),
    ("-up", "-down"),
    ("-in", "-out"),
    ("-forward", "-backward"),
    ("-concave", "-convex"),
    ("-compress", "-uncompress"),
)
FIXED = ("face:", "measure", "head-trans", "neck-trans", "neck-double", "r-", "asym")
"""Prefixes of targets that are no part of the random walk around the average face."""

HEAD_SHAPES = {
    "head-oval": 0.32,
    "head-round": 0.22,
    "head-invertedtriangular": 0.10,
    "head-rectangular": 0.10,
    "head-diamond": 0.08,
    "head-square": 0.10,
    "head-triangular": 0.08,
}

LEANING = {
    "head-fat-incr": -0.02,
    "head-scale-horiz-incr": -0.12,
    "head-age-incr": -0.12,
    "forehead-scale-vert-incr": -0.10,
    "l-cheek-volume-incr": 0.10,
    "l-cheek-inner-incr": 0.08,
    "l-eye-scale-incr": 0.12,
    "l-eye-height1-incr": 0.08,
    "l-eye-height2-incr": 0.16,
    "l-eye-height3-incr": 0.10,
    "l-eye-bag-incr": -0.12,
    "mouth-angles-up": 0.08,
    "mouth-scale-horiz-incr": 0.14,
    "mouth-laugh-lines-in": -0.08,
    "nose-hump-incr": -0.08,
    "nose-scale-vert-incr": -0.06,
}
"""Where the average of a target is moved to: the unadjusted mesh has narrow eyes and a small mouth."""

FEMALE = {
    "nose-scale-horiz-incr": -0.14,
    "nose-volume-incr": -0.14,
    "nose-point-up": 0.10,
    "chin-width-incr": -0.18,
    "chin-height-incr": -0.10,
    "chin-bones-incr": -0.18,
    "mouth-upperlip-volume-incr": 0.16,
    "mouth-lowerlip-volume-incr": 0.16,
    "l-eye-scale-incr": 0.10,
    "neck-scale-horiz-incr": -0.22,
    "eyebrows-trans-up": 0.08,
}
MALE = {"chin-bones-incr": 0.12, "neck-scale-horiz-incr": 0.14, "eyebrows-trans-up": -0.05}

CAREFUL = {"eyefold": 0.25, "epicanthus": 0.4, "ear-": 0.4, "eye-scale": 0.5, "push": 0.6, "corner": 0.7}
"""How much of the walk the targets with these words get: more of it looks like an accident."""


@dataclass(frozen=True)
class Identity:
    """One invented person.

    Attributes:
        male: 0 female … 1 male.
        years: stages of life as weights of "child", "young" and "old"; they add up to one.
        ancestry: weights of ANCESTRIES; they add up to one.
        melanin: 0 fairest … 1 darkest skin.
        weights: shape weights for `ShapeBank.deform`.
    """

    male: float
    years: dict[str, float]
    ancestry: tuple[float, ...]
    melanin: float
    weights: dict[str, float]

    @property
    def is_male(self) -> bool:
        """Which wardrobe, haircuts and beards the person chooses from."""
        return self.male > 0.5

    @property
    def is_child(self) -> bool:
        """No beard, no glasses' prescription for reading, no grey hair."""
        return self.years["child"] > 0.0

    @property
    def old(self) -> float:
        """0 young … 1 old."""
        return self.years["old"]


def draw_identity(stream: RandomStream) -> Identity:
    """Invent a person.

    Args:
        stream: the face's own "identity" stream.
    Returns:
        A person; sex, age, ancestry and skin are spread evenly over the data set.
    """
    male = float(np.clip(float(stream.chance(0.5)) + stream.near(0.0, 0.08), 0.0, 1.0))
    child = stream.between(0.25, 0.65) if stream.chance(0.08) else 0.0
    old = 0.0 if child else float(stream.beta(0.8, 1.9))
    years = {"child": child, "young": 1.0 - child - old, "old": old}
    ancestry = tuple(float(share) for share in stream.dirichlet([0.5, 0.5, 0.5]))
    melanin = 0.80 * ancestry[0] + 0.30 * ancestry[1] + 0.13 * ancestry[2] + stream.near(0.0, 0.07)
    weights = _stage_weights(male, years, ancestry, stream.near(-0.02, 0.34))
    for name, weight in _walk(stream, male, old):
        weights[name] = weights.get(name, 0.0) + weight
    return Identity(male, years, ancestry, float(np.clip(melanin, 0.03, 0.92)), weights)


def _stage_weights(
    male: float, years: dict[str, float], ancestry: tuple[float, ...], fat: float
) -> dict[str, float]:
    """The mesh's large-scale targets: one per ancestry, sex and stage, one per build, sex and stage."""
    build = "maxweight" if fat > 0 else "minweight"
    weights: dict[str, float] = {}
    for sex, sex_share in (("male", male), ("female", 1.0 - male)):
        for stage, stage_share in years.items():
            share = sex_share * stage_share
            for people, people_share in zip(ANCESTRIES, ancestry, strict=True):
                weights[f"{people}-{sex}-{stage}"] = people_share * share
            weights[f"universal-{sex}-{stage}-averagemuscle-{build}"] = min(abs(fat), 0.9) * share
    return weights


def _walk(stream: RandomStream, male: float, old: float) -> list[tuple[str, float]]:
    """Small random steps along every detail of the face, left and right alike, and a little asymmetry."""
    bank = load_shapes()
    steps: list[tuple[str, float]] = []
    for more, less in _opposites(bank):
        careful = next((factor for word, factor in CAREFUL.items() if word in more), 1.0)
        leaning = LEANING.get(more, 0.0) + male * MALE.get(more, 0.0) + (1.0 - male) * FEMALE.get(more, 0.0)
        step = leaning + careful * stream.near(0.0, 0.15)
        if "eye-height" in more:
            step = max(step, 0.0)
        name = more if step > 0 else less
        steps.append((name, abs(step)))
        if name.startswith("l-"):
            steps.append((f"r-{name[2:]}", abs(step)))
    shape = tuple(HEAD_SHAPES)[stream.pick(tuple(HEAD_SHAPES.values()))]
    steps.append((shape, stream.between(0.0, 0.45)))
    steps.append(("neck-double-incr", stream.between(0.0, 0.3) * old))
    crooked = [name for name in bank.names if name.startswith("asym-")]
    steps += [(crooked[stream.randint(len(crooked))], stream.between(0.0, 0.3)) for _ in range(3)]
    return steps


@lru_cache(maxsize=1)
def _opposites(bank: ShapeBank) -> tuple[tuple[str, str], ...]:
    """Pairs of targets that undo one another, such as a wider and a narrower nose."""
    pairs = []
    for name in bank.names:
        for more, less in OPPOSITES:
            other = name.removesuffix(more) + less
            if name.endswith(more) and other in bank and not name.startswith(FIXED):
                pairs.append((name, other))
    return tuple(pairs)
