"""kombu's Redis transport, made to outlive its broker.

As it comes, an acknowledgement that fails keeps its slot taken for ever: a worker with no other slot asks the
broker for nothing more, and so never learns that its connection is gone. And a worker that loses its
connection with a task in hand ends with an AttributeError, because it cannot give the message back.

Neither message is lost: both lie in the broker, and are delivered again after the visibility timeout.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import redis
from kombu.transport import redis as kombu_redis
from kombu.transport import virtual

TRANSPORT: Final = "worker_celery.transport:Transport"
"""Celery's `broker_transport`."""

log = logging.getLogger(__name__)


class QoS(kombu_redis.QoS):
    """Which messages this worker holds."""

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge; the slot is free even if the broker cannot be told."""
        try:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]  # kombu has few types
        except (redis.RedisError, OSError):
            virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]
            raise

    def restore_unacked(self, client: Any = None) -> None:
        """Give back what is held, if the broker can be reached."""
        held = len(self._delivered)
        try:
            super().restore_unacked(client)  # type: ignore[no-untyped-call]
        # AttributeError: kombu has closed its connection before, and cannot open another.
        except (redis.RedisError, OSError, AttributeError):
            self._delivered.clear()
            log.warning("%d messages in hand come again after the visibility timeout", held)


class Channel(kombu_redis.Channel):
    """A channel with that QoS."""

    QoS = QoS


class Transport(kombu_redis.Transport):
    """A transport of such channels."""

    Channel = Channel
