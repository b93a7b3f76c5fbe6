"""kombu's Redis transport, changed in three ways.

As it comes, an acknowledgement that fails keeps its slot taken for ever: a worker with no other slot asks the
broker for nothing more, and so never learns that its connection is gone. The message is not lost: it lies in
the broker still, and is delivered again after the visibility timeout.

What is no message of ours never reaches Celery, which ends when it cannot read it: it is kept elsewhere.

What a worker holds bears its name among the broker's clients: when no client has that name, the worker is
dead, and the lost-task audit gives back what it held, long before the visibility timeout.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable
from typing import Any, Final
from uuid import uuid4

import redis
from kombu.transport import redis as kombu_redis
from kombu.transport import virtual

from pipeline.config.celery_settings import HOLDER_PROPERTY
from pipeline.errors import MessageError
from results.errors import StoreError
from worker_celery.raw_message import check_raw

TRANSPORT: Final = "worker_celery.transport:Transport"
"""For kombu's table of transports, in the place of its own for redis:// URLs."""

REFUSED_PAUSE_S: Final = 1.0
"""Before what could not be refused now goes back to its queue."""

Refuse = Callable[[bytes, MessageError], None]
"""Keeps what is no message; an error of the store is raised."""

_TOKEN: Final = uuid4().hex
_log = logging.getLogger(__name__)


class _Worker:
    """What this process serves; set before it connects."""

    queues = "diptych"
    refuse: Refuse | None = None


def serve(queues: Iterable[str], refuse: Refuse) -> None:
    """Say whose queues this worker serves, before it connects, and who takes what is no message."""
    _Worker.queues, _Worker.refuse = ",".join(sorted(queues)), staticmethod(refuse)


def consumer_name() -> str:
    """This process's name among the broker's clients; a child process has another than its parent."""
    return f"{_Worker.queues}:{os.getpid()}:{_TOKEN}"


class Client(redis.Redis):
    """A client for which what is no message was not there."""

    def parse_response(self, connection: Any, command_name: str, **options: Any) -> Any:
        """Read a reply; see redis.Redis."""
        reply = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name != "BRPOP" or not reply:
            return reply
        queue, raw = reply
        try:
            check_raw(raw)
        except MessageError as error:
            self._refuse(queue, raw, error)
            return None  # as after a BRPOP that has waited in vain
        return reply

    def _refuse(self, queue: bytes, raw: bytes, error: MessageError) -> None:
        if _Worker.refuse is None:
            raise error
        try:
            _Worker.refuse(raw, error)
            _log.warning("a message in %s is rejected: %s", queue.decode(), error)
        except StoreError as store_error:
            _log.warning("a message in %s cannot be rejected now: %s", queue.decode(), store_error)
            time.sleep(REFUSED_PAUSE_S)
            self.lpush(queue, raw)


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

    def _get_client(self) -> type[redis.Redis]:
        return Client

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[no-untyped-call]
        return {**found, "client_name": consumer_name()}


class Transport(kombu_redis.Transport):
    """A transport of such channels."""

    Channel = Channel
