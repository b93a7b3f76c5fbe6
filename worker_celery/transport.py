"""kombu's Redis transport, with an acknowledgement that may fail.

As it comes, an acknowledgement that fails keeps its slot taken for ever: a worker with no other slot asks the
broker for nothing more, and so never learns that its connection is gone. The message is not lost: it lies in
the broker still, and is delivered again after the visibility timeout.
"""

from __future__ import annotations

from typing import Final

import redis
from kombu.transport import redis as kombu_redis
from kombu.transport import virtual

TRANSPORT: Final = "worker_celery.transport:Transport"
"""For kombu's table of transports, in the place of its own for redis:// URLs."""


class QoS(kombu_redis.QoS):
    """Which messages this worker holds."""

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge; the slot is free even if the broker cannot be told."""
        try:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]  # kombu has few types
        except (redis.RedisError, OSError):
            virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]
            raise


class Channel(kombu_redis.Channel):
    """A channel with that QoS."""

    QoS = QoS


class Transport(kombu_redis.Transport):
    """A transport of such channels."""

    Channel = Channel
