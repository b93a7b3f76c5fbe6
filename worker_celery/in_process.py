"""Paints in the Celery worker itself: the target `celery`, with no HTTP in between."""

from __future__ import annotations

from typing import Final

from pipeline.protocol.envelope import push_body
from pipeline.worker.handler import handle_push
from pipeline.worker.runtime import LazyRuntime
from worker_celery.push_response import Answer, AnswerKind
from worker_celery.queued_delivery import Parcel

SUBSCRIPTION: Final = "projects/local/subscriptions/diptych-celery"


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
