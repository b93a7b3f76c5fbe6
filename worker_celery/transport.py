"""kombu's Redis transport, with an acknowledgement that may fail and messages that name who holds them.

As it comes, an acknowledgement that fails keeps its slot taken for ever: a worker with no other slot asks the
broker for nothing more, and so never learns that its connection is gone. The message is not lost: it lies in
the broker still, and is delivered again after the visibility timeout.

What a worker holds bears its name among the broker's clients: when no client has that name, the worker is
dead, and the lost-task audit gives back what it held, long before the visibility timeout.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Final
from uuid import uuid4

import redis
from kombu.transport import redis as kombu_redis
from kombu.transport import virtual

from pipeline.config.celery_settings import HOLDER_PROPERTY

TRANSPORT: Final = "worker_celery.transport:Transport"
"""For kombu's table of transports, in the place of its own for redis:// URLs."""

_TOKEN: Final = uuid4().hex
_served: list[str] = []


def serve(queues: Iterable[str]) -> None:
    """Say whose queues this worker serves, before it connects: they are part of its name."""
    _served[:] = sorted(queues)


def consumer_name() -> str:
    """This process's name among the broker's clients; a child process has another than its parent."""
    return f"{','.join(_served) or 'diptych'}:{os.getpid()}:{_TOKEN}"


class QoS(kombu_redis.QoS):
    """Which messages this worker holds."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note that this worker holds a message, with the worker's name."""
        message._raw["properties"][HOLDER_PROPERTY] = consumer_name()
        super().append(message, delivery_tag)  # type: ignore[no-untyped-call]  # kombu has few types

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge; the slot is free even if the broker cannot be told."""
        try:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]
        except (redis.RedisError, OSError):
            virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]
            raise


class Channel(kombu_redis.Channel):
    """A channel with that QoS, whose connections bear the worker's name."""

    QoS = QoS

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[no-untyped-call]
        return {**found, "client_name": consumer_name()}


class Transport(kombu_redis.Transport):
    """A transport of such channels."""

    Channel = Channel
