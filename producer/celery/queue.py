"""Which tasks a Redis broker has, read without taking any: what waits, and what workers hold."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json

from pipeline.config.celery_settings import queue_name
from pipeline.config.settings import Settings
from pipeline.errors import BrokerError
from producer.celery.connection import JOBS_KEY, connect, errors_of, is_redis, reason
from results.documents import Target

PAGE_MESSAGES: Final = 500
"""Messages in one answer of the broker: below a megabyte, as a rule, and never above 16."""


@dataclass(frozen=True, slots=True)
class QueuedTask:
    """A task that the broker has for a target, in some publication."""

    job_id: str
    target: Target
    task_index: int


class CeleryQueue:
    """The broker's lists and hash, as kombu's Redis transport lays them out. It connects at the first call.

    Args:
        settings: its `broker_url` must be set.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: Any = None

    def tasks(self, targets: Iterable[Target]) -> Iterator[QueuedTask]:
        """Yield every task that waits for one of the targets or is held by its workers; some of them twice.

        A worker takes a message from its list and then notes it among the unacknowledged; they are read
        before and after the lists, so that only a message that moves twice meanwhile can be overlooked.

        Raises:
            BrokerError: the broker does not answer, or is none of whose queues can be read.
        """
        channel = self._channel()
        queues = {queue_name(target): target for target in targets}
        try:
            with channel.conn_or_acquire() as client:
                yield from _held(client, channel.unacked_key, queues)
                for queue, target in queues.items():
                    for priority in channel.priority_steps:
                        yield from _waiting(client, channel._q_for_pri(queue, priority), target)
                yield from _held(client, channel.unacked_key, queues)
        except errors_of(self._connection) as error:
            raise self._failed(error) from error

    def give_back_held(self) -> int:
        """Put what workers hold back onto its queues now, and not after the visibility timeout.

        Only for a broker all of whose workers have died: what a living one holds would be done twice.

        Returns:
            Messages put back.
        Raises:
            BrokerError: as `tasks`.
        """
        channel = self._channel()
        try:
            with channel.conn_or_acquire() as client:
                tags = client.hkeys(channel.unacked_key)
                for tag in tags:
                    channel.qos.restore_by_tag(tag, client)
        except errors_of(self._connection) as error:
            raise self._failed(error) from error
        return len(tags)

    def jobs(self) -> set[str]:
        """Return the jobs that were published through this broker and not forgotten; raises as `tasks`."""
        channel = self._channel()
        try:
            with channel.conn_or_acquire() as client:
                return {name.decode() for name in client.smembers(JOBS_KEY)}
        except errors_of(self._connection) as error:
            raise self._failed(error) from error

    def forget(self, job_ids: Iterable[str]) -> None:
        """Drop jobs that have come to a final end from `jobs`; raises as `tasks`."""
        channel, names = self._channel(), [*job_ids]
        if not names:
            return
        try:
            with channel.conn_or_acquire() as client:
                client.srem(JOBS_KEY, *names)
        except errors_of(self._connection) as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.release()
            self._connection = None

    def _channel(self) -> Any:
        if self._connection is None:
            _, self._connection = connect(self._settings)
        if not is_redis(self._connection):
            raise BrokerError(
                f"{self._connection.as_uri()} is no Redis or Valkey: only their queues can be searched"
            )
        try:
            return self._connection.default_channel
        except errors_of(self._connection) as error:
            raise self._failed(error) from error

    def _failed(self, error: BaseException) -> BrokerError:
        return BrokerError(f"the broker's queues cannot be read: {reason(self._settings, error)}")


def _waiting(client: Any, key: str, target: Target) -> Iterator[QueuedTask]:
    """What waits in one list. New messages come in at its left and push the others on: none is skipped."""
    start = 0
    while True:
        page = client.lrange(key, start, start + PAGE_MESSAGES - 1)
        for raw in page:
            yield from _task_in(_parsed(raw), target)
        if len(page) < PAGE_MESSAGES:
            return
        start += PAGE_MESSAGES


def _held(client: Any, key: str, queues: Mapping[str, Target]) -> Iterator[QueuedTask]:
    """What workers have taken and not acknowledged: values are [message, exchange, queue] (kombu's QoS)."""
    for _, raw in client.hscan_iter(key, count=PAGE_MESSAGES):
        entry = _parsed(raw)
        target = queues.get(str(entry[2])) if isinstance(entry, list) and len(entry) == 3 else None
        if target:
            yield from _task_in(entry[0], target)


def _parsed(raw: bytes) -> Any:
    try:
        return from_json(raw)
    except ValueError:
        return None


def _task_in(message: Any, target: Target) -> Iterator[QueuedTask]:
    """The task in a Celery message; nothing if there is none: a worker will reject what it cannot read."""
    try:
        # Celery's body is [args, kwargs, embed]; its kwargs are a QueuedDelivery's.
        arguments = from_json(base64.b64decode(message["body"]))[1]
        task = from_json(base64.b64decode(arguments["message"]["data"]))
        job_id, task_index = task["job_id"], task["task_index"]
    except (KeyError, IndexError, TypeError, ValueError):
        return
    if isinstance(job_id, str) and isinstance(task_index, int):
        yield QueuedTask(job_id, target, task_index)
