"""One stream of random numbers per face and noun, so that a change to the hair leaves the noses alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np


class RandomStream(np.random.RandomState):
    """numpy's frozen generator, with the draws that a portrait is made of."""

    def between(self, low: float, high: float) -> float:
        """Uniform in [low, high)."""
        return float(self.uniform(low, high))

    def near(self, mean: float, deviation: float, reach: float = 2.2) -> float:
        """Normal, cut at `reach` deviations: no portrait is an accident of the tail."""
        return mean + deviation * float(np.clip(self.standard_normal(), -reach, reach))

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return bool(self.random_sample() < probability)

    def pick(self, weights: Sequence[float]) -> int:
        """An index, drawn in proportion to weights that need not add up to one."""
        cumulative = np.cumsum(weights)
        return int(np.searchsorted(cumulative, self.random_sample() * cumulative[-1], side="right"))


def stream(seed: int, noun: str) -> RandomStream:
    """The stream of one noun of one face.

    Args:
        seed: the face's seed, in [0, 2**63).
        noun: "identity", "hair", …: streams of different nouns are independent.
    Returns:
        A generator whose numbers numpy has frozen for ever (`RandomState`).
    """
    digest = hashlib.sha256(f"diptych/faces:{seed}:{noun}".encode()).digest()
    return RandomStream(np.frombuffer(digest[:16], dtype="<u4"))
