"""One attempt at a task: what generating and recording share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline.protocol.outcomes import Delivery
from pipeline.protocol.task_message import TaskMessage
from pipeline.worker.metering import Meter
from pipeline.worker.runtime import Runtime
from pipeline.worker.watchdog import Watchdog


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivery of one task, being processed.

    Args:
        task: what to generate.
        delivery: how it arrived.
        runtime: this process's runtime.
        meter: measures it.
        received_at: when the handler was entered, aware UTC.
        arrived_s: the same moment on the monotonic clock.
        prior_requests: deliveries that this process had handled before.
        watchdog: watches its engine.
    """

    task: TaskMessage
    delivery: Delivery
    runtime: Runtime
    meter: Meter
    received_at: datetime
    arrived_s: float
    prior_requests: int
    watchdog: Watchdog
