"""What may end a task early: looked at before each batch."""

from __future__ import annotations

import logging
import time

from pipeline.protocol.outcomes import Outcome, Result
from pipeline.protocol.task_message import TaskMessage
from pipeline.worker.retries import deadline, shutting_down
from pipeline.worker.runtime import Runtime
from results.naming import cancelled_name, manifest_name

_log = logging.getLogger(__name__)

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
        self._looked = False

    def cancelled(self) -> bool:
        """True if the job has been cancelled or, at the first look, removed."""
        store, job_id = self._runtime.store, self._task.job_id
        if store.stat(cancelled_name(job_id)) is not None:
            return True
        first, self._looked = not self._looked, True
        return first and self._removed()

    def _removed(self) -> bool:
        """True if the job was there and is not: nobody would find what is written for it."""
        job_id, seen = self._task.job_id, self._runtime.jobs_seen
        if self._runtime.store.stat(manifest_name(job_id)) is not None:
            seen.add(job_id)
            return False
        if job_id in seen:
            _log.warning("job %s was removed from the store: its task %d ends", job_id, self._task.task_index)
        return job_id in seen

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
