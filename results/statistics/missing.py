"""Values that are missing for a reason nobody knows: how many a verdict can bear."""

from __future__ import annotations

from typing import Final

MAX_MISSING: Final = 0.01
"""Share of a sample that may be missing before it decides nothing.

What is missing may be what went worst: a worker cut off in mid-write was perhaps slow before. A share f
whose mean lies D from the rest moves the mean by f * D. With 1%, and tasks that took e (2.7) times as long,
that is 1%: a fifth of the usual margin. It also bounds how unequal the shares of two targets can be.
"""
_PART_OF_MARGIN: Final = 0.2


def most_missing(margin: float) -> float:
    """The share that may be missing, 0..`MAX_MISSING`: of a narrower margin than 5% a fifth, too.

    Args:
        margin: the difference that is of no matter, above 0.
    """
    return min(MAX_MISSING, margin * _PART_OF_MARGIN)


def too_many_missing(missing: int, present: int, most: float = MAX_MISSING) -> bool:
    """Whether more than a share of a sample is missing.

    Args:
        missing: values that there should be, 0 or more.
        present: values that there are, 0 or more.
        most: share that may be missing, 0..1.
    """
    return missing > 0 and missing / (missing + present) > most
