"""Whether the wall clock was set while something was measured by it.

Records and stores tell points in time by the wall clock, which can be set; durations of one process are of
the monotonic clock, which cannot. The difference of both changes only when the wall clock is set; on systems
other than Linux, which slews both alike, also while it is slewed.
"""

from __future__ import annotations

import time
from typing import Final

STEP_S: Final = 0.005
"""A smaller step is left unnoticed: it does not show in a round trip."""
SLEW: Final = 0.001
"""Nor does slewing: twice what adjtime(3) does in a second."""
_TOGETHER_S: Final = 0.0005
_TRIES: Final = 10


def ahead_s() -> float:
    """The wall clock minus the monotonic one, seconds; both read within half a millisecond, as a rule."""
    best_s, found = float("inf"), 0.0
    for _ in range(_TRIES):
        before = time.monotonic()
        wall = time.time()
        apart_s = time.monotonic() - before
        if apart_s < best_s:
            best_s, found = apart_s, wall - before - apart_s / 2
        if best_s < _TOGETHER_S:
            break
    return found


def was_set(before_s: float, after_s: float, span_s: float) -> bool:
    """True if the wall clock was set between two looks.

    Args:
        before_s: what `ahead_s` gave first.
        after_s: and what later.
        span_s: between the two, by the monotonic clock.
    """
    return abs(after_s - before_s) > STEP_S + SLEW * max(0.0, span_s)
