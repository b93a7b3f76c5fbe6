"""The Protocol behind which a queue stands: Celery offline, Pub/Sub in the cloud."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pipeline.protocol.task_message import TaskMessage


class Publisher(Protocol):
    """Puts tasks onto the queue. It connects at the first call, not before."""

    def publish(self, tasks: Sequence[TaskMessage]) -> None:
        """Publish tasks; return when the broker has acknowledged every one of them.

        Raises:
            BrokerError: the broker cannot be reached or refused; some of the tasks may be on the queue.
            MessageError: a task is over the message's size limit.
        """
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
