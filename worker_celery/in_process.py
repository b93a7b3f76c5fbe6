"""Generates in the Celery worker itself: the target `celery`, with no HTTP in between."""

from __future__ import annotations

from typing import Final

from pipeline.protocol.envelope import push_body
from pipeline.worker.handler import handle_push
from pipeline.worker.runtime import LazyRuntime
from worker_celery.push_response import PushResponse, PushResponseKind
from worker_celery.queued_delivery import QueuedDelivery

SUBSCRIPTION: Final = "projects/local/subscriptions/diptych-celery"


class InProcessDelivery:
    """Hands queued deliveries to the core in this process.

    Args:
        runtime: built at the first queued delivery, in the process that generates.
    """

    def __init__(self, runtime: LazyRuntime) -> None:
        self._runtime = runtime

    def generate(self, queued_delivery: QueuedDelivery) -> PushResponse:
        """Generate a queued delivery's task; the core's outcome as an answer.

        Raises:
            SettingsError, StoreError: the runtime cannot be built.
        """
        body = push_body(queued_delivery.message, SUBSCRIPTION, queued_delivery.delivery_number)
        result = handle_push(body, self._runtime.get())
        if result.outcome.acknowledged:
            return PushResponse(PushResponseKind.ACK, f"{result.outcome}: {result.reason}")
        kind = PushResponseKind.FAILED if result.at_fault else PushResponseKind.BUSY
        return PushResponse(kind, f"{result.reason}: {result.detail}", result.retry_after_s)
