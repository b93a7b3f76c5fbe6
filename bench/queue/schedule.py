"""When jobs are due: the same seed, the same schedule."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from bench.load.generator.schedule import Arrivals


def due_times(jobs: int, rate: float, arrivals: Arrivals, seed: int) -> NDArray[np.float64]:
    """When each job is due, seconds, ascending; the first at 0.

    Args:
        jobs: how many.
        rate: per second.
        arrivals: independent of one another, or evenly spaced.
        seed: of independent ones.
    """
    if arrivals == "constant":
        return np.arange(jobs) / rate
    gaps = np.random.default_rng(seed).exponential(1 / rate, jobs - 1)
    return np.concatenate(([0.0], np.cumsum(gaps)))


def fingerprint(due: NDArray[np.float64]) -> str:
    """A digest of a schedule: equal for equal ones."""
    return hashlib.sha256(due.tobytes()).hexdigest()[:16]
