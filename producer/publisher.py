"""The interface to a queue: Celery on one machine, Pub/Sub in the cloud."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pipeline.protocol.task_message import TaskMessage


class Publisher(Protocol):
    """Publishes tasks to the queue. It connects at the first call, not before."""

    def publish(self, tasks: Sequence[TaskMessage]) -> None:
        """Publish tasks; return when the broker has acknowledged every one of them.

        Raises:
            BrokerError: the broker is unreachable or rejected a task; some tasks may have been published.
            MessageError: a task exceeds the message size limit.
        """
        ...

    def close(self) -> None:
        """Close the connection."""
        ...
