"""What may end a task early: looked at before each batch."""

from __future__ import annotations

import time

from pipeline.protocol.outcomes import Outcome, Result
from pipeline.protocol.task_message import TaskMessage
from pipeline.worker.retries import deadline, shutting_down
from pipeline.worker.runtime import Runtime
from results.naming import cancelled_name

CANCELLED = Result(Outcome.CANCELLED, "cancelled")


class StopConditions:
    """Looks at the order to stop, the deadline and the job's cancellation.

    Args:
        task: the task in hand.
        runtime: this process's runtime.
        arrived_s: `time.monotonic()` when the delivery arrived.
    """

    def __init__(self, task: TaskMessage, runtime: Runtime, arrived_s: float) -> None:
        self._task = task
        self._runtime = runtime
        self._arrived_s = arrived_s

    def cancelled(self) -> bool:
        """True if the job has been cancelled: one request to the store."""
        return self._runtime.store.stat(cancelled_name(self._task.job_id)) is not None

    def before_batch(self, images_done: int, batch_s: float, rest_s: float) -> Result | None:
        """The outcome to end with now, or None to go on.

        Args:
            images_done: what this delivery has generated so far; the store, asked when it began, is asked
                again only after that.
            batch_s: longest batch of this delivery so far; 0 before the first, so that every delivery
                generates at least one batch and a task always moves on.
            rest_s: expected time for all that is left.
        """
        if rest_s > self._runtime.shutdown.left_s:
            return shutting_down()
        elapsed_s = time.monotonic() - self._arrived_s
        if elapsed_s + batch_s > self._runtime.settings.deadline_s:
            return deadline(elapsed_s, images_done)
        if images_done and self.cancelled():
            return CANCELLED
        return None
