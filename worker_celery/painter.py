"""Paints in the Celery worker itself: the target `celery`, with no HTTP in between."""

from __future__ import annotations

import multiprocessing
import time

from pipeline.drain import Drain
from pipeline.envelope import push_body
from pipeline.handle import handle_push
from pipeline.runtime import LazyRuntime
from worker_celery.answer import Answer, AnswerKind
from worker_celery.parcel import Parcel

SUBSCRIPTION = "projects/local/subscriptions/diptych-celery"


class SharedDrain(Drain):
    """A drain that the worker's main process starts and its painting children see: in shared memory.

    The children of a prefork pool get no SIGTERM: Celery waits for them to finish what they do. The monotonic
    clock is the machine's, the same in all of them.

    Args:
        grace_s: how long work may still take once draining has started.
    """

    def __init__(self, grace_s: float) -> None:
        super().__init__(grace_s)
        self._started_at = multiprocessing.Value("d", 0.0, lock=False)

    def start(self) -> None:
        """Start draining. Further calls change nothing."""
        if not self._started_at.value:
            self._started_at.value = time.monotonic()

    @property
    def started(self) -> bool:
        """True once draining has started: no new task is taken."""
        return bool(self._started_at.value)

    @property
    def left_s(self) -> float:
        """Seconds that work may still take; infinite while not draining, never negative."""
        started_at: float = self._started_at.value
        if not started_at:
            return float("inf")
        return max(0.0, started_at + self._grace_s - time.monotonic())


class Painter:
    """Hands parcels to the core in this process.

    Args:
        runtime: built at the first parcel, in the process that paints.
    """

    def __init__(self, runtime: LazyRuntime) -> None:
        self._runtime = runtime

    def paint(self, parcel: Parcel) -> Answer:
        """Paint a parcel's task; the core's outcome as an answer.

        Raises:
            SettingsError, StoreError: the runtime cannot be built.
        """
        body = push_body(parcel.message, SUBSCRIPTION, parcel.delivery_number)
        result = handle_push(body, self._runtime.get())
        if result.outcome.acknowledged:
            return Answer(AnswerKind.ACK, f"{result.outcome}: {result.reason}")
        kind = AnswerKind.FAILED if result.at_fault else AnswerKind.BUSY
        return Answer(kind, f"{result.reason}: {result.detail}", result.retry_after_s)
