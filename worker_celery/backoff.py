"""When to come back: exponential backoff with jitter, within the settings' bounds."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

_MAX_DOUBLINGS: Final = 60  # beyond any bound that makes sense, and far from overflow


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that double from `min_s` up to `max_s`; each is drawn from the upper half of its range.

    Without jitter, tasks that failed together would come back together.
    """

    min_s: float
    max_s: float

    def delay_s(self, tries: int) -> float:
        """Delay after a number of unsuccessful tries, at least 1."""
        ceiling = min(self.max_s, self.min_s * 2.0 ** min(tries - 1, _MAX_DOUBLINGS))
        return max(self.min_s, random.uniform(ceiling / 2, ceiling))

    def bounded_s(self, wished_s: float) -> float:
        """A delay that the target asked for, brought within the bounds."""
        return min(self.max_s, max(self.min_s, wished_s))
