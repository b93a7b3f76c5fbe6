"""The order to stop, shared by a Celery worker and its generating children."""

from __future__ import annotations

import multiprocessing
import time

from pipeline.worker.shutdown import Shutdown


class SharedShutdown(Shutdown):
    """A shutdown that the worker's main process starts and its generating children see: in shared memory.

    The children of a prefork pool get no SIGTERM: Celery waits for them to finish what they do. The monotonic
    clock is the machine's, the same in all of them.

    Args:
        grace_s: how long work may still take once the shutdown has started.
    """

    def __init__(self, grace_s: float) -> None:
        super().__init__(grace_s)
        self._started_at = multiprocessing.Value("d", 0.0, lock=False)

    def start(self) -> None:
        """Start the shutdown. Further calls change nothing."""
        if not self._started_at.value:
            self._started_at.value = time.monotonic()

    @property
    def started(self) -> bool:
        """True once the shutdown has started: no new task is taken."""
        return bool(self._started_at.value)

    @property
    def left_s(self) -> float:
        """Seconds that work may still take; infinite before the shutdown, never negative."""
        started_at: float = self._started_at.value
        if not started_at:
            return float("inf")
        return max(0.0, started_at + self._grace_s - time.monotonic())
