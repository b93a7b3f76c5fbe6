"""Where in the progressive schedule a run stands (section 2 of the paper)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.training.config_tables import Phase


@dataclass(frozen=True, slots=True)
class Position:
    """What to train next.

    Args:
        level: 0 for 4x4, 1 for 8x8, …
        alpha: how far the level has faded in, 0..1.
        batch: images in the next step.
    """

    level: int
    alpha: float
    batch: int

    @property
    def resolution(self) -> int:
        """Height and width in pixels."""
        return 4 << self.level


def position_at(phases: Sequence[Phase], images: int) -> Position:
    """Look up the schedule; past its end, the last phase goes on.

    Args:
        phases: the schedule.
        images: real images shown so far.
    """
    start = 0.0
    for phase in phases:
        end = start + (phase.fade_kimg + phase.stable_kimg) * 1000
        if images < end or phase is phases[-1]:
            break
        start = end
    fade = phase.fade_kimg * 1000
    alpha = min(1.0, (images - start) / fade) if fade else 1.0
    return Position(level=phase.level, alpha=alpha, batch=phase.batch)
