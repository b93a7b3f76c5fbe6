"""When requests are due: the same seed, the same schedule."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Arrivals = Literal["poisson", "constant"]


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What to send at one target.

    Args:
        duration_s: of the whole, warm-up included.
        warm_up_s: at its beginning; requests due then are reported apart.
        users: closed: each sends its next request when the answer is there; None: open.
        rate: open: requests per second.
        arrivals: open: independent (poisson) or evenly spaced.
        ramp_s: closed: users start evenly over this time.
        seed: of arrivals.
        in_flight: most requests at the same time; what is due beyond waits, and counts from its schedule.
        timeout_s: a request is given up after it.
    """

    duration_s: float
    warm_up_s: float = 0.0
    users: int | None = None
    rate: float | None = None
    arrivals: Arrivals = "poisson"
    ramp_s: float = 0.0
    seed: int = 1
    in_flight: int = 800
    timeout_s: float = 60.0


def first_due(plan: LoadPlan) -> NDArray[np.float64]:
    """Open: when each request is due. Closed: when each user starts. Seconds, ascending."""
    if plan.users is not None:
        return np.arange(plan.users, dtype=np.float64) * (plan.ramp_s / plan.users)
    assert plan.rate is not None
    if plan.arrivals == "constant":
        return np.arange(int(plan.duration_s * plan.rate)) / plan.rate
    lots = np.random.default_rng(plan.seed)
    # Given their number, the arrivals of a Poisson process are uniform and independent.
    count = lots.poisson(plan.rate * plan.duration_s)
    return np.sort(lots.uniform(0, plan.duration_s, count))


def fingerprint(plan: LoadPlan) -> str:
    """A digest of the schedule: equal for equal schedules."""
    return hashlib.sha256(first_due(plan).tobytes()).hexdigest()[:16]
