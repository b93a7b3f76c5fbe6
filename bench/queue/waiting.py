"""Between broker and worker: what was waiting for a free slot, and what the delivery itself took."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.queue.task_timing import TaskTiming


def most_at_once(timings: Sequence[TaskTiming]) -> int:
    """How many tasks of a target had a slot at the same time."""
    _, busy = _busy(timings)
    return int(busy.max()) if len(busy) else 0


def waits_s(timings: Sequence[TaskTiming], slots: int) -> NDArray[np.float64]:
    """How long each task waited while every slot of its target had another task in hand: float64 [n].

    Told from the records alone; a task that has none (it failed) is not seen to be in hand.

    Args:
        timings: tasks of one target with a record.
        slots: of it.
    """
    at, busy = _busy(timings)
    if not len(at):
        return np.zeros(0)
    spans = np.diff(at)
    full = np.concatenate(([0.0], np.cumsum(np.where(busy[:-1] >= slots, spans, 0.0))))
    begin = np.array([_begin(timing) for timing in timings])
    end = np.array([timing.received_s for timing in timings], dtype=np.float64)
    waited: NDArray[np.float64] = np.interp(end, at, full) - np.interp(begin, at, full)
    return np.clip(waited, 0.0, None)


def _begin(timing: TaskTiming) -> float:
    """When the broker had it; its publication's begin if the record does not say."""
    begin = timing.publication_s if timing.published_s is None else timing.published_s
    assert begin is not None
    return begin


def _work_begins(timing: TaskTiming) -> float:
    """When it got its slot: a worker may have it in hand before, and let it wait."""
    assert timing.received_s is not None
    if timing.finished_s is None or timing.process_s is None:
        return timing.received_s
    if timing.phase == "clock set":  # its arrival may have been stamped by another time
        return timing.finished_s - timing.process_s
    return max(timing.received_s, timing.finished_s - timing.process_s)


def _busy(timings: Sequence[TaskTiming]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Moments, and how many tasks have a slot from each on. An end sorts before a beginning."""
    steps = sorted(
        [(timing.finished_s, -1) for timing in timings if timing.finished_s is not None]
        + [(_work_begins(timing), 1) for timing in timings]
    )
    at = np.array([moment for moment, _ in steps], dtype=np.float64)
    return at, np.cumsum([step for _, step in steps], dtype=np.int64)
