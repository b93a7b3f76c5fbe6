"""How many trials a question needs."""

from __future__ import annotations

from math import ceil
from statistics import NormalDist
from typing import Final

POWER: Final = 0.80
_FEWEST: Final = 2


def trials_needed(sd: float, difference: float, *, confidence: float = 0.95, power: float = POWER) -> int:
    """Trials that would show targets to be equivalent if they are equal, or apart if `difference` apart.

    The larger of the two numbers, which is the first: for an interval of mean +- z error to lie
    within the difference on both sides, and with it the power to see that difference. From the spread
    observed, never from the effect observed: that would say only what the p-value says.

    Args:
        sd: standard deviation of the trials' values, above 0.
        difference: what matters, on the same scale, above 0.
        confidence: of the interval.
        power: chance to come to the right verdict.
    """
    normal = NormalDist()
    # Equivalence must succeed on both sides, so each may fail with half of what the power leaves.
    z = normal.inv_cdf(0.5 + confidence / 2) + normal.inv_cdf(1 - (1 - power) / 2)
    return max(_FEWEST, ceil((z * sd / difference) ** 2))
